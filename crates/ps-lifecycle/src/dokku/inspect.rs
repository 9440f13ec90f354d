//! `ps:inspect`: prints raw descriptions, for docker-local from the engine, for any other scheduler from its plugin.
//! The hook pipes them into `ps-inspect-sanitize`.

use anyhow::Result;
use ps_apps::SchedulerName;
use ps_cli::exit::Outcome;
use ps_dokku::Caller;

use super::apps;
use crate::args::InspectArgs;
use crate::inspect;
use crate::session::Session;

pub(crate) fn run(session: &Session, args: &InspectArgs) -> Result<Outcome> {
    let world = &session.world;
    let app = apps::named(session, Some(&args.app))?;
    let scheduler = world.scheduler_name(&app)?;
    if scheduler == SchedulerName::DockerLocal {
        return inspect::run(session, args);
    }
    Caller::new(world).stream("scheduler-inspect", &[scheduler.as_str(), app.as_str()])?;
    Ok(Outcome::Done)
}
