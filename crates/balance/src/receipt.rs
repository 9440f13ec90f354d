//! The receipt of a rollout: how it affected the clients of the app.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How a rollout affected clients. Its fields are part of journals and events: fields may be added, none is renamed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Receipt {
    /// What is counted in the fields below that say connections.
    pub unit: Unit,
    /// Connections, since the rollout began, to runs that were there before.
    pub before: u64,
    /// Connections to runs that came in.
    pub after: u64,
    /// The same connections, by the number of the release that the run had. A restart has one release before and after.
    pub releases: Vec<OfRelease>,
    /// Connections that no run took; requests that got no answer from any run.
    pub refused: u64,
    /// Connections that their run reset; requests whose answer their run broke off.
    pub broken: u64,
    /// Requests that their run answered with a status of 500 or above.
    pub errors: u64,
    /// Connections that were open when their run was withdrawn, and ended by themselves in time.
    pub drained: u64,
    /// By run: how many connections were open when its time to end them was up.
    pub cut: BTreeMap<String, u64>,
    /// How long clients have waited; `None`: there was no client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latencies>,
    /// Whether `ps-balance` ran from the beginning to the end. If not, its earlier counts are missing, and its
    /// connections were lost.
    pub is_whole: bool,
}

/// What a receipt counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Connections, whose bytes are passed on as they are.
    #[default]
    Connections,
    /// Requests of HTTP.
    Requests,
}

/// `connections`, `requests`.
impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connections => "connections",
            Self::Requests => "requests",
        })
    }
}

/// The connections to runs of one release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfRelease {
    /// Its number.
    pub release: u64,
    /// How many.
    pub connections: u64,
}

/// How long clients have waited for a backend to take their connection; in HTTP for the head of the answer to their request.
/// Microseconds, which may be up to a quarter too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latencies {
    /// The longest, since the rollout began.
    pub worst_us: u64,
    /// The same for the time before the rollout, as far back as `ps-balance` ran; `None` if it did not run, or had no
    /// client.
    pub before: Option<Before>,
}

/// How long clients had waited before the rollout began, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// 99 of 100 at most so long.
    pub p99_us: u64,
    /// The longest.
    pub worst_us: u64,
}

impl Receipt {
    /// How many connections were cut, of all runs.
    pub fn cut_in_all(&self) -> u64 {
        self.cut.values().sum()
    }

    /// Whether no client lost anything by the rollout. An answer of the app with a status of 500 or above is the app's own, and so is a
    /// connection that it resets; a request whose answer was broken off is lost.
    pub fn has_none_failed(&self) -> bool {
        self.is_whole && self.refused == 0 && self.cut_in_all() == 0 && self.broken_requests() == 0
    }

    fn broken_requests(&self) -> u64 {
        match self.unit {
            Unit::Connections => 0,
            Unit::Requests => self.broken,
        }
    }

    /// Whether there is nothing to say: no client has come.
    pub fn is_empty(&self) -> bool {
        self.has_none_failed() && self.before + self.after == 0
    }

    /// What failed, for people: `1 refused, 3 cut (web.1@1: 3)`; `none failed`; of requests `1 without an answer, 0 broken off, 3 cut`.
    pub fn failures(&self) -> String {
        if self.has_none_failed() {
            let others = if self.of_the_app() > 0 { "no other " } else { "none " };
            return format!("{others}failed");
        }
        let cut: Vec<String> = self.cut.iter().map(|(run, count)| format!("{run}: {count}")).collect();
        let runs = if cut.is_empty() { String::new() } else { format!(" ({})", cut.join(", ")) };
        let lack = if self.is_whole {
            ""
        } else {
            "; ps-balance ended meanwhile, and what it had counted is missing"
        };
        let Self { refused, broken, .. } = self;
        let lost = match self.unit {
            Unit::Connections => format!("{refused} refused"),
            Unit::Requests => format!("{refused} without an answer, {broken} broken off"),
        };
        format!("{lost}, {} cut{runs}{lack}", self.cut_in_all())
    }

    /// How often the app itself failed a client in a way that has nothing to do with the rollout.
    fn of_the_app(&self) -> u64 {
        match self.unit {
            Unit::Connections => self.broken,
            Unit::Requests => self.errors,
        }
    }
}

/// `connections: 20 to earlier instances, 30 to new ones, 1 refused, 3 cut (web.1@1: 3)`;
/// `requests: 20 to earlier instances, 30 to new ones, 4 answered by the app with a status of 500 or above, no other failed`.
impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { before, after, drained, .. } = self;
        let of_the_app = match self.unit {
            Unit::Connections => "reset by the app",
            Unit::Requests => "answered by the app with a status of 500 or above",
        };
        write!(f, "{}: {before} to earlier instances, {after} to new ones, ", self.unit)?;
        if *drained > 0 {
            write!(f, "{drained} drained, ")?;
        }
        if let Some(latency) = self.latency {
            write!(f, "{latency}, ")?;
        }
        if self.of_the_app() > 0 {
            write!(f, "{} {of_the_app}, ", self.of_the_app())?;
        }
        f.write_str(&self.failures())
    }
}

/// `worst latency 12.5 ms (before: 99 of 100 within 1.2 ms, worst 8 ms)`.
impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worst latency {} (before: ", milliseconds(self.worst_us))?;
        match self.before {
            Some(Before { p99_us, worst_us }) => {
                write!(f, "99 of 100 within {}, worst {})", milliseconds(p99_us), milliseconds(worst_us))
            }
            None => f.write_str("not known)"),
        }
    }
}

/// `0.2 ms`; whole ones from ten on.
fn milliseconds(micros: u64) -> String {
    let tenths = micros.div_ceil(100);
    if tenths < 100 {
        format!("{}.{} ms", tenths / 10, tenths % 10)
    } else {
        format!("{} ms", tenths.div_ceil(10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_a_line_and_has_no_words_for_what_did_not_happen() {
        let mut receipt = Receipt { before: 1, after: 2, is_whole: true, ..Receipt::default() };
        assert_eq!(receipt.to_string(), "connections: 1 to earlier instances, 2 to new ones, none failed");
        (receipt.drained, receipt.refused) = (4, 1);
        receipt.cut = [("web.1@1".to_owned(), 3)].into();
        assert_eq!(
            receipt.to_string(),
            "connections: 1 to earlier instances, 2 to new ones, 4 drained, 1 refused, 3 cut (web.1@1: 3)"
        );
        assert!(!receipt.has_none_failed() && !receipt.is_empty());
        receipt.cut.clear();
        let latency = |before| Some(Latencies { worst_us: 12_345, before });
        receipt.latency = latency(Some(Before { p99_us: 110, worst_us: 9_950 }));
        assert_eq!(
            receipt.to_string(),
            "connections: 1 to earlier instances, 2 to new ones, 4 drained, worst latency 13 ms (before: 99 of 100 within 0.2 ms, worst 10 ms), 1 refused, 0 cut"
        );
        receipt.latency = latency(None);
        assert!(
            receipt.to_string().contains("worst latency 13 ms (before: not known), 1 refused"),
            "{receipt}"
        );
        receipt = Receipt::default();
        assert!(!receipt.has_none_failed(), "it is not known");
        receipt.is_whole = true;
        assert!(receipt.is_empty());
    }

    #[test]
    fn what_the_app_itself_answers_or_resets_is_said_and_fails_no_rollout() {
        let usual = Receipt { before: 20, after: 30, is_whole: true, ..Receipt::default() };
        let mut receipt = Receipt { unit: Unit::Requests, errors: 4, ..usual.clone() };
        let of_http = "requests: 20 to earlier instances, 30 to new ones, 4 answered by the app with a status of 500 or above";
        assert_eq!(receipt.to_string(), format!("{of_http}, no other failed"));
        assert!(receipt.has_none_failed());
        receipt.broken = 1;
        assert_eq!(
            receipt.to_string(),
            format!("{of_http}, 0 without an answer, 1 broken off, 0 cut"),
            "a client got half of an answer"
        );
        assert!(!receipt.has_none_failed());
        receipt = Receipt { broken: 2, ..usual };
        assert_eq!(
            receipt.to_string(),
            "connections: 20 to earlier instances, 30 to new ones, 2 reset by the app, no other failed"
        );
        assert!(receipt.has_none_failed());
    }

    #[test]
    fn a_receipt_of_an_earlier_version_counts_connections() {
        let receipt: Receipt =
            serde_json::from_str(r#"{"before":1,"after":2,"is_whole":true}"#).expect("one");
        assert_eq!((receipt.unit, receipt.errors, receipt.broken), (Unit::Connections, 0, 0));
    }
}
