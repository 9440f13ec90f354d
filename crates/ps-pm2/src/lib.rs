//! The commands of pm2, for apps stored below `PM2_HOME`. Each app of pm2 is an app of Formation, and the commands are
//! carried out by the same libraries as elsewhere. This crate supervises nothing itself.

mod another;
mod args;
mod arguments;
mod beside;
mod blocks;
mod book;
mod boot;
mod candidates;
mod command;
mod count;
mod declared;
mod delete;
mod describe;
mod dump;
mod fleet;
mod flush;
mod foreground;
mod generate;
mod given;
mod home;
mod import;
mod interpreter;
mod journal;
mod json_list;
mod kill;
mod launch;
mod list;
mod load;
mod log_date;
mod logs;
mod monit;
mod options;
mod pretty_list;
mod redeclared;
mod release;
mod reload;
mod reset;
mod restart;
mod resurrect;
mod row;
mod runtime;
mod runtime_args;
mod say;
mod scale;
mod schedule;
mod send_signal;
mod session;
mod settings;
mod sharing;
mod start;
mod stop;
mod table;
mod taking;
mod target;
mod update;
mod verb;
mod web;

use anyhow::Result;
use ps_cli::completion;
use ps_cli::exit::{self, Outcome};

use crate::session::Session;

/// The arguments, for man pages and completions.
pub fn command() -> clap::Command {
    <args::Args as clap::CommandFactory>::command()
}

/// Runs the program.
pub fn run() -> Result<Outcome> {
    let words = exit::arguments();
    if words.get(1).is_some_and(|word| word == launch::WORD) {
        return launch::run(&words[2..]);
    }
    if words.get(1).is_some_and(|word| word == launch::ON_SCHEDULE) {
        return say::conclude(schedule::run(&words[2..]));
    }
    if words.get(1).is_some_and(|word| word == web::WORD) {
        return web::serve(&words[2..]);
    }
    if completion::answered(command, &[("words", candidates::of_words)]) {
        return Ok(Outcome::Done);
    }
    if let Some(name) = runtime::called(&words) {
        return say::conclude(runtime::run(name, &words));
    }
    let done = args::parse(&words).and_then(|args| match args {
        Ok(args) => Session::open(args).and_then(|session| verb::run(&session)),
        Err(outcome) => Ok(outcome),
    });
    say::conclude(done)
}
