//! Moves an app from one scheduler to another: its instances under the earlier scheduler end once the new one has committed the deploy.

use anyhow::{Context, Result};
use formation::{AppName, Which};
use ps_apps::SchedulerName;
use ps_cli::say;
use ps_release::Release;
use ps_scheduler_native::Native;
use ps_scheduler_swarm::Swarm;

use crate::session::Session;
use crate::{release, stop};

/// Ends the instances of the app under its earlier scheduler, if that is another one than `name`.
pub(crate) fn earlier(
    session: &Session,
    earlier: Option<SchedulerName>,
    name: &SchedulerName,
    release: &Release,
) -> Result<()> {
    let app = &release.app;
    let earlier = earlier.filter(|earlier| earlier != name);
    if earlier.is_some() && *name == SchedulerName::Swarm && !release.listen.is_empty() {
        take_clients(session, app)
            .with_context(|| format!("{app} runs via {name}; direct its clients there"))?;
    }
    match earlier {
        None => Ok(()),
        Some(SchedulerName::External(earlier)) => {
            say::warning(&format!("what {earlier} runs of {app} goes on: it is Dokku's to stop"));
            Ok(())
        }
        Some(SchedulerName::Native) if !release.listen.is_empty() => {
            vacate(session, app).with_context(|| {
                format!("{app} runs via {name}, but end what native runs of it, which the next verb does")
            })
        }
        Some(earlier) => scheduler(session, app, &earlier).with_context(|| {
            format!("{app} runs via {name}, but end what {earlier} runs of it, which the next verb does")
        }),
    }
}

/// Ends the instances of an app under a scheduler, because later verbs will not look for them there.
pub(crate) fn scheduler(session: &Session, app: &AppName, scheduler: &SchedulerName) -> Result<()> {
    let scheduler = ps_schedulers::named(&session.world, scheduler);
    stop::end_via(session, app, scheduler.as_ref(), &Which::All, true)
}

/// Ends the native instances of an app whose address stays, with the same supervisor.
fn vacate(session: &Session, app: &AppName) -> Result<()> {
    let grace = session.world.stop_timeout(app)?;
    let native = Native::new(&session.world);
    let stopped = session.stop(app, |requester| native.vacate(app, grace, requester).map(Some))?;
    stop::told(app, &stopped.unwrap_or_default())
}

/// Directs clients to the tasks that run on the swarm now, and waits until they have left the instances that are about to end: the
/// deploy may have been killed before it did so.
fn take_clients(session: &Session, app: &AppName) -> Result<()> {
    let swarm = Swarm::new(&session.world);
    Ok(session.with_requester(app, |requester| swarm.take_clients(app, requester.cancel))?)
}

/// Ends the instances under the earlier scheduler of an app with an address, if the verb that moved the app was killed before it did
/// so.
pub(crate) fn what_was_not_left(session: &Session, app: &AppName) -> Result<()> {
    let world = &session.world;
    if world.inside_dokku() {
        return Ok(());
    }
    let (name, native) = (world.scheduler_name(app)?, Native::new(world));
    let is_on_swarm = || Swarm::new(world).has_committed(app);
    let other = match name {
        SchedulerName::DockerLocal | SchedulerName::Swarm if native.has_processes(app) => {
            SchedulerName::Native
        }
        SchedulerName::DockerLocal | SchedulerName::Native if is_on_swarm()? => SchedulerName::Swarm,
        SchedulerName::Native if native.leads_elsewhere(app) => SchedulerName::DockerLocal,
        SchedulerName::Swarm if !world.instance_files(app)?.slots.is_empty() => SchedulerName::DockerLocal,
        SchedulerName::DockerLocal
        | SchedulerName::Native
        | SchedulerName::Swarm
        | SchedulerName::External(_) => return Ok(()),
    };
    match release::deployed(world, app)?.filter(|release| !release.listen.is_empty()) {
        Some(release) => earlier(session, Some(other), &name, &release),
        None => Ok(()),
    }
}
