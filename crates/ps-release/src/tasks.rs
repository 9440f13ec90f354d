//! The tasks of app.json's `cron`. Each becomes a process type of its own; `cron-1` is the first.

use app_json::AppJson;
use formation::ProcessType;
use type_settings::Setting;

use crate::{Error, Process};

/// A command with a schedule.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) process_type: ProcessType,
    pub(crate) command: String,
    pub(crate) settings: Vec<(&'static Setting, String)>,
}

/// The tasks that Formation runs. `processes` are the types of the Procfile, whose names a task must not
/// have.
pub(crate) fn of(app_json: &AppJson, processes: &[Process]) -> Result<Vec<Task>, Error> {
    let mut tasks = Vec::new();
    for (number, task) in app_json.cron().map_err(Error::BadAppJson)?.filter(|(_, task)| !task.is_off) {
        let process_type = ProcessType::of_legal(&format!("cron-{number}"));
        if processes.iter().any(|process| process.process_type == process_type) {
            return Err(Error::TaskIsAType { number, process_type });
        }
        tasks.push(Task { process_type, command: task.command.clone(), settings: task.settings.clone() });
    }
    Ok(tasks)
}
