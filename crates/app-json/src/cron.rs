//! `cron`: commands that run by a schedule.

use type_settings::Setting;

use crate::Error;
use crate::keys::CRON;
use crate::node::Node;
use crate::remark::Remark;

/// The fields of an entry that become settings of a process type, and the names of these settings.
const SETTINGS: [(&str, &str); 2] = [("schedule", "schedule"), ("concurrency_policy", "schedule-overlap")];

/// One entry: a command, and when it runs.
#[derive(Clone, Debug)]
pub struct CronTask {
    /// The command.
    pub command: String,
    /// Its schedule, and what happens if the previous run has not ended, as settings of a process type.
    pub settings: Vec<(&'static Setting, String)>,
    /// Whether the entry is switched off (`maintenance`).
    pub is_off: bool,
}

/// The entries of `cron`. An entry that is null or empty is `None`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks {
    all: Vec<Option<CronTask>>,
    /// The first entry that is not valid. It is refused only if entries are to be run.
    nonsense: Option<Error>,
}

impl Tasks {
    pub(crate) fn read(&mut self, node: &Node<'_>, remarks: &mut Vec<Remark>) -> Result<(), Error> {
        *self = Self::default();
        for entry in node.elements()? {
            let task = self.read_one(&entry, remarks)?;
            self.all.push(task);
        }
        if !node.is_nothing() {
            remarks.push(Remark::unread(&node.place, "let the system's cron or a timer run it"));
        }
        Ok(())
    }

    fn read_one(&mut self, entry: &Node<'_>, remarks: &mut Vec<Remark>) -> Result<Option<CronTask>, Error> {
        let (mut command, mut settings, mut is_off) = (None, Vec::new(), false);
        for (key, field) in entry.fields(CRON, remarks)? {
            match key {
                "command" => command = field.string()?,
                "maintenance" => is_off = field.boolean()?.unwrap_or(false),
                _ => settings.extend(self.setting(key, &field)?),
            }
        }
        let has_schedule = settings.iter().any(|(setting, _)| setting.name == "schedule");
        if command.is_none() && !has_schedule {
            return Ok(None);
        }
        let Some(command) = command.filter(|command| has_schedule && !command.trim().is_empty()) else {
            self.refuse(Error::Name {
                place: entry.place.clone(),
                why: "a command and a schedule are wanted".to_owned(),
            });
            return Ok(None);
        };
        Ok(Some(CronTask { command, settings, is_off }))
    }

    fn setting(&mut self, key: &str, field: &Node<'_>) -> Result<Option<(&'static Setting, String)>, Error> {
        let Some(text) = field.string()?.filter(|text| !text.is_empty()) else { return Ok(None) };
        let named = SETTINGS.iter().find(|(name, _)| *name == key);
        let Some(setting) = named.and_then(|(_, setting)| Setting::named(setting)) else { return Ok(None) };
        if let Some(why) = setting.fault(&text) {
            self.refuse(Error::Name { place: field.place.clone(), why });
        }
        Ok(Some((setting, text)))
    }

    fn refuse(&mut self, error: Error) {
        self.nonsense.get_or_insert(error);
    }

    pub(crate) fn get(&self) -> Result<impl Iterator<Item = (usize, &CronTask)>, Error> {
        match &self.nonsense {
            Some(error) => Err(error.clone()),
            None => Ok((1..).zip(&self.all).filter_map(|(number, task)| Some((number, task.as_ref()?)))),
        }
    }
}
