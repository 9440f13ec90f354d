//! `healthchecks`: those that are asked over the network when an instance starts, and remarks about all others.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Error;
use crate::keys::{HEADER, HEALTHCHECK, ON_FAILURE};
use crate::node::Node;
use crate::remark::Remark;

const STARTUP: &str = "startup";
/// What is larger was not meant; a clock can still add it.
const MAX_SECONDS: i64 = 86_400;
const MAX_ATTEMPTS: i64 = 1_000_000;

/// One entry of `healthchecks.<type>`.
#[derive(Clone, Debug, Default)]
pub struct HealthCheck {
    place: String,
    kind: Option<String>,
    path: String,
    attempts: i64,
    timeout: i64,
    wait: i64,
    command: Vec<String>,
    uptime: i64,
    warn: bool,
    scheme: String,
    /// Keys that ask for something, and are not heeded in a check that is asked.
    unheeded: Vec<(String, &'static str)>,
}

/// Reads on into what an earlier `healthchecks` of the same file said, as Go does.
pub(crate) fn read(
    node: &Node<'_>,
    checks: &mut BTreeMap<String, Vec<HealthCheck>>,
    remarks: &mut Vec<Remark>,
) -> Result<(), Error> {
    for (name, list) in node.members()? {
        let of_type: Vec<HealthCheck> = list
            .elements()?
            .iter()
            .map(|entry| HealthCheck::read(entry, remarks))
            .collect::<Result<_, _>>()?;
        if checks.insert(name.to_owned(), of_type).is_some() {
            remarks.push(Remark::Twice { place: list.place });
        }
    }
    Ok(())
}

impl HealthCheck {
    /// The path of a GET that must answer 2xx; `None`: the port must accept.
    pub fn path(&self) -> Option<&str> {
        Some(self.path.as_str()).filter(|path| !path.is_empty())
    }

    /// Tries before it has failed: 3, unless more than 0 are asked for.
    pub fn attempts(&self) -> u32 {
        let asked = Some(self.attempts.min(MAX_ATTEMPTS)).filter(|attempts| *attempts > 0);
        asked.and_then(|attempts| u32::try_from(attempts).ok()).unwrap_or(3)
    }

    /// How long one try may take: 5 s, unless more than 0 are asked for.
    pub fn timeout(&self) -> Duration {
        seconds(self.timeout)
    }

    /// How long to wait between tries: 5 s, unless more than 0 are asked for.
    pub fn wait(&self) -> Duration {
        seconds(self.wait)
    }

    /// Whether it is asked over the network when an instance starts.
    pub(crate) fn is_asked(&self) -> bool {
        self.not_asked().is_none()
    }

    /// Why it is not asked.
    fn not_asked(&self) -> Option<&'static str> {
        match self.kind.as_deref() {
            Some(STARTUP) => {}
            None | Some("") => return Some("it has no type, and only those of type startup are made"),
            Some(_) => return Some("only checks of type startup are made"),
        }
        match () {
            () if !self.command.is_empty() => Some("a check by command is not made"),
            () if self.uptime > 0 => Some("a check by uptime is not made"),
            () if self.warn => Some("a check that only warns is not made"),
            () if !matches!(self.scheme.to_ascii_lowercase().as_str(), "" | "http") => {
                Some("a check by another scheme than http is not made")
            }
            () => None,
        }
    }

    /// What of it is not done.
    pub(crate) fn remarks(&self) -> Vec<Remark> {
        match self.not_asked() {
            Some(why) => vec![Remark::unread(&self.place, why)],
            None => self.unheeded.iter().map(|(place, why)| Remark::unread(place, why)).collect(),
        }
    }

    fn read(node: &Node<'_>, remarks: &mut Vec<Remark>) -> Result<Self, Error> {
        let mut check = Self { place: node.place.clone(), ..Self::default() };
        for (key, field) in node.fields(HEALTHCHECK, remarks)? {
            check.take(key, &field, remarks)?;
        }
        let is_odd = |c: char| c.is_whitespace() || c.is_control();
        if check.is_asked()
            && !check.path.is_empty()
            && (!check.path.starts_with('/') || check.path.contains(is_odd))
        {
            let got = format!("{:?}", check.path.chars().take(60).collect::<String>());
            let place = format!("{}.path", check.place);
            return Err(Error::Value { place, wanted: "a path that begins with / and has no blanks", got });
        }
        Ok(check)
    }

    fn take(&mut self, key: &str, field: &Node<'_>, remarks: &mut Vec<Remark>) -> Result<(), Error> {
        match key {
            "type" => self.kind = field.string()?,
            "path" => self.path = field.string()?.unwrap_or_default(),
            "scheme" => self.scheme = field.string()?.unwrap_or_default(),
            "attempts" => self.attempts = field.whole_number()?.unwrap_or_default(),
            "timeout" => self.timeout = field.whole_number()?.unwrap_or_default(),
            "wait" => self.wait = field.whole_number()?.unwrap_or_default(),
            "uptime" => self.uptime = field.whole_number()?.unwrap_or_default(),
            "command" => self.command = field.strings()?,
            "warn" => self.warn = field.boolean()?.unwrap_or_default(),
            _ => self.take_unheeded(key, field, remarks)?,
        }
        Ok(())
    }

    /// Keys that are judged and do nothing.
    fn take_unheeded(&mut self, key: &str, field: &Node<'_>, remarks: &mut Vec<Remark>) -> Result<(), Error> {
        let why = match key {
            "name" => {
                field.string()?;
                return Ok(());
            }
            "listening" => {
                field.boolean()?;
                return Ok(());
            }
            "content" => field
                .string()?
                .filter(|text| !text.is_empty())
                .map(|_| "what the answer holds is not looked at"),
            "port" => {
                field.whole_number()?.filter(|port| *port > 0).map(|_| "an instance is asked at its PORT")
            }
            "initialDelay" => {
                field.whole_number()?.filter(|delay| *delay > 0).map(|_| "the first try is made at once")
            }
            "httpHeaders" => headers(field, remarks)?.then_some("no headers are added"),
            "onFailure" => {
                on_failure(field, remarks)?.then_some("nothing is run or called when a check fails")
            }
            _ => None,
        };
        self.unheeded.extend(why.map(|why| (field.place.clone(), why)));
        Ok(())
    }
}

/// Whether there are any.
fn headers(node: &Node<'_>, remarks: &mut Vec<Remark>) -> Result<bool, Error> {
    for header in node.elements()? {
        for (_, field) in header.fields(HEADER, remarks)? {
            field.string()?;
        }
    }
    Ok(!node.is_nothing())
}

/// Whether something is to be done.
fn on_failure(node: &Node<'_>, remarks: &mut Vec<Remark>) -> Result<bool, Error> {
    for (key, field) in node.fields(ON_FAILURE, remarks)? {
        if key == "command" {
            field.strings()?;
        } else {
            field.string()?;
        }
    }
    Ok(!node.is_nothing())
}

fn seconds(asked: i64) -> Duration {
    let asked = Some(asked.min(MAX_SECONDS)).filter(|seconds| *seconds > 0);
    Duration::from_secs(asked.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(5))
}
