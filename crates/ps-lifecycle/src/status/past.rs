//! The status at an earlier time, from the journals.

use anyhow::{Context, Result};
use jiff::Timestamp;
use ps_apps::App;
use ps_journal::{Contents, Journal};
use ps_rows::instances_after;
use ps_scheduler::AppStatus;

use super::now::Statuses;
use crate::session::Session;

/// The statuses at that time. If a journal does not reach back that far, a warning says so.
pub(super) fn statuses(session: &Session, apps: &[App], at: Timestamp) -> Result<Statuses> {
    let world = &session.world;
    let (mut of_apps, mut warnings) = (Vec::new(), Vec::new());
    for app in apps {
        let journal = Journal::of(world, &app.name).read();
        let Contents { entries, .. } =
            journal.with_context(|| format!("read the journal of {}", app.name))?;
        let until = entries.iter().take_while(|entry| entry.at <= at).count();
        if until == 0 {
            let begins = entries.first().map(|entry| format!("begins {}", entry.at));
            let begins = begins.unwrap_or_else(|| "is empty".to_owned());
            warnings.push(format!("the journal of {} {begins}: what was before is not known", app.name));
        }
        let instances = instances_after(&entries[..until]);
        of_apps.push((world.scheduler_name(&app.name)?, AppStatus::of(app.name.clone(), instances)));
    }
    Ok(Statuses { of_apps, is_complete: warnings.is_empty(), warnings })
}
