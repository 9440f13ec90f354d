//! `reload`: types with a `reload-signal` get that signal, so that they read their configuration again; the others get new
//! instances, as in `restart`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, anyhow, bail};
use formation::{ProcessType, SignalName, Slot, State, Which};
use ps_apps::App;
use ps_cli::exit::Outcome;
use ps_cli::say;
use ps_scheduler::{Error, Instance, Intent, SignalOrder, Signalled};

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
        return if told.is_empty() { Err(nothing_runs(app)) } else { Ok(()) };
    }
    session.trigger(&lock, "pre-start", &[app.name.as_str()])?;
    for part in rolled {
        converge::carry_out(session, app, &Intent::Restart(part))?;
    }
    Ok(())
}

fn nothing_runs(app: &App) -> anyhow::Error {
    let app = &app.name;
    anyhow!(
        "nothing that is meant runs of {app}, so nothing reads its configuration again: ps-lifecycle start {app} starts it"
    )
}

/// The running slots that get a signal, and the parts of the app that get new instances. What was stopped by hand stays stopped, and so does
/// the schedule of a type that runs at its times.
fn parts(
    session: &Session,
    app: &App,
    which: &Which,
    signals: &BTreeMap<ProcessType, SignalName>,
) -> Result<(Vec<Slot>, Vec<Which>)> {
    let status = converge::status(session, app)?;
    let mut told = Vec::new();
    let mut rolled: Vec<Which> = Vec::new();
    let is_at_rest = |instance: &Instance| matches!(instance.state, State::Stopped | State::Scheduled);
    let at_rest = status.current().filter(|instance| is_at_rest(instance));
    let of_some_at_rest: BTreeSet<_> = at_rest.map(|instance| &instance.slot.process_type).collect();
    for instance in status.current().filter(|instance| which.includes(&instance.slot)) {
        let process_type = &instance.slot.process_type;
        if signals.contains_key(process_type) {
            if !matches!(instance.state, State::Stopped | State::Crashed | State::Scheduled) {
                told.push(instance.slot.clone());
            }
            continue;
        }
        if is_at_rest(instance) {
            continue;
        }
        let part = match which {
            Which::All | Which::Type(_) if !of_some_at_rest.contains(process_type) => {
                Which::Type(process_type.clone())
            }
            Which::All | Which::Type(_) | Which::Slot(_) => Which::Slot(instance.slot.clone()),
        };
        if !rolled.contains(&part) {
            rolled.push(part);
        }
    }
    let is_whole = *which == Which::All && told.is_empty() && of_some_at_rest.is_empty();
    Ok((told, if is_whole && !rolled.is_empty() { vec![Which::All] } else { rolled }))
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
