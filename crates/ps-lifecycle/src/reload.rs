//! `reload`: types with a `reload-signal` get that signal, so that they read their configuration again; the others get new
//! instances, as in `restart`.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use formation::{ProcessType, SignalName, Slot, State, Which};
use ps_apps::App;
use ps_cli::exit::Outcome;
use ps_cli::say;
use ps_scheduler::{Error, Intent, SignalOrder, Signalled};

use crate::args::TargetArgs;
use crate::each::{self, Subjects};
use crate::session::Session;
use crate::{converge, release, stop};

pub(crate) fn run(session: &Session, args: &TargetArgs) -> Result<Outcome> {
    let which = args.which.clone().unwrap_or(Which::All);
    let is_meant = |app: &App| Ok(ps_dokku::is_deployed(&session.world, &app.name)?);
    let subjects = Subjects { verb: "reload", app: args.app.as_deref(), all: &args.all };
    each::app(session, &subjects, is_meant, |app| reload(session, app, &which))
}

fn reload(session: &Session, app: &App, which: &Which) -> Result<()> {
    let lock = session.lock(&app.name)?;
    stop::refuse_unknown(session, app, which)?;
    let Some(release) = release::deployed(&session.world, &app.name)? else {
        return Err(Error::NotDeployed { app: app.name.clone() }.into());
    };
    let signal = |process: &ps_scheduler::Process| {
        Some((process.process_type.clone(), process.settings.reload_signal?))
    };
    let signals: BTreeMap<ProcessType, SignalName> = release.processes.iter().filter_map(signal).collect();
    session.step(&format!("Reloading {}", app.name))?;
    let (told, rolled) = parts(session, app, which, &signals)?;
    // Signals go to all instances first, even if one fails. After a failure no instance is replaced.
    tell(session, app, &told, &signals)?;
    if rolled.is_empty() {
        return Ok(());
    }
    session.trigger(&lock, "pre-start", &[app.name.as_str()])?;
    let all = told.is_empty() && *which == Which::All;
    let parts = if all { vec![Which::All] } else { rolled };
    for part in parts {
        converge::carry_out(session, app, &Intent::Restart(part))?;
    }
    Ok(())
}

/// The running slots that get a signal, and the parts of the app that get new instances.
fn parts(
    session: &Session,
    app: &App,
    which: &Which,
    signals: &BTreeMap<ProcessType, SignalName>,
) -> Result<(Vec<Slot>, Vec<Which>)> {
    let status = converge::status(session, app)?;
    let mut told = Vec::new();
    let mut rolled: Vec<Which> = Vec::new();
    for instance in status.current().filter(|instance| which.includes(&instance.slot)) {
        let process_type = &instance.slot.process_type;
        if signals.contains_key(process_type) {
            if !matches!(instance.state, State::Stopped | State::Crashed | State::Scheduled) {
                told.push(instance.slot.clone());
            }
            continue;
        }
        let part = match which {
            Which::Slot(slot) => Which::Slot(slot.clone()),
            Which::All | Which::Type(_) => Which::Type(process_type.clone()),
        };
        if !rolled.contains(&part) {
            rolled.push(part);
        }
    }
    Ok((told, rolled))
}

fn tell(
    session: &Session,
    app: &App,
    slots: &[Slot],
    signals: &BTreeMap<ProcessType, SignalName>,
) -> Result<()> {
    let scheduler = ps_schedulers::of(&session.world, &app.name)?;
    let mut missed = 0;
    for slot in slots {
        let signal = signals[&slot.process_type];
        let which = Which::Slot(slot.clone());
        let order = SignalOrder { app: app.name.clone(), which, signal, main_alone: true, if_handled: true };
        for (slot, outcome) in scheduler.signal(&order)? {
            let trouble = match outcome {
                Signalled::Sent { processes: 1.. } => {
                    session.detail(&format!("{slot} reloads: {signal} sent to its main process"))?;
                    continue;
                }
                Signalled::Sent { processes: 0 } => "it has just ended".to_owned(),
                Signalled::NotRunning(state) => format!("it is {}, not running", state.as_str()),
                Signalled::Refused { reason } => reason,
            };
            missed += 1;
            say::warning(&format!("{slot} of {} does not reload: {trouble}", app.name));
        }
    }
    match missed {
        0 => Ok(()),
        missed => bail!("{missed} of {} instances did not reload: see above", slots.len()),
    }
}
