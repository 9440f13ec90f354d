//! The message about a deploy whose instances run, but which could not be recorded.

use std::fmt;

use formation::AppName;
use ps_apps::SchedulerName;

use crate::leave;
use crate::session::Session;

/// The error of a deploy that could not be recorded. If it was the app's first deploy, its instances are ended, because
/// no later verb would know of them. If the app was deployed before, the next verb finishes the record.
pub(super) fn of(
    session: &Session,
    app: &AppName,
    scheduler: &SchedulerName,
    is_first: bool,
    error: ps_apps::Error,
) -> anyhow::Error {
    let world = &session.world;
    let error = anyhow::Error::from(error).context(format!("record the deploy of {app}"));
    let is_gone =
        is_first && world.abandon_record(app).is_ok() && leave::scheduler(session, app, scheduler).is_ok();
    if is_gone {
        return error;
    }
    error.context(RunsOn { app: app.clone(), is_known: world.is_unfinished(app) })
}

/// The deploy failed after the new instances were up, and they still are.
#[derive(Debug)]
pub(super) struct RunsOn {
    app: AppName,
    /// Whether the next verb can finish the record.
    is_known: bool,
}

impl fmt::Display for RunsOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let app = &self.app;
        if self.is_known {
            write!(f, "the new release of {app} runs, and the next verb finishes its record")
        } else {
            write!(
                f,
                "the new release of {app} runs, but is not recorded: deploy again, or run ps-lifecycle destroy {app}"
            )
        }
    }
}
