//! Says why an app is down, restarting, slow to start, or not deployed. It only reads, and takes no lock.
//!
//! First the facts are collected (`collect`). Then the rules (`rules`), which are functions of the facts alone, find
//! the cause. Then the answer is printed.

mod args;
mod case;
mod collect;
mod facts;
mod finding;
mod patterns;
mod rules;
mod show;
mod words;

use std::io::{self, IsTerminal, Write};
use std::time::SystemTime;

use anyhow::{Context, Result};
use clap::Parser;
use formation::Which;
use jiff::Timestamp;
use ps_cli::completion;
use ps_cli::exit::{Outcome, Refusal};
use ps_cli::worlds::Shape;

use crate::args::Args;
use crate::collect::Question;

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
    if args.worlds.is_given() {
        let shape = if args.json { Shape::Json } else { Shape::Parts };
        return args.worlds.each(&args.world, shape, |world| Ok(world.app(&args.app).map(drop)?));
    }
    let world = args.world.open()?;
    let app = ps_triggers::visible_app::<anyhow::Error>(&world, &args.app)?;
    let now = SystemTime::now();
    let at = args.at.map(|moment| moment.seen_from(now));
    if at.is_some_and(|at| at > now) {
        return Err(Refusal::usage("--at lies in the future"));
    }
    let at = at.map(Timestamp::try_from).transpose().context("--at")?;
    let which = args.which.unwrap_or(Which::All);
    let facts = collect::facts(&world, &Question { app: &app, which: which.clone(), at })?;
    let is_nothing = facts.instances.is_empty() && facts.wanted == 0 && facts.silent.is_none();
    if which != Which::All && is_nothing && !collect::has_type(&world, &app, &which) {
        let present = format!("other types, which ps-lifecycle status {app} lists");
        let error = ps_scheduler::Error::NoSuchInstance { app, which: which.to_string(), present };
        return Err(error.into());
    }
    let is_named = args.world.is_given() || args.worlds.knows_all();
    let answer = show::answer(&facts).in_world(is_named.then(|| world.name()));
    let mut out = io::stdout().lock();
    if args.json {
        ps_rows::json_line(&mut out, &answer.row())?;
    } else {
        let size = out.is_terminal().then(|| rustix::termios::tcgetwinsize(&out).ok()).flatten();
        let width = size.map(|size| usize::from(size.ws_col)).filter(|width| *width > 0);
        writeln!(out, "{}", show::wrapped(&answer.paragraph(), width))?;
    }
    out.flush()?;
    Ok(Outcome::Done)
}
