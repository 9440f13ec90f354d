//! Which verb a word is, and what it does.

use anyhow::Result;
use ps_cli::exit::Outcome;

use crate::args;
use crate::say;
use crate::session::Session;
use crate::{delete, kill, list, restart, start, stop};

/// Does what the first word says.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    let Some(verb) = session.args.words.first() else {
        args::help()?;
        return Ok(Outcome::No);
    };
    match verb.as_str() {
        "start" => start::run(session),
        "stop" => stop::run(session),
        "restart" => restart::run(session),
        "delete" | "del" => delete::run(session),
        "list" | "ls" | "l" | "status" => list::table(session),
        "jlist" => list::json(session),
        "prettylist" => list::pretty(session),
        "kill" | "exit" => kill::run(session),
        "ping" => {
            say::plain("{ msg: 'pong' }")?;
            Ok(Outcome::Done)
        }
        _ => {
            say::fact("")?;
            say::plain("Command not found")?;
            args::help()?;
            Ok(Outcome::No)
        }
    }
}
