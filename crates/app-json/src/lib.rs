//! Reads app.json as Dokku's decoder does: JSON with comments and trailing commas, keys in upper or lower case, null
//! for "not set", and the last of two equal keys. What that decoder refuses is refused here, with its place in the
//! file. Keys that have no effect become remarks, which a deploy prints. The crate reads no file, runs nothing and
//! knows no app.

mod checks_file;
mod cron;
mod document;
mod error;
mod healthcheck;
mod keys;
mod node;
mod of_type;
mod of_types;
mod remark;
mod scripts;

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use formation::{ProcessType, Quantity};
use ps_rollout::Strategy;
use type_settings::{Setting, TypeSettings};

pub use checks_file::with_checks_file;
pub use cron::CronTask;
pub use error::Error;
pub use healthcheck::{HealthCheck, Kind};
pub use of_types::with_types_of;
pub use remark::Remark;
pub use scripts::Script;

use crate::cron::Tasks;
use crate::keys::TOP;
use crate::node::Node;
use crate::of_type::OfType;
use crate::scripts::Scripts;

/// The part of an app.json that Formation acts on, and remarks about the rest.
#[derive(Clone, Debug, Default)]
pub struct AppJson {
    formation: BTreeMap<String, OfType>,
    healthchecks: BTreeMap<String, Vec<HealthCheck>>,
    scripts: Scripts,
    tasks: Tasks,
    remarks: Vec<Remark>,
}

impl AppJson {
    /// Reads the bytes of a file. An empty file is an empty app.json.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let text = procfile::text(bytes)?;
        let mut app_json = Self::default();
        let Some(value) = document::parse(text)? else { return Ok(app_json) };
        let mut remarks = Vec::new();
        for (key, node) in Node::root(&value, text).fields(TOP, &mut remarks)? {
            match key {
                "formation" => of_type::read(&node, &mut app_json.formation, &mut remarks)?,
                "healthchecks" => healthcheck::read(&node, &mut app_json.healthchecks, &mut remarks)?,
                "scripts" => app_json.scripts.read(&node, &mut remarks)?,
                "cron" => app_json.tasks.read(&node, &mut remarks)?,
                _ => {}
            }
        }
        app_json.scripts.remark(&mut remarks);
        let all = app_json.healthchecks.values().flatten();
        remarks.extend(all.flat_map(HealthCheck::remarks));
        app_json.remarks = remarks;
        Ok(app_json)
    }

    /// The counts in the file, sorted by type; empty if there are none. An invalid name of a process type, and a
    /// count below 0 or above 10,000, are refused here although Dokku's decoder accepts them.
    pub fn formation(&self) -> Result<Vec<(ProcessType, Quantity)>, Error> {
        let entries = self.formation.iter().filter_map(|(name, of_type)| Some((name, of_type.quantity?)));
        entries.map(|(name, quantity)| of_type::judge(name, quantity)).collect()
    }

    /// The order of old and new instances of a process type in a deploy, if the file sets it.
    pub fn strategy(&self, process_type: &str) -> Option<Strategy> {
        self.formation.get(process_type)?.strategy
    }

    /// How many instances of a process type are brought up at a time, if the file sets it. As for Dokku, a number
    /// below 1 counts as not set.
    pub fn max_parallel(&self, process_type: &str) -> Option<NonZeroU16> {
        self.formation.get(process_type)?.max_parallel
    }

    /// The settings of a process type, each with its value as text.
    ///
    /// # Errors
    /// A value is not valid; the error names its place: `formation.web.stop_timeout_seconds`.
    pub fn settings(&self, process_type: &str) -> Result<&[(&'static Setting, String)], Error> {
        match self.formation.get(process_type) {
            Some(OfType { nonsense: Some(error), .. }) => Err(error.clone()),
            Some(of_type) => Ok(&of_type.settings),
            None => Ok(&[]),
        }
    }

    /// The settings of a process type as values. What the file does not set is left unset.
    ///
    /// # Errors
    /// The same as of [`Self::settings`].
    pub fn type_settings(&self, process_type: &str) -> Result<TypeSettings, Error> {
        let mut settings = TypeSettings::default();
        for (setting, text) in self.settings(process_type)? {
            // The text was checked when the file was read.
            let _ = setting.take(text, &mut settings);
        }
        Ok(settings)
    }

    /// The process types that `formation` names, sorted.
    pub fn formation_types(&self) -> impl Iterator<Item = &str> {
        self.formation.keys().map(String::as_str)
    }

    /// The process types for which the file has settings, sorted.
    pub fn types_with_settings(&self) -> impl Iterator<Item = &str> {
        let has_any = |(_, of_type): &(&String, &OfType)| !of_type.settings.is_empty();
        self.formation.iter().filter(has_any).map(|(name, _)| name.as_str())
    }

    /// The commands of `cron` that run by a schedule, each with its number in the file, from 1.
    ///
    /// # Errors
    /// An entry is not valid; the error names its place: `cron[0].schedule`.
    pub fn cron(&self) -> Result<impl Iterator<Item = (usize, &CronTask)>, Error> {
        self.tasks.get()
    }

    /// The command line of a script; `None` if the file has none.
    pub fn script(&self, script: Script) -> Option<&str> {
        self.scripts.get(script)
    }

    /// The place in the file of the first script that Dokku would run in the app's image around a deploy.
    pub fn deploy_script(&self) -> Option<&'static str> {
        self.scripts.first()
    }

    /// The checks of a process type, each with its kind, which says when it is made.
    pub fn checks(&self, process_type: &str) -> impl Iterator<Item = (Kind, &HealthCheck)> {
        let checks = self.healthchecks.get(process_type).into_iter().flatten();
        checks.filter_map(|check| Some((check.kind()?, check)))
    }

    /// Whether its checks were those of a file `CHECKS`.
    pub fn has_checks_of_a_file(&self) -> bool {
        self.healthchecks.values().flatten().any(HealthCheck::is_of_a_file)
    }

    /// Whether the checks of a process type can be made as they are written.
    ///
    /// # Errors
    /// A number is not valid; the error names its place: `healthchecks.web[0].timeout`.
    pub fn judge_checks(&self, process_type: &str) -> Result<(), Error> {
        self.healthchecks.get(process_type).into_iter().flatten().try_for_each(HealthCheck::judge)
    }

    /// The process types that have checks of any kind, sorted.
    pub fn checked_types(&self) -> impl Iterator<Item = &str> {
        self.healthchecks.iter().filter(|(_, checks)| !checks.is_empty()).map(|(name, _)| name.as_str())
    }

    /// Remarks about keys that have no effect, and about values that may surprise, in the order of the file.
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }
}

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests;
