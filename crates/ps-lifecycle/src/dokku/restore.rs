//! `ps:restore`: starts every app that is to run after a reboot. The configuration of its proxy is cleared first and built
//! again, because containers have new addresses.

use anyhow::Result;
use formation::AppName;
use ps_cli::exit::Outcome;
use ps_cli::say;
use ps_dokku::{Caller, order};

use super::hold::Held;
use super::{all, apps, question, start};
use crate::args::RestoreArgs;
use crate::journal;
use crate::session::Session;

const VERB: &str = "restore";

pub(crate) fn run(session: &Session, args: &RestoreArgs) -> Result<Outcome> {
    let caller = Caller::new(&session.world);
    let named = args.app.as_deref().filter(|app| !app.is_empty());
    caller.make(&order::before_restore())?;
    if let Some(app) = named {
        let app = apps::named(session, Some(app))?;
        journal::of_verb(&session.world, VERB, &app, || restore(session, &app))?;
        return Ok(Outcome::Done);
    }
    if !args.all.all {
        say::warning("Restore specified without app, assuming --all");
    }
    caller.make([&order::proxy_clear(order::ALL)])?;
    all::every(session, VERB, args.all.parallel_or(1), &|app: &AppName| {
        journal::of_verb(&session.world, VERB, app, || restore(session, app))
    })
}

fn restore(session: &Session, app: &AppName) -> Result<()> {
    let held = Held::whole(session, app)?;
    let (world, caller) = (&session.world, &held.caller);
    let scheduler = world.scheduler_name(app)?;
    caller.make(&order::before_restore_of(scheduler.as_str(), app.as_str()))?;
    say::step_always("Clearing potentially invalid proxy configuration")?;
    if let Err(error) = caller.make([&order::proxy_clear(app.as_str())]) {
        say::warning(&error.to_string());
    }
    if !question::is_deployed_or_told(world, app)? {
        return Ok(());
    }
    if !world.is_restored(app)? {
        say::warning(&format!("Skipping ps:restore for {app} as restore property is false"));
        return Ok(());
    }
    session.check()?;
    say::step_always("Starting app")?;
    start::start(session, &held)
}
