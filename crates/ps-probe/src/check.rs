//! A check. It names no instance, so the same check is used for each instance of a type.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One of app.json's `healthchecks` (docs/checks.md lists the keys that are read). Displays as the behaviour that it demands
/// of an instance: `listen on its port`, or `answer GET /up with 2xx`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Check {
    /// The kind of the check.
    pub ask: Ask,
    /// After how many failed attempts in a row the check has failed, at least 1. A [`crate::Probe`] is one attempt.
    pub attempts: u32,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How long to wait between attempts.
    pub wait: Duration,
    /// How long after the start it is run for the first time.
    pub initial_delay: Duration,
    /// Whether its failure is only reported.
    pub only_warns: bool,
    /// The command that is run when the check has failed, in the environment of the instance; empty if there is none.
    pub on_failure: Vec<String>,
    /// The port of the instance that is checked; `None`: its `PORT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// The kind of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// A process of the instance must listen on the port.
    Listen,
    /// A GET must be answered.
    Get(Get),
    /// A command must end with status 0.
    Run(Vec<String>),
    /// The instance has lived for this long.
    Live(Duration),
}

/// A GET request that must be answered with 2xx.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Get {
    /// The protocol.
    #[serde(default, skip_serializing_if = "Scheme::is_http")]
    pub scheme: Scheme,
    /// Its path.
    pub path: String,
    /// Headers in addition to those that every request has, or in their place.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// What the body must contain; empty: anything.
    #[serde(default)]
    pub content: String,
}

/// The protocol of a GET.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Plain HTTP.
    #[default]
    Http,
    /// HTTP over TLS, with any certificate of the server.
    Https,
}

impl Scheme {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_http(&self) -> bool {
        *self == Self::Http
    }
}

impl Get {
    /// The name in its header `Host`, without the port.
    pub fn host(&self) -> Option<&str> {
        let (_, host) = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"))?;
        let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        Some(name.map_or(host.as_str(), |(name, _)| name))
    }
}

impl Check {
    /// The message about a check that has failed this number of times, the last time for this reason: `did not listen on its
    /// port in 3 attempts (nobody listens there)`.
    pub fn failure(&self, tries: u32, reason: &str) -> String {
        match tries {
            1 => format!("did not {self} in 1 attempt ({reason})"),
            tries => format!("did not {self} in {tries} attempts ({reason})"),
        }
    }

    /// The longest time that all attempts together may take.
    pub fn longest(&self) -> Duration {
        let tries = self.timeout.saturating_mul(self.attempts);
        let pauses = self.wait.saturating_mul(self.attempts.saturating_sub(1));
        let life = if let Ask::Live(life) = self.ask { life } else { Duration::ZERO };
        self.initial_delay.saturating_add(tries).saturating_add(pauses).max(life)
    }
}

impl Check {
    /// Whether the check runs a command, be it only after it has failed.
    pub(crate) fn runs_a_command(&self) -> bool {
        matches!(self.ask, Ask::Run(_)) || !self.on_failure.is_empty()
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.ask {
            Ask::Listen => match self.port {
                Some(port) => write!(f, "listen on port {port}"),
                None => f.write_str("listen on its port"),
            },
            Ask::Get(get) => {
                write!(f, "answer GET {}", get.path)?;
                if get.scheme == Scheme::Https {
                    f.write_str(" by https")?;
                }
                if let Some(port) = self.port {
                    write!(f, " on port {port}")?;
                }
                f.write_str(" with 2xx")?;
                if get.content.is_empty() { Ok(()) } else { write!(f, " and {:?}", get.content) }
            }
            Ask::Run(words) => write!(f, "pass the check `{}`", words.join(" ")),
            Ask::Live(life) => write!(f, "live for {} s", life.as_secs()),
        }
    }
}

/// The format in files. A version with only two kinds of checks wrote a path, or none, in place of the kind.
#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    ask: Option<Ask>,
    #[serde(default)]
    path: Option<String>,
    attempts: u32,
    timeout: Duration,
    wait: Duration,
    #[serde(default)]
    initial_delay: Duration,
    #[serde(default)]
    only_warns: bool,
    #[serde(default)]
    on_failure: Vec<String>,
    #[serde(default)]
    port: Option<u16>,
}

impl From<Written> for Check {
    fn from(written: Written) -> Self {
        let Written { ask, path, attempts, timeout, wait, initial_delay, only_warns, on_failure, port } =
            written;
        let earlier = || path.map_or(Ask::Listen, |path| Ask::Get(Get { path, ..Get::default() }));
        let ask = ask.unwrap_or_else(earlier);
        Self { ask, attempts, timeout, wait, initial_delay, only_warns, on_failure, port }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_an_earlier_version_wrote_is_the_same_check() {
        let text = r#"{"path": PATH, "attempts": 3, "timeout": {"secs": 5, "nanos": 0}, "wait": {"secs": 2, "nanos": 0}}"#;
        let read = |path: &str| -> Check {
            serde_json::from_str(&text.replace("PATH", path)).expect("a check of an earlier version")
        };
        assert_eq!(read("null").ask, Ask::Listen);
        let get = read(r#""/up""#);
        assert_eq!(get.ask, Ask::Get(Get { path: "/up".to_owned(), ..Get::default() }));
        assert_eq!(get.longest(), Duration::from_secs(3 * 5 + 2 * 2));
        let again: Check =
            serde_json::from_str(&serde_json::to_string(&get).expect("JSON")).expect("a check");
        assert_eq!(again, get);
    }
}
