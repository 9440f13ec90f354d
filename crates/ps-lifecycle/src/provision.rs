//! Registers with the root what is to be done if this program is killed in the middle of a verb. A verb changes the
//! records of an app and its running instances one after the other, so if it is killed in between, they disagree.
//! Therefore it first registers a command with the root: if the verb dies, the root runs `ps-lifecycle finish`.

use std::collections::BTreeMap;

use formation::{AppName, Which};
use ps_apps::{SchedulerName, World};
use ps_scheduler::Intent;
use ps_scheduler_native::{LastWill, Native, Provision};

use crate::session::Session;

/// How long the finishing program waits for another verb that changes the app.
const PATIENCE_SECONDS: &str = "600";

/// Makes sure that the stop of an app is finished as recorded if this program dies before the value is dropped. `None` if that is not
/// possible, because there is no root. No root is started for an app without a living process, since it would end with this verb.
pub(crate) fn for_stop(session: &Session, app: &AppName) -> Option<Provision> {
    let scheduler = session.world.scheduler_name(app).ok()?;
    let will = last_will(session, &scheduler, finishing(app))?;
    let native = Native::new(&session.world);
    if native.lives(app) {
        native.provide_for(app, &will)
    } else {
        native.provide_with_a_living_root(app, &will)
    }
}

/// The same before a deploy of an app that is to have this scheduler.
pub(crate) fn for_deploy(session: &Session, app: &AppName, scheduler: &SchedulerName) -> Option<Provision> {
    leave(session, app, scheduler, None)
}

/// The same before a change that may be refused. No root is started for a change that would be.
pub(crate) fn for_change(
    session: &Session,
    app: &AppName,
    intent: &Intent,
    is_refused: impl FnOnce() -> bool,
) -> Option<Provision> {
    let scheduler = session.world.scheduler_name(app).ok()?;
    let which = match intent {
        Intent::Start(which) => Some(which),
        Intent::Converge(_) => None,
        // These do not change what is recorded of the app, or leave word when they do.
        Intent::Deploy | Intent::DeployTypes(_) | Intent::Restart(_) => return None,
    };
    let world = &session.world;
    let would_start_one = scheduler == SchedulerName::Native && !world.inside_dokku();
    if would_start_one && !Native::new(world).has_root(app) && is_refused() {
        return None;
    }
    leave(session, app, &scheduler, which)
}

/// Has what is left of a one-off of the app ended if this program dies before the value is dropped. `None`: that is left to `retire`.
pub(crate) fn for_one_off(session: &Session, app: &AppName) -> Option<Provision> {
    let scheduler = session.world.scheduler_name(app).ok()?;
    word(session, app, &scheduler, vec!["--quiet", "retire", app.as_str()])
}

/// Has what is left of an app that is being destroyed removed if this program dies before the value is dropped. No root is started for that:
/// it would be there for an app that is gone.
pub(crate) fn for_destroy(session: &Session, app: &AppName) -> Option<Provision> {
    let scheduler = session.world.scheduler_name(app).ok()?;
    let will = last_will(session, &scheduler, finishing(app))?;
    Native::new(&session.world).provide_with_a_living_root(app, &will)
}

fn finishing(app: &AppName) -> Vec<&str> {
    vec!["--quiet", "--wait", PATIENCE_SECONDS, "finish", app.as_str()]
}

fn leave(
    session: &Session,
    app: &AppName,
    scheduler: &SchedulerName,
    starts: Option<&Which>,
) -> Option<Provision> {
    let mut arguments = finishing(app);
    let which = starts.map(Which::to_string);
    if let Some(which) = &which {
        arguments.push("--start");
        arguments.extend(starts.filter(|which| **which != Which::All).map(|_| which.as_str()));
    }
    word(session, app, scheduler, arguments)
}

fn word(
    session: &Session,
    app: &AppName,
    scheduler: &SchedulerName,
    arguments: Vec<&str>,
) -> Option<Provision> {
    let will = last_will(session, scheduler, arguments)?;
    Native::new(&session.world).provide_for(app, &will)
}

fn last_will(session: &Session, scheduler: &SchedulerName, arguments: Vec<&str>) -> Option<LastWill> {
    let world = &session.world;
    // Inside Dokku it is Dokku that records and calls the hooks.
    if *scheduler != SchedulerName::Native || world.inside_dokku() {
        return None;
    }
    let arguments = arguments.into_iter().map(str::to_owned).collect();
    let program = os_process::sister("ps-lifecycle")?;
    Some(LastWill { program, arguments, variables: roots(world)? })
}

/// The environment variables by which the started program finds the same installation.
fn roots(world: &World) -> Option<BTreeMap<String, String>> {
    let (root, lib) = (world.root().to_str()?, world.lib().to_str()?);
    Some(
        [("DOKKU_ROOT", root), ("DOKKU_LIB_ROOT", lib)].map(|(name, path)| (name.into(), path.into())).into(),
    )
}
