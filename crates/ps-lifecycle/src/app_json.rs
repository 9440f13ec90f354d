//! What we read of app.json (JSONC, contract 5 and 6): formation quantities and startup checks. Other fields are others'.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use jsonc_parser::ParseOptions;
use ps_scheduler::Check;
use serde::Deserialize;

/// The part of an app.json that we read.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct AppJson {
    #[serde(default)]
    formation: BTreeMap<String, FormationEntry>,
    #[serde(default)]
    healthchecks: BTreeMap<String, Vec<HealthCheck>>,
    #[serde(default)]
    scripts: Scripts,
}

#[derive(Debug, Default, Deserialize)]
struct Scripts {
    #[serde(default)]
    dokku: DokkuScripts,
    #[serde(default)]
    postdeploy: String,
}

#[derive(Debug, Default, Deserialize)]
struct DokkuScripts {
    #[serde(default)]
    predeploy: String,
    #[serde(default)]
    postdeploy: String,
}

#[derive(Debug, Deserialize)]
struct FormationEntry {
    quantity: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct HealthCheck {
    #[serde(rename = "type")]
    kind: Option<String>,
    path: Option<String>,
    attempts: Option<u32>,
    timeout: Option<u64>,
    wait: Option<u64>,
    #[serde(default)]
    command: Vec<String>,
    uptime: Option<u64>,
    #[serde(default)]
    warn: bool,
}

impl AppJson {
    /// Reads the file's bytes; an empty file is an empty app.json.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).context("app.json is not UTF-8")?;
        let value: Option<serde_json::Value> =
            jsonc_parser::parse_to_serde_value(text, &ParseOptions::default()).context("app.json")?;
        let Some(value) = value else { return Ok(Self::default()) };
        serde_json::from_value(value).context("app.json")
    }

    /// The counts it asks for, as words `<type>=<count>`.
    pub(crate) fn counts(&self) -> Vec<String> {
        let count = |(name, entry): (&String, &FormationEntry)| Some(format!("{name}={}", entry.quantity?));
        self.formation.iter().filter_map(count).collect()
    }

    /// The first of the scripts that Dokku runs in the app's image around a deploy, by its place in the file.
    pub(crate) fn deploy_script(&self) -> Option<&'static str> {
        let scripts = &self.scripts;
        let places = [
            ("scripts.dokku.predeploy", &scripts.dokku.predeploy),
            ("scripts.dokku.postdeploy", &scripts.dokku.postdeploy),
            ("scripts.postdeploy", &scripts.postdeploy),
        ];
        places.iter().find(|(_, script)| !script.is_empty()).map(|(place, _)| *place)
    }

    /// The startup checks of a type that are asked over the network; those by command or uptime are not ours yet.
    pub(crate) fn startup_checks(&self, process_type: &str) -> Vec<Check> {
        let checks = self.healthchecks.get(process_type).map(Vec::as_slice).unwrap_or_default();
        checks.iter().filter(|check| check.is_asked()).map(HealthCheck::check).collect()
    }
}

impl HealthCheck {
    fn is_asked(&self) -> bool {
        self.kind.as_deref() == Some("startup")
            && self.command.is_empty()
            && self.uptime.is_none()
            && !self.warn
    }

    /// With the defaults of contract 5: 3 attempts, 5 s each, 5 s between them. Zero means default.
    fn check(&self) -> Check {
        let seconds = |given: Option<u64>| Duration::from_secs(given.filter(|n| *n > 0).unwrap_or(5));
        Check {
            path: self.path.clone(),
            attempts: self.attempts.filter(|n| *n > 0).unwrap_or(3),
            timeout: seconds(self.timeout),
            wait: seconds(self.wait),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_allowed_and_defaults_are_dokkus() {
        let text = br#"{ // how many
            "formation": { "web": { "quantity": 2 }, "worker": { "max_parallel": 3 } },
            "healthchecks": { "web": [ { "type": "startup", "path": "/health" }, { "type": "liveness", "path": "/" } ] },
        }"#;
        let app_json = AppJson::parse(text).expect("JSONC");
        assert_eq!(app_json.counts(), ["web=2"]);
        let checks = app_json.startup_checks("web");
        assert_eq!((checks.len(), checks[0].attempts, checks[0].timeout.as_secs()), (1, 3, 5));
    }

    #[test]
    fn scripts_are_known_by_their_place() {
        let of = |text: &str| AppJson::parse(text.as_bytes()).expect("JSON").deploy_script();
        assert_eq!(of(r#"{"scripts": {"dokku": {"postdeploy": "x"}}}"#), Some("scripts.dokku.postdeploy"));
        assert_eq!(of(r#"{"scripts": {"postdeploy": "x"}}"#), Some("scripts.postdeploy"));
        assert_eq!(of(r#"{"scripts": {"dokku": {}}, "formation": {}}"#), None);
    }

    #[test]
    fn an_empty_file_asks_for_nothing_and_garbage_is_an_error() {
        assert!(AppJson::parse(b"").expect("empty").counts().is_empty());
        assert!(AppJson::parse(b"{").is_err());
    }
}
