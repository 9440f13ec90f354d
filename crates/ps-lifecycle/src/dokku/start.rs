//! `ps:start`: releases and deploys an app unless all of its instances run. The configuration of its proxy is built in any
//! case, because a restore clears it before it starts each app.

use anyhow::Result;
use ps_apps::SchedulerName;
use ps_cli::exit::Outcome;
use ps_cli::say;
use ps_dokku::order;
use ps_scheduler::Running;
use ps_scheduler_native::Native;

use super::all::{self, Subjects};
use super::hold::Held;
use super::{question, stop};
use crate::args::TargetArgs;
use crate::session::Session;

pub(crate) fn run(session: &Session, args: &TargetArgs) -> Result<Outcome> {
    stop::refuse_part("start", args)?;
    let subjects = Subjects { verb: "start", app: args.app.as_deref(), all: &args.all };
    all::each(session, &subjects, |app| start(session, &Held::whole(session, app)?))
}

/// Starts one app.
pub(crate) fn start(session: &Session, held: &Held) -> Result<()> {
    let (world, caller, app) = (&session.world, &held.caller, held.app.as_str());
    let tag = caller.image_tag(app)?;
    if !question::is_deployed_or_told(world, &held.app)? {
        return Ok(());
    }
    caller.make(&order::before_start(app))?;
    session.check()?;
    let running = question::running(world, &held.app)?;
    let calls = order::start(app, &tag, running == Running::True);
    match running {
        Running::True => {
            say::warning(&format!("App {app} already running"));
            if world.scheduler_name(&held.app)? == SchedulerName::Native {
                Native::new(world).keep(&held.app)?;
            }
        }
        Running::Mixed => {
            say::warning("App is running in mixed mode, releasing");
        }
        Running::False | Running::Unknown => {
            say::warning("App has been detected as not running, releasing");
        }
    }
    for call in &calls {
        session.check()?;
        caller.make([call])?;
    }
    Ok(())
}
