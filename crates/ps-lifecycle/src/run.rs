//! `run`: runs a command once, beside the instances of an app. The command is not an instance.

mod behind;

use std::io::{self, IsTerminal, Write};

use anyhow::Result;
use formation::{Exit, ProcessType, Slot};
use ps_apps::{App, SchedulerName};
use ps_cli::exit::{Outcome, Refusal};
use ps_cli::say;
use ps_release::Release;
use ps_scheduler::{Command, Ended, Error, OneOff, Scheduler, Streams};
use ps_supervisor::Signals;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH};
use type_settings::Span;

use crate::args::RunArgs;
use crate::session::Session;
use crate::{elsewhere, journal, provision, release};

const VERB: &str = "run";
/// The type whose settings apply to a command that is not the command of a type: the settings for all types, and those
/// for this name.
const OF_NO_TYPE: &str = "run";
/// The exit status of timeout(1) for a command that exceeded its time limit.
const TIMED_OUT: u8 = 124;
/// The signals that are passed on to the command, and SIGCHLD, which says that it has ended.
pub(crate) const HEARD: [i32; 8] = [SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH];

pub(crate) fn run(session: &Session, args: &RunArgs) -> Result<Outcome> {
    let app = session.world.app(&args.app)?;
    if args.behind.is_some() {
        behind::leave_session();
        // The program that started this one has written to the journal.
        return once(session, &app, args);
    }
    journal::of_verb(&session.world, VERB, &app.name, || once(session, &app, args))
}

fn once(session: &Session, app: &App, args: &RunArgs) -> Result<Outcome> {
    let world = &session.world;
    elsewhere::refuse(world, &app.name, VERB)?;
    let release = release::deployed(world, &app.name)?;
    let release = release.ok_or_else(|| Error::NotDeployed { app: app.name.clone() })?;
    let (command, process_type) = asked(&release, args)?;
    let scheduler = ps_schedulers::of(world, &app.name)?;
    let name = args.behind.clone().map_or_else(|| scheduler.name_for_one_off(&app.name), Ok)?;
    if args.detach && world.scheduler_name(&app.name)? == SchedulerName::Native {
        behind::start(session, &app.name, &name, args)?;
        return printed(app, &name);
    }
    let _provision = provision::for_one_off(session, &app.name);
    let signals = Signals::watch(&HEARD)?;
    let tell = || {
        if args.behind.is_some() {
            behind::tell();
        }
    };
    let order = OneOff {
        release: &release,
        name,
        command,
        process_type,
        env: args.env.clone(),
        timeout: args.timeout.map(Span::get),
        grace: world.stop_timeout(&app.name)?,
        streams: streams(args, &tell),
        signals: ps_scheduler::Signals { fd: signals.fd(), take: &|| signals.take() },
    };
    ended(app, scheduler.as_ref(), &order)
}

fn streams<'a>(args: &RunArgs, tell: &'a dyn Fn()) -> Streams<'a> {
    if args.detach || args.behind.is_some() {
        return Streams::Nobodys { tell };
    }
    Streams::Ours { is_terminal: !args.no_tty && io::stdin().is_terminal() }
}

fn ended(app: &App, scheduler: &dyn Scheduler, order: &OneOff<'_>) -> Result<Outcome> {
    match scheduler.run_once(order)? {
        Ended::Exit(exit) => Ok(Outcome::Status(status(exit))),
        Ended::TimedOut => {
            say::warning(&format!("{} of {} was told to end: its time was over", order.name, app.name));
            Ok(Outcome::Status(TIMED_OUT))
        }
        Ended::RunsOn => printed(app, &order.name),
    }
}

fn printed(app: &App, name: &Slot) -> Result<Outcome> {
    writeln!(io::stdout(), "{}.{name}", app.name)?;
    Ok(Outcome::Done)
}

/// The command to run, and the type whose settings it gets.
fn asked(release: &Release, args: &RunArgs) -> Result<(Command, ProcessType)> {
    let of_no_type = || OF_NO_TYPE.parse().expect("run is a process type");
    let Some(process_type) = &args.process_type else {
        let words = args.command.clone();
        let command = if words.is_empty() { Command::Shell } else { Command::Words(words) };
        return Ok((command, of_no_type()));
    };
    // An image brings no Procfile that could say which types there are: what it runs by itself is the command of each.
    let is_of_image = matches!(release.source, ps_release::Source::Image(_));
    if !is_of_image && release.process(process_type).is_none() {
        let types = release.processes.iter().map(|process| process.process_type.to_string());
        let (app, types) = (&release.app, types.collect::<Vec<_>>().join(", "));
        return Err(Refusal::failed(format!(
            "{app} has no process type {process_type}: it has {types}; write a command after --"
        )));
    }
    Ok((Command::OfType, process_type.clone()))
}

/// The exit status as a shell reports it.
pub(crate) fn status(exit: Exit) -> u8 {
    let status = match exit {
        Exit::Code(code) => code,
        Exit::Signal(signal) => 128 + signal,
    };
    u8::try_from(status).unwrap_or(u8::MAX)
}
