//! `converge`: starts and stops instances until they match the formation. `ps-scale` calls it; so can a pipeline.

use anyhow::Result;
use formation::{AppName, Formation, Which};
use ps_apps::{App, StoredFormation, World};
use ps_cli::exit::{Outcome, Refusal};
use ps_scheduler::{AppStatus, Error, Intent, Plan, Running, Scheduler};

use crate::args::ConvergeArgs;
use crate::session::Session;
use crate::{elsewhere, interrupted, journal, provision, release};

pub(crate) fn run(session: &Session, args: &ConvergeArgs) -> Result<Outcome> {
    let app = session.world.app(&args.app)?;
    session.of_app("converge", &app.name, || converge(session, &app, args.refusal_status))
}

fn converge(session: &Session, app: &App, refusal_status: Option<u8>) -> Result<Outcome> {
    elsewhere::refuse(&session.world, &app.name, "converge")?;
    session.required.check(&session.world, &app.name, None)?;
    let _lock = session.lock(&app.name)?;
    let intent = Intent::Converge(Which::All);
    let is_refused = || is_refused(session, &app.name, &intent);
    let _provision = provision::for_change(session, &app.name, &intent, is_refused);
    if is_held(session, app)? && is_stopped(session, app, &status(session, app)?)? {
        session.fact(&format!("{0} is stopped: ps-lifecycle start {0} applies its formation", app.name))?;
        return Ok(Outcome::Done);
    }
    interrupted::put_back(session, &app.name)?;
    let asked = Asked::plan(&session.world, &app.name, &intent)?.without_doubts()?;
    if refusal_status.is_some() {
        refuse_what_is_refused(asked.scheduler.as_ref(), &asked.plan, refusal_status)?;
    }
    asked.carry_out(session, app)?;
    Ok(Outcome::Done)
}

/// Makes a plan with this intent and carries it out; the caller holds the lock.
pub(crate) fn carry_out(session: &Session, app: &App, intent: &Intent) -> Result<()> {
    interrupted::put_back(session, &app.name)?;
    Asked::plan(&session.world, &app.name, intent)?.without_doubts()?.carry_out(session, app)
}

/// Starts the instances of an app that ran before. Slots that may have been stopped by hand are not started: when the others are up, the
/// returned error names them.
pub(crate) fn restore(session: &Session, app: &App) -> Result<()> {
    interrupted::put_back(session, &app.name)?;
    let asked = Asked::plan(&session.world, &app.name, &Intent::Converge(Which::All))?;
    asked.carry_out(session, app)?;
    asked.without_doubts().map(drop)
}

/// Whether the verb would fail in the current state of the app. Nothing is changed or started to find that out.
pub(crate) fn is_refused(session: &Session, app: &AppName, intent: &Intent) -> bool {
    let asked = Asked::plan(&session.world, app, intent).and_then(Asked::without_doubts);
    !asked.is_ok_and(|asked| asked.scheduler.judge(&asked.plan).is_ok())
}

/// Fails if the verb would fail in the current state of the app, with its reason. Nothing is changed to find out.
pub(crate) fn judge(session: &Session, app: &AppName, intent: &Intent) -> Result<()> {
    let asked = Asked::plan(&session.world, app, intent)?.without_doubts()?;
    refuse_what_is_refused(asked.scheduler.as_ref(), &asked.plan, None)
}

/// Fails if the scheduler refuses the plan, with this exit status if there is one. Nothing is changed to find out. A scheduler that cannot be
/// reached refuses nothing: whoever carries out the plan is told that.
pub(crate) fn refuse_what_is_refused(
    scheduler: &dyn Scheduler,
    plan: &Plan,
    status: Option<u8>,
) -> Result<()> {
    let judged = if plan.is_noop() { Ok(()) } else { scheduler.judge(plan) };
    match (judged, status) {
        (Ok(()) | Err(Error::Unreachable { .. }), _) => Ok(()),
        (Err(error), None) => Err(error.into()),
        (Err(error), Some(status)) => Err(Refusal { status, message: error.to_string() }.into()),
    }
}

/// A plan for what an app has stored, made by its scheduler.
struct Asked {
    scheduler: Box<dyn Scheduler>,
    plan: Plan,
    stored: StoredFormation,
    /// The error about slots that the plan leaves empty because they may have been stopped by hand.
    doubt: Option<Error>,
}

impl Asked {
    fn plan(world: &World, app: &AppName, intent: &Intent) -> Result<Self> {
        let Some(release) = release::deployed(world, app)? else {
            return Err(Error::NotDeployed { app: app.clone() }.into());
        };
        let stored = world.formation(app)?;
        let wanted = wanted(world, app, &stored)?;
        let scheduler = ps_schedulers::of(world, app)?;
        let (plan, doubt) = Plan::ask_around_doubts(scheduler.as_ref(), release, &wanted, intent)?;
        Ok(Self { scheduler, plan, stored, doubt })
    }

    /// The same plan, or the error if a slot is left empty.
    fn without_doubts(mut self) -> Result<Self> {
        self.doubt.take().map_or(Ok(self), |doubt| Err(doubt.into()))
    }

    fn carry_out(&self, session: &Session, app: &App) -> Result<()> {
        let (world, scheduler, plan) = (&session.world, self.scheduler.as_ref(), &self.plan);
        if plan.is_noop() {
            session.with_requester(&app.name, |requester| scheduler.tend(plan, requester))?;
        } else {
            journal::planned(world, &app.name, plan);
            let outcome = session.deploy(None, scheduler, plan)?;
            journal::done(world, &app.name, &outcome);
        }
        if !self.stored.old.is_empty() {
            world.forget_old_formation(&app.name)?;
        }
        Ok(())
    }
}

/// The stored formation, limited to the types in the app's Procfile.
pub(crate) fn wanted(world: &World, app: &AppName, stored: &StoredFormation) -> Result<Formation> {
    Ok(release::runnable_of(stored, world.known_types(app)?.as_ref()))
}

/// The status that the app's scheduler reports.
pub(crate) fn status(session: &Session, app: &App) -> Result<AppStatus> {
    Ok(ps_schedulers::of(&session.world, &app.name)?.status_of(&app.name)?)
}

/// Whether the app was stopped as a whole: it is not to be restored after a reboot, and no instance runs.
pub(crate) fn is_stopped(session: &Session, app: &App, status: &AppStatus) -> Result<bool> {
    Ok(is_held(session, app)? && status.running() == Running::False)
}

fn is_held(session: &Session, app: &App) -> Result<bool> {
    Ok(!session.world.is_restored(&app.name)?)
}
