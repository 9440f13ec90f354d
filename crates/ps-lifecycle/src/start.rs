//! `start`: fills slots that are wanted and empty. Running instances go on.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Error, Result};
use formation::{Slot, State, Which};
use ps_apps::{App, SchedulerName};
use ps_cli::exit::{Outcome, Refusal};
use ps_release::Release;
use ps_rollout::Fate;
use ps_scheduler::{Instance, Intent, Running};

use crate::args::TargetArgs;
use crate::each::{self, Subjects};
use crate::session::Session;
use crate::wish::Wish;
use crate::{converge, provision, stop};

/// How long to wait for instances that another program has begun to start, for example a root that has just restarted a
/// supervisor.
const ON_ITS_WAY: Duration = Duration::from_secs(3);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Starts what is wanted and does not run
pub(crate) fn run(session: &Session, args: &TargetArgs) -> Result<Outcome> {
    let which = args.which.clone().unwrap_or(Which::All);
    let is_meant = |app: &App| Ok(ps_dokku::is_deployed(&session.world, &app.name)?);
    let intent = Intent::Start(which);
    let subjects = Subjects { verb: "start", app: args.app.as_deref(), all: &args.all };
    each::app(session, &subjects, is_meant, |app| {
        start(session, app, &intent)?;
        await_starting(session, app, &intent)
    })
}

/// Starts or replaces instances of one app, and marks it to be restored after a reboot.
pub(crate) fn start(session: &Session, app: &App, intent: &Intent) -> Result<()> {
    let lock = session.lock(&app.name)?;
    let doing = match intent {
        Intent::Start(which) => {
            stop::refuse_unknown(session, app, which)?;
            refuse_scheduled(session, app, which)?;
            "Starting"
        }
        Intent::Restart(which) => {
            stop::refuse_unknown(session, app, which)?;
            "Restarting"
        }
        Intent::Converge(_) | Intent::Deploy | Intent::DeployTypes(_) => "Starting",
    };
    session.step(&format!("{doing} {}", app.name))?;
    session.trigger(&lock, "pre-start", &[app.name.as_str()])?;
    // A restore changes no record.
    let starts = matches!(intent, Intent::Start(_));
    let is_refused = || converge::is_refused(session, &app.name, intent);
    let _provision = starts.then(|| provision::for_change(session, &app.name, intent, is_refused)).flatten();
    let wish = Wish::set(&session.world, &app.name, true)?;
    let started = match intent {
        Intent::Converge(_) => converge::restore(session, app),
        Intent::Start(_) | Intent::Restart(_) | Intent::Deploy | Intent::DeployTypes(_) => {
            converge::carry_out(session, app, intent)
        }
    };
    if let Err(error) = &started
        && !runs_on(session, app, error)
    {
        wish.put_back();
    }
    started
}

/// Refuses a type with a schedule in docker-local: it has no instance that could be started.
fn refuse_scheduled(session: &Session, app: &App, which: &Which) -> Result<()> {
    let (world, name) = (&session.world, &app.name);
    let process_type = match which {
        Which::All => return Ok(()),
        Which::Type(process_type) => process_type,
        Which::Slot(slot) => &slot.process_type,
    };
    if world.scheduler_name(name)? != SchedulerName::DockerLocal {
        return Ok(());
    }
    let release = ps_release::deployed(world, name)?.map(|deployed| deployed.release);
    let has_schedule = |release: &Release| release.settings(process_type).schedule.is_some();
    if release.as_ref().is_some_and(has_schedule) {
        return Err(Refusal::failed(format!(
            "{process_type} of {name} runs by its schedule: ps-lifecycle run {name} {process_type} runs it now"
        )));
    }
    Ok(())
}

/// Waits a short while for instances that are being started by another program. Only supervisors of native apps start
/// instances by themselves and report it.
fn await_starting(session: &Session, app: &App, intent: &Intent) -> Result<()> {
    if session.world.scheduler_name(&app.name)? != SchedulerName::Native {
        return Ok(());
    }
    let until = Instant::now() + ON_ITS_WAY;
    let is_meant = |slot: &Slot| matches!(intent, Intent::Start(which) if which.includes(slot));
    loop {
        session.check()?;
        let status = converge::status(session, app)?;
        let is_starting = |instance: &Instance| is_meant(&instance.slot) && instance.state == State::Starting;
        if !status.instances.iter().any(is_starting) || Instant::now() >= until {
            return Ok(());
        }
        thread::sleep(LOOK_AGAIN);
    }
}

/// Whether other instances run although one has failed: then the app stays marked for restoring. If the error does not contain
/// the fate of each slot, the scheduler is asked.
fn runs_on(session: &Session, app: &App, error: &Error) -> bool {
    match error.downcast_ref() {
        Some(ps_scheduler::Error::DeployFailed { fates, .. }) if !fates.is_empty() => {
            fates.values().any(serves)
        }
        Some(ps_scheduler::Error::DeployFailed { .. }) => {
            converge::status(session, app).is_ok_and(|status| status.running() != Running::False)
        }
        _ => false,
    }
}

fn serves(fate: &Fate) -> bool {
    match fate {
        Fate::Kept(_)
        | Fate::Started(_)
        | Fate::Replaced { .. }
        | Fate::Restarted { outage: Some(_), .. } => true,
        Fate::Restarted { outage: None, .. } | Fate::Ended(_) | Fate::Empty | Fate::Lost | Fate::Stopped => {
            false
        }
    }
}
