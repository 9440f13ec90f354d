//! `ps-supervise` in a source directory. The supervisor runs in this process; the output of the instances goes to stdout,
//! each line with the name of its instance, and changes are reported on stderr. When it exits, nothing is left running.

mod base_port;
mod command;
mod counts;
mod guard;
mod home;
mod input;
mod lines;
mod observer;
mod owner;
mod plan;
mod printer;
mod readiness;
mod schedule;
mod settings;
mod source;
mod state;
mod style;
mod typing;
mod waiting;

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use anyhow::Result;
use ps_cli::exit::Outcome;
use ps_supervisor::{Attachment, Supervisor, Waited};

pub(crate) use command::run as run_command;
pub(crate) use guard::guard;

use crate::args::{Args, Words};
use guard::Guard;
use observer::Observer;
use plan::Plan;
use printer::Printer;
use source::Source;
use state::State;
use typing::Typing;

/// How long a reader of our stdout may be slow after we were told to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs a directory's Procfile until everything has ended or was told to end.
pub(crate) fn run(args: &Args, words: &Words) -> Result<Outcome> {
    let source = Source::find(args, words)?;
    let plan = Plan::make(args, &source, &words.types)?;
    let (mut printer, closed) = Printer::start(&args.show, &plan)?;
    let mut state = State::make(&plan.spec, &mut printer)?;
    let guard = Guard::start(state.path())?;
    for note in &plan.notes {
        printer.say(None, note);
    }
    let mut observer = Observer::new(&plan, args, printer);
    let typing = plan.stdin.as_ref().and_then(|_| Typing::keep());
    let ran = supervise(&plan, args, closed, &mut state, &mut observer);
    typing.iter().for_each(Typing::restore);
    let supervisor = match ran {
        Ok(supervisor) => {
            guard.dismiss();
            state.remove();
            supervisor
        }
        Err(error) => {
            // The guard cleans up from now on, so other foregrounds may start.
            state.open_home();
            guard.call();
            return Err(error);
        }
    };
    let (ended, printer) = observer.finish();
    wait_for_readers(&supervisor, &printer, ended.is_told);
    printer.result()?;
    Ok(ended.status())
}

fn supervise(
    plan: &Plan,
    args: &Args,
    closed: OwnedFd,
    state: &mut State,
    observer: &mut Observer,
) -> Result<Box<Supervisor>> {
    let mut ends_with = vec![closed];
    if args.run.exit_with_parent {
        ends_with.push(observer::parent()?);
    }
    let attachment = Attachment {
        stdin: plan.stdin.clone(),
        ends_with,
        ignores_hangup: observer::ignores_hangup(),
        terminals: args.run.pty.then(|| observer.indent()),
    };
    let mut supervisor = Supervisor::attached(state.path(), plan.spec.clone(), attachment)?;
    state.open_home();
    supervisor.run_attached(&mut |change| observer.see(change))?;
    Ok(supervisor)
}

/// Waits until the reader of our stdout has read everything. If we were told to end, there is a time limit, and a signal
/// ends the wait at once.
fn wait_for_readers(supervisor: &Supervisor, printer: &Printer, is_told: bool) {
    loop {
        let written = printer.written();
        let patience = is_told.then_some(PATIENCE);
        match supervisor.wait_for(printer.end().as_fd(), patience) {
            Waited::Late if printer.written() != written => (),
            Waited::Ready | Waited::Signal | Waited::Late => break,
        }
    }
}
