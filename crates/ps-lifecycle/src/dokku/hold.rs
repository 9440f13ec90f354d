//! The two locks that a subcommand takes, always in this order: the app's own lock, then Dokku's lock of a deploy
//! (docs/dokku.md#one-change-at-a-time). A program whose caller holds them does not take them again.

use anyhow::Result;
use formation::AppName;
use ps_apps::AppLock;
use ps_cli::say;
use ps_dokku::{Caller, DeployLock, Error};

use crate::session::Session;

/// An app under its lock, and a way to call triggers for it.
pub(crate) struct Held {
    pub(crate) app: AppName,
    pub(crate) caller: Caller,
    // Rust drops fields in the order of their declaration: the lock of the deploy is given up first, then the app's.
    _deploy: DeployLock,
    _lock: AppLock,
}

impl Held {
    /// Takes both locks.
    pub(crate) fn whole(session: &Session, app: &AppName) -> Result<Self> {
        Self::with(session, app, |app| ps_dokku::lock_deploy(&session.world, app))
    }

    /// Takes the app's lock alone, for a subcommand whose trigger takes Dokku's lock itself. If a deploy is running, that is
    /// refused before anything is called.
    pub(crate) fn but_for_the_deploy(session: &Session, app: &AppName) -> Result<Self> {
        Self::with(session, app, |app| ps_dokku::refuse_deploying(&session.world, app))
    }

    fn with(
        session: &Session,
        app: &AppName,
        deploy: impl FnOnce(&AppName) -> Result<DeployLock, Error>,
    ) -> Result<Self> {
        let lock = session.lock(app)?;
        let deploy = deploy(app).or_else(|error| match error {
            // If our caller holds the app's lock, it holds this one too. The file may be empty nevertheless: another deploy
            // that was refused meanwhile has emptied it.
            Error::Deploying { .. } if lock.is_callers() => Ok(DeployLock::default()),
            error => Err(error),
        })?;
        if let Some(remark) = deploy.remark(app) {
            say::warning(&remark);
            // Hooks of a killed command may never end by themselves. They are waited for as long as for the lock.
            if let Some(orphans) = lock.orphans(session.wait) {
                say::warning(&orphans.to_string());
            }
        }
        let caller = Caller::holding(&session.world, &lock);
        Ok(Self { app: app.clone(), caller, _deploy: deploy, _lock: lock })
    }
}
