//! The present status, from the schedulers.

use formation::AppName;
use ps_apps::{App, SchedulerName};
use ps_scheduler::{AppStatus, Running};
use ps_schedulers::Silent;

use crate::session::Session;

/// What the schedulers of some apps have answered.
pub(super) struct Statuses {
    /// The scheduler and the status of each app, in the order of the apps.
    pub(super) of_apps: Vec<(SchedulerName, AppStatus)>,
    pub(super) warnings: Vec<String>,
    /// Whether every scheduler answered for all instances.
    pub(super) is_complete: bool,
}

/// Each scheduler is asked once for all of its apps.
pub(super) fn statuses(session: &Session, apps: &[App]) -> Statuses {
    let names: Vec<AppName> = apps.iter().map(|app| app.name.clone()).collect();
    let mut answers = ps_schedulers::statuses(&session.world, &names);
    let silent = answers.silent.iter().map(|Silent { apps, reason }| {
        let apps: Vec<&str> = apps.iter().map(AppName::as_str).collect();
        format!("{}: {reason}", apps.join(", "))
    });
    let statuses = || answers.statuses.values().map(|(_, status)| status);
    let troubles = statuses().flat_map(|status| status.troubles.iter().cloned());
    let warnings = silent.chain(troubles).collect();
    let is_unknown = |status: &AppStatus| status.running() == Running::Unknown;
    let is_complete = answers.silent.is_empty() && !statuses().any(is_unknown);
    let of_apps = names.iter().filter_map(|app| answers.statuses.remove(app)).collect();
    Statuses { of_apps, warnings, is_complete }
}
