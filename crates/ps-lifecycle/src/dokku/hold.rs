//! The two locks of a subcommand, in their order: the app's, then Dokku's of a deploy. A program that is called by
//! somebody who holds them holds them too.

use anyhow::Result;
use formation::AppName;
use ps_apps::{AppLock, DeployLock, Error};
use ps_cli::say;

use super::call::Caller;
use crate::session::Session;

/// An app that nobody else changes, and a way to call triggers for it.
pub(crate) struct Held {
    pub(crate) app: AppName,
    pub(crate) caller: Caller,
    // Given back in this order: the deploy's, then the app's.
    _deploy: DeployLock,
    _lock: AppLock,
}

impl Held {
    /// Both locks.
    pub(crate) fn whole(session: &Session, app: &AppName) -> Result<Self> {
        Self::with(session, app, |app| session.world.lock_deploy(app))
    }

    /// The app's lock alone: what is called takes the other one itself. A deploy that is under way is refused first.
    pub(crate) fn but_for_the_deploy(session: &Session, app: &AppName) -> Result<Self> {
        Self::with(session, app, |app| session.world.refuse_deploying(app))
    }

    fn with(
        session: &Session,
        app: &AppName,
        deploy: impl FnOnce(&AppName) -> Result<DeployLock, ps_apps::Error>,
    ) -> Result<Self> {
        let lock = session.lock(app)?;
        let deploy = deploy(app).or_else(|error| match error {
            // Who holds the app's lock for us holds this one too, though a deploy that was refused has emptied it.
            Error::Deploying { .. } if lock.is_callers() => Ok(DeployLock::default()),
            error => Err(error),
        })?;
        if let Some(build) = &deploy.left_by {
            let build = build.escape_default();
            say::warning(&format!(
                "The deploy lock of {app} was left by deploy {build}, which is gone: going on"
            ));
            // Nobody waits for ever for hooks that nobody can end but by hand.
            if let Some(orphans) = lock.orphans(session.wait) {
                say::warning(&orphans.to_string());
            }
        }
        let caller = Caller::holding(&session.world, &lock);
        Ok(Self { app: app.clone(), caller, _deploy: deploy, _lock: lock })
    }
}
