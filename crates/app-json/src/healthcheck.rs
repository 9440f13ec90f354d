//! `healthchecks`: the checks of an instance, at its start and afterwards, and remarks about checks that are not made.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Error;
use crate::keys::{HEADER, HEALTHCHECK, ON_FAILURE};
use crate::node::Node;
use crate::remark::Remark;

/// The beginning of the name of a check that was a line of a file `CHECKS`; the number of the line follows.
pub(crate) const OF_A_FILE: &str = "CHECKS:";

/// The longest time that makes sense, in seconds: one day.
const MAX_SECONDS: i64 = 86_400;
const MAX_ATTEMPTS: i64 = 1_000_000;
const SECONDS: Range = Range { highest: MAX_SECONDS, wanted: "whole seconds, 0 to 86,400," };
const TIMES: Range = Range { highest: MAX_ATTEMPTS, wanted: "a whole number from 0 to 1,000,000" };
const PORTS: Range = Range { highest: 65_535, wanted: "a port, 0 to 65,535," };
const USUAL_SECONDS: u64 = 5;
/// How often a running instance is checked if the file does not say so, in seconds.
const USUAL_INTERVAL: u64 = 10;

/// The numbers that a field may have. 0 means the default.
struct Range {
    highest: i64,
    wanted: &'static str,
}

/// When a check is made, and what follows if it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Before an instance counts as ready.
    Startup,
    /// While the instance runs. If the check fails, the instance is restarted.
    Liveness,
    /// While the instance runs. If the check fails, the instance is not ready, and goes on running.
    Readiness,
}

/// One entry of `healthchecks.<type>`.
#[derive(Clone, Debug, Default)]
pub struct HealthCheck {
    place: String,
    name: String,
    kind: Option<String>,
    path: String,
    content: String,
    headers: Vec<(String, String)>,
    attempts: i64,
    threshold: i64,
    timeout: i64,
    wait: i64,
    interval: i64,
    initial_delay: i64,
    command: Vec<String>,
    on_failure: Vec<String>,
    uptime: i64,
    warn: bool,
    port: i64,
    scheme: String,
    /// Keys that have no effect although the check is made, each with the reason.
    unheeded: Vec<(String, &'static str)>,
    /// The first number that is out of range. Dokku's decoder takes it.
    nonsense: Option<Error>,
}

/// Adds the values of another `healthchecks` of the same file to those read before, as Go's decoder does.
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
    /// Whether the check was a line of a file `CHECKS`.
    pub(crate) fn is_of_a_file(&self) -> bool {
        self.name.starts_with(OF_A_FILE)
    }

    /// When the check is made; `None` if it never is.
    pub fn kind(&self) -> Option<Kind> {
        self.known_kind().filter(|_| self.is_asked())
    }

    /// The command that must end with status 0; empty if no command is run.
    pub fn command(&self) -> &[String] {
        &self.command
    }

    /// How long an instance must have been running, if the check consists only of that.
    pub fn uptime(&self) -> Option<Duration> {
        (self.uptime > 0).then(|| seconds(self.uptime, 0))
    }

    /// The path of a GET request that must be answered with 2xx. `None`: it is enough that something listens on the
    /// port.
    pub fn path(&self) -> Option<&str> {
        let is_get = !self.content.is_empty() || !self.headers.is_empty();
        Some(self.path.as_str()).filter(|path| !path.is_empty()).or(is_get.then_some("/"))
    }

    /// Whether the GET request is made in a session of TLS.
    pub fn is_https(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("https")
    }

    /// The text that the body of the answer must contain; empty if any body will do.
    pub fn content(&self) -> &str {
        &self.content
    }

    /// Headers of the request, as name and value.
    pub fn headers(&self) -> &[(String, String)] {
        &self.headers
    }

    /// The port that is checked; `None`: the instance's `PORT`.
    pub fn port(&self) -> Option<u16> {
        u16::try_from(self.port).ok().filter(|port| *port > 0)
    }

    /// How many failures in a row make the check fail: `attempts`, or 3 if that is not above 0. For liveness and
    /// readiness `threshold` takes precedence.
    pub fn attempts(&self) -> u32 {
        let own = if self.goes_on() && self.threshold > 0 { self.threshold } else { self.attempts };
        let asked = Some(own.min(MAX_ATTEMPTS)).filter(|attempts| *attempts > 0);
        asked.and_then(|attempts| u32::try_from(attempts).ok()).unwrap_or(3)
    }

    /// How long one attempt may take: `timeout`, or 5 s if that is not above 0.
    pub fn timeout(&self) -> Duration {
        seconds(self.timeout, USUAL_SECONDS)
    }

    /// The pause between two attempts: `wait`, or 5 s if that is not above 0. For liveness and readiness `interval`
    /// takes precedence, and the default is 10 s.
    pub fn wait(&self) -> Duration {
        match (self.goes_on(), self.interval > 0) {
            (true, true) => seconds(self.interval, USUAL_INTERVAL),
            (true, false) => seconds(self.wait, USUAL_INTERVAL),
            (false, _) => seconds(self.wait, USUAL_SECONDS),
        }
    }

    /// How long after the start of the instance, or after it became ready, the first attempt is made.
    pub fn initial_delay(&self) -> Duration {
        seconds(self.initial_delay, 0)
    }

    /// Whether a failure is reported without any other consequence.
    pub fn only_warns(&self) -> bool {
        self.warn
    }

    /// The command that is run when the check has failed; empty if there is none.
    pub fn on_failure(&self) -> &[String] {
        &self.on_failure
    }

    /// Refuses a check that is made if one of its numbers is out of range.
    pub(crate) fn judge(&self) -> Result<(), Error> {
        let nonsense = self.nonsense.as_ref().filter(|_| self.is_asked());
        nonsense.map_or(Ok(()), |error| Err(error.clone()))
    }

    fn known_kind(&self) -> Option<Kind> {
        match self.kind.as_deref()? {
            "startup" => Some(Kind::Startup),
            "liveness" => Some(Kind::Liveness),
            "readiness" => Some(Kind::Readiness),
            _ => None,
        }
    }

    fn goes_on(&self) -> bool {
        self.known_kind().is_some_and(|kind| kind != Kind::Startup)
    }

    fn is_asked(&self) -> bool {
        self.not_asked().is_none()
    }

    /// Why the check is not made; `None` if it is.
    fn not_asked(&self) -> Option<&'static str> {
        match self.known_kind() {
            Some(_) => {}
            None if self.kind.as_ref().is_none_or(String::is_empty) => {
                return Some("it has no type: startup, liveness or readiness");
            }
            None => return Some("only checks of type startup, liveness and readiness are made"),
        }
        match () {
            () if !self.command.is_empty() => None,
            () if self.uptime > 0 && self.goes_on() => Some("only a startup check looks at the uptime"),
            () if !matches!(self.scheme.to_ascii_lowercase().as_str(), "" | "http" | "https") => {
                Some("only checks by http and https are made: a `command` may ask by another scheme")
            }
            () => None,
        }
    }

    /// Remarks about the parts of the check that have no effect.
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
            "attempts" => self.attempts = self.number(field, &TIMES)?,
            "threshold" => self.threshold = self.number(field, &TIMES)?,
            "timeout" => self.timeout = self.number(field, &SECONDS)?,
            "wait" => self.wait = self.number(field, &SECONDS)?,
            "interval" => self.interval = self.number(field, &SECONDS)?,
            "initialDelay" => self.initial_delay = self.number(field, &SECONDS)?,
            "uptime" => self.uptime = self.number(field, &SECONDS)?,
            "command" => self.command = field.strings()?,
            "content" => self.content = field.string()?.unwrap_or_default(),
            "httpHeaders" => self.headers = headers(field, remarks)?,
            "port" => self.port = self.number(field, &PORTS)?,
            "warn" => self.warn = field.boolean()?.unwrap_or_default(),
            _ => self.take_unheeded(key, field, remarks)?,
        }
        Ok(())
    }

    /// Reads any number. A number out of range is recorded, and refused only if the check is made.
    fn number(&mut self, field: &Node<'_>, range: &Range) -> Result<i64, Error> {
        let number = field.whole_number()?.unwrap_or_default();
        if !(0..=range.highest).contains(&number) {
            self.nonsense.get_or_insert_with(|| field.refuse(range.wanted));
        }
        Ok(number)
    }

    /// Checks the values of keys that have no effect.
    fn take_unheeded(&mut self, key: &str, field: &Node<'_>, remarks: &mut Vec<Remark>) -> Result<(), Error> {
        let why = match key {
            "name" => {
                self.name = field.string()?.unwrap_or_default();
                return Ok(());
            }
            "listening" => {
                field.boolean()?;
                return Ok(());
            }
            "onFailure" => {
                let (command, has_url) = on_failure(field, remarks)?;
                self.on_failure = command;
                has_url.then_some("no url is called when a check fails")
            }
            _ => None,
        };
        self.unheeded.extend(why.map(|why| (field.place.clone(), why)));
        Ok(())
    }
}

/// Name and value of each header.
fn headers(node: &Node<'_>, remarks: &mut Vec<Remark>) -> Result<Vec<(String, String)>, Error> {
    let mut headers = Vec::new();
    for header in node.elements()?.into_iter().filter(|header| !header.is_nothing()) {
        let (mut name, mut value) = (String::new(), String::new());
        for (key, field) in header.fields(HEADER, remarks)? {
            let text = field.string()?.unwrap_or_default();
            if key == "name" { name = text } else { value = text }
        }
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) || value.contains(char::is_control) {
            return Err(header.refuse_content("a header of one line, with its name and its value,"));
        }
        headers.push((name, value));
    }
    Ok(headers)
}

/// The command of `onFailure`, and whether it also calls a URL.
fn on_failure(node: &Node<'_>, remarks: &mut Vec<Remark>) -> Result<(Vec<String>, bool), Error> {
    let (mut command, mut has_url) = (Vec::new(), false);
    for (key, field) in node.fields(ON_FAILURE, remarks)? {
        if key == "command" {
            command = field.strings()?;
        } else {
            has_url = field.string()?.is_some_and(|url| !url.is_empty());
        }
    }
    Ok((command, has_url))
}

fn seconds(asked: i64, usual: u64) -> Duration {
    let asked = Some(asked.min(MAX_SECONDS)).filter(|seconds| *seconds > 0);
    Duration::from_secs(asked.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(usual))
}

#[cfg(test)]
mod tests {
    use crate::AppJson;

    fn judged(check: &str) -> Result<(), String> {
        let text = format!(r#"{{"healthchecks": {{"web": [{{}}, {check}]}}}}"#);
        let app_json = AppJson::parse(text.as_bytes()).expect("Dokku's decoder takes it");
        app_json.judge_checks("web").map_err(|error| error.to_string())
    }

    #[test]
    fn a_number_that_makes_no_sense_is_judged_where_its_check_is_asked() {
        for (number, wanted) in [
            (
                r#""timeout": -1"#,
                "healthchecks.web[1].timeout: whole seconds, 0 to 86,400, is wanted, not -1",
            ),
            (
                r#""wait": 86401"#,
                "healthchecks.web[1].wait: whole seconds, 0 to 86,400, is wanted, not 86401",
            ),
            (
                r#""attempts": 1000001, "timeout": -1"#,
                "healthchecks.web[1].attempts: a whole number from 0 to 1,000,000 is wanted, not 1000001",
            ),
        ] {
            assert_eq!(judged(&format!(r#"{{"type": "startup", {number}}}"#)), Err(wanted.to_owned()));
            assert_eq!(judged(&format!(r#"{{"type": "", {number}}}"#)), Ok(()), "nobody makes this check");
        }
        let fine = r#"{"type": "liveness", "attempts": 0, "threshold": 1000000, "interval": 86400, "initialDelay": 0}"#;
        assert_eq!(judged(fine), Ok(()));
    }
}
