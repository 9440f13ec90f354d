//! Registers with the root (the process that keeps all supervisors alive) a command for the case that this program is killed in the middle
//! of a verb. A verb changes the records of an app and its running instances one after the other, so if it is killed in between, they
//! differ. If the verb dies, the root runs the registered command, `ps-lifecycle finish`.

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

/// The same for a deploy of an app with this scheduler.
pub(crate) fn for_deploy(session: &Session, app: &AppName, scheduler: &SchedulerName) -> Option<Provision> {
    leave(session, app, scheduler, None)
}

/// The same for a change that may be refused. No root is started for a refused change.
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
        // These verbs do not change the records of the app, or record themselves what they are about to do.
        Intent::Deploy | Intent::DeployTypes(_) | Intent::Restart(_) => return None,
    };
    let world = &session.world;
    let would_start_one = scheduler == SchedulerName::Native && !world.inside_dokku();
    if would_start_one && !Native::new(world).has_root(app) && is_refused() {
        return None;
    }
    leave(session, app, &scheduler, which)
}

/// Makes sure that the remains of a one-off are ended if this program dies before the value is dropped. `None` if that is not possible; then
/// `retire` ends them.
pub(crate) fn for_one_off(session: &Session, app: &AppName) -> Option<Provision> {
    let scheduler = session.world.scheduler_name(app).ok()?;
    word(session, app, &scheduler, vec!["--quiet", "retire", app.as_str()])
}

/// Makes sure that an app that is being destroyed is removed completely if this program dies before the value is dropped. No root is started
/// for that, because it would outlive the app.
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
    // Inside Dokku, Dokku records the change and calls the hooks.
    if *scheduler != SchedulerName::Native || world.inside_dokku() {
        return None;
    }
    let arguments = arguments.into_iter().map(str::to_owned).collect();
    let program = os_process::sister("ps-lifecycle")?;
    Some(LastWill { program, arguments, variables: roots(world)? })
}

/// The environment variables with which the started program finds the same roots.
fn roots(world: &World) -> Option<BTreeMap<String, String>> {
    let (root, lib) = (world.root().to_str()?, world.lib().to_str()?);
    Some(
        [("DOKKU_ROOT", root), ("DOKKU_LIB_ROOT", lib)].map(|(name, path)| (name.into(), path.into())).into(),
    )
}
