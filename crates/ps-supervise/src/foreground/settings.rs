//! What app.json sets for the types that run: their schedules, and how long a run may take. Which files are watched, the command
//! line says.

use std::path::Path;

use anyhow::{Context, Result};
use app_json::AppJson;
use ps_supervisor::Spec;
use type_settings::TypeSettings;

use super::counts::{APP_JSON, app_json};
use crate::args::WatchArgs;

/// Sets it. Everything else that app.json sets is for apps that are deployed.
pub(crate) fn set(spec: &mut Spec, root: &Path, watch: &WatchArgs) -> Result<()> {
    let app_json = app_json(root)?;
    for process in spec.processes.iter_mut().filter(|process| process.quantity > 0) {
        let own = of_type(&app_json, &process.process_type)?;
        process.settings.run_timeout = own.run_timeout;
        process.settings.schedule = own.schedule;
        process.settings.schedule_missed = own.schedule_missed;
        process.settings.schedule_overlap = own.schedule_overlap;
        process.settings.schedule_zone = own.schedule_zone;
        if let Some(paths) = &watch.watch {
            process.settings.watch_paths = Some(paths.clone());
            process.settings.watch_ignore = watch.watch_ignore.clone().or(own.watch_ignore);
        }
    }
    Ok(())
}

fn of_type(app_json: &AppJson, process_type: &str) -> Result<TypeSettings> {
    let mut settings = TypeSettings::default();
    for (setting, text) in app_json.settings(process_type).context(APP_JSON)? {
        // Whoever read the file has judged the text.
        let _ = setting.take(text, &mut settings);
    }
    Ok(settings)
}
