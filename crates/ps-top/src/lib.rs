//! Shows apps, their instances, logs and events live in a terminal.
//!
//! An event is a message (`message`), which changes the model (`model`), which is drawn (`frame`); all three are pure
//! functions. Threads read data (`sources`), one loop connects the parts (`live`), and `plain` prints the same as lines
//! of text.

mod args;
mod command;
mod frame;
mod keys;
mod live;
mod message;
mod model;
mod plain;
mod screen;
mod sources;
mod subject;
mod update;

use std::io::{self, IsTerminal};

use anyhow::Result;
use clap::Parser;
use jiff::tz::TimeZone;
use ps_cli::completion;
use ps_cli::exit::Outcome;

use crate::args::Args;
use crate::frame::Look;
use crate::sources::Scope;

/// The command line as clap knows it, for man pages and completions.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the program with the arguments and the environment of this process.
pub fn run() -> Result<Outcome> {
    if completion::answered(command, &[]) {
        return Ok(Outcome::Done);
    }
    let args = Args::try_parse()?;
    let world = args.world.open()?;
    let app = |word: &String| ps_triggers::visible_app::<anyhow::Error>(&world, word);
    let scope = match &args.apps[..] {
        [] => Scope::All,
        words => Scope::These(words.iter().map(app).collect::<Result<_>>()?),
    };
    let is_dumb = ps_apps::variable("TERM").is_none_or(|term| term == "dumb");
    if args.plain || is_dumb || !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return plain::run(&world, scope);
    }
    let look = Look {
        has_colours: ps_apps::variable("NO_COLOR").is_none_or(|word| word.is_empty()),
        is_ascii: args.ascii || !is_utf8(),
        zone: TimeZone::system(),
    };
    live::run(&world, scope, &look)
}

/// Whether the locale supports more than ASCII, by the first of its variables that is set.
fn is_utf8() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(ps_apps::variable);
    let word = set.map(|word| word.to_string_lossy().to_lowercase()).unwrap_or_default();
    word.contains("utf-8") || word.contains("utf8")
}
