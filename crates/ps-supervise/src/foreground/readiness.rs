//! Decides when the processes of a foreground are ready, and watches them afterwards, as in a deploy: by the checks of
//! app.json, by the port, or by their own message. A process is not ended because it is not ready in time: somebody may
//! be debugging it. If it fails a liveness check, it is ended only if its restart policy starts it again.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use app_json::AppJson;
use formation::{Slot, State};
use procfile::Procfile;
use ps_release::{Process, checks};
use ps_supervisor::{Health, Ready, Spec, Status, TOLD};
use type_settings::Whole;

use super::counts::APP_JSON;

/// How the instances of each type of a Procfile become ready.
pub(crate) fn health(procfile: &Procfile, app_json: &AppJson) -> Result<BTreeMap<String, Health>> {
    let mut health = BTreeMap::new();
    for process_type in procfile.entries().map(|entry| entry.process_type()) {
        let name = process_type.to_string();
        let settings = app_json.type_settings(&name).context(APP_JSON)?;
        let checks = checks(app_json, &process_type);
        let process = Process { settings, checks, ..Process::new(process_type, None) };
        health.insert(name, of_process(process));
    }
    Ok(health)
}

fn of_process(process: Process) -> Health {
    Health {
        ready: process.ready().into(),
        deadline: Some(process.deadline()),
        checks: process.checks,
        asks_own_ports: true,
        watchdog: process.settings.watchdog_seconds.map(Whole::seconds),
        only_tells: true,
    }
}

/// The last message about the readiness of each instance, with the pid that it was about.
#[derive(Debug, Default)]
pub(crate) struct Readiness(BTreeMap<Slot, (u32, String)>);

impl Readiness {
    /// The message about the readiness of an instance, unless it was printed for this process already. An instance that is ready as
    /// soon as it has lived for a second needs no message.
    pub(crate) fn news(&mut self, spec: &Spec, status: &Status) -> Option<String> {
        let pid = status.process.as_ref()?.pid;
        let health = spec.process(&status.slot.process_type)?.health.as_ref()?;
        let is_asked = health.ready != Ready::Alive || health.checks.are_any();
        let told = status.note.as_ref().filter(|note| is_told(note));
        let text = match (status.state, told) {
            (State::Starting | State::Unready, _) => status.reason.clone()?,
            (State::Stopping, _) => status.reason.clone().filter(|reason| is_told(reason))?,
            (State::Running, Some(told)) => told.clone(),
            (State::Running, None) => ready(health, status),
            _ => return None,
        };
        let said = (pid, text.clone());
        let is_news = is_asked && self.0.insert(status.slot.clone(), said.clone()) != Some(said);
        is_news.then_some(text)
    }
}

/// Whether a sentence says what the checks of an instance have found.
fn is_told(text: &str) -> bool {
    TOLD.iter().any(|begin| text.starts_with(begin))
}

fn ready(health: &Health, status: &Status) -> String {
    match status.port.filter(|_| health.ready == Ready::Listening) {
        Some(port) => format!("ready (port {port})"),
        None => "ready".to_owned(),
    }
}
