//! `enter`: runs a command, or a shell, where an instance runs.

use std::io::{self, IsTerminal};

use anyhow::{Result, bail};
use ps_apps::App;
use ps_cli::exit::Outcome;
use ps_scheduler::{Ended, Entry};
use ps_supervisor::Signals;

use crate::args::EnterArgs;
use crate::run::{HEARD, status};
use crate::session::Session;
use crate::{elsewhere, journal, provision};

const VERB: &str = "enter";

pub(crate) fn run(session: &Session, args: &EnterArgs) -> Result<Outcome> {
    let app = session.world.app(&args.app)?;
    journal::of_verb(&session.world, VERB, &app.name, || enter(session, &app, args))
}

fn enter(session: &Session, app: &App, args: &EnterArgs) -> Result<Outcome> {
    let world = &session.world;
    elsewhere::refuse(world, &app.name, VERB)?;
    let _provision = provision::for_one_off(session, &app.name);
    let signals = Signals::watch(&HEARD)?;
    let entry = Entry {
        app: &app.name,
        slot: &args.slot,
        words: Some(args.command.as_slice()).filter(|words| !words.is_empty()),
        is_terminal: !args.no_tty && io::stdin().is_terminal(),
        signals: ps_scheduler::Signals { fd: signals.fd(), take: &|| signals.take() },
        grace: world.stop_timeout(&app.name)?,
    };
    match ps_schedulers::of(world, &app.name)?.enter(&entry)? {
        Ended::Exit(exit) => Ok(Outcome::Status(status(exit))),
        Ended::TimedOut | Ended::RunsOn => {
            bail!("the command in {} of {} was left running", args.slot, app.name)
        }
    }
}
