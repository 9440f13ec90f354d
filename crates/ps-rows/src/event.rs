//! The row of `--format json` of each verb that changes which instances run: an event.

use std::time::Duration;

use balance::Receipt;
use ps_rollout::{Finding, Tally, Verdict};
use serde::Serialize;

/// The subject of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The verb for one app begins, or has ended.
    App,
    /// The change that is planned for an instance, and the reason. All events of this phase come before the first change.
    Plan,
    /// A run of an instance starts.
    Start,
    /// A run of an instance is ended.
    Stop,
    /// The result for an instance in a rollout: the last event of that instance.
    Result,
    /// The comparison of a new release with the earlier one, before the new one takes over.
    Canary,
    /// The connections of an app's clients during a rollout, if the app has an address.
    Receipt,
    /// A message that a person should read.
    Note,
    /// A line that a build or a process such as `release` has written.
    Output,
    /// The verb as a whole: the last object.
    Verb,
}

impl Phase {
    /// All phases, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::App,
        Self::Plan,
        Self::Start,
        Self::Stop,
        Self::Result,
        Self::Canary,
        Self::Receipt,
        Self::Note,
        Self::Output,
        Self::Verb,
    ];

    /// The possible outcomes; empty if there are none.
    pub fn outcomes(self) -> &'static [&'static str] {
        match self {
            Self::App => &["begun", "done", "failed", "cancelled"],
            Self::Plan => &["keep", "start", "stop", "replace"],
            Self::Start => &["begun", "waiting", "done", "failed"],
            Self::Stop | Self::Canary => &["begun", "done", "failed"],
            Self::Result => {
                &["kept", "started", "replaced", "ended", "empty", "restarted", "lost", "stopped"]
            }
            Self::Receipt => &["done", "failed"],
            Self::Note | Self::Output => &[],
            Self::Verb => &["done", "failed", "cancelled"],
        }
    }
}

/// The result of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CanaryRow {
    /// Whether the new release takes over, or why not.
    pub verdict: Verdict,
    /// The counts of the new release.
    pub canary: Tally,
    /// The counts of the control instances, which ran the earlier release.
    pub control: Tally,
}

impl CanaryRow {
    /// The row of a comparison that is over; `None` if it is not.
    pub fn of(finding: &Finding) -> Option<Self> {
        match *finding {
            Finding::Begun(_) => None,
            Finding::Judged { verdict, canary, control, .. } => Some(Self { verdict, canary, control }),
        }
    }
}

/// One event of a verb that changes which instances run. Values that an event does not have are `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventRow<'a> {
    /// The verb.
    pub verb: &'a str,
    /// The subject of the event.
    pub phase: Phase,
    /// The app; null in the last object of a verb for all apps.
    pub app: Option<&'a str>,
    /// The instance, `web.1`.
    pub instance: Option<String>,
    /// The number of the run of that instance, if it is known.
    pub run: Option<u64>,
    /// The outcome: one of [`Phase::outcomes`].
    pub outcome: Option<&'static str>,
    /// For `start` and `stop` how long they have taken for the instance, in milliseconds; otherwise the time since the verb began, for the
    /// app or as a whole.
    pub duration_ms: u64,
    /// The reason for the outcome, or a message; a text for people.
    pub reason: Option<String>,
    /// The numbers of connections, by how they ended. Only in [`Phase::Receipt`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// The counts of both releases. Only in [`Phase::Canary`], after the comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryRow>,
    /// The exit status of the program. Only in the last object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_status: Option<u8>,
}

impl<'a> EventRow<'a> {
    /// The last object of a verb.
    pub fn last(verb: &'a str, took: Duration, exit_status: u8) -> Self {
        Self {
            verb,
            phase: Phase::Verb,
            app: None,
            instance: None,
            run: None,
            outcome: Some(if exit_status == 0 { "done" } else { "failed" }),
            duration_ms: millis(took),
            reason: None,
            receipt: None,
            canary: None,
            exit_status: Some(exit_status),
        }
    }
}

/// A duration in milliseconds, as events and rows have it.
pub fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
