//! A deploy that was killed: its changes are put back before a verb begins its own work.

use anyhow::Result;
use formation::AppName;
use ps_scheduler::Leftover;

use crate::leave;
use crate::session::Session;

/// Puts back the changes of a killed deploy, or records the deploy if it was committed; the caller holds the app's lock.
pub(crate) fn put_back(session: &Session, app: &AppName) -> Result<()> {
    if let Some(name) = session.world.intended_scheduler(app) {
        let scheduler = ps_schedulers::named(&session.world, &name);
        session
            .with_requester(app, |requester| scheduler.end_interrupted(app, Leftover::PutBack, requester))?;
        session.world.conclude_intended(app)?;
    }
    leave::what_was_not_left(session, app)
}
