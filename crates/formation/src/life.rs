//! The steps in the life of an instance's process, as its supervisor sees them. Each becomes a line of the app's
//! journal.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Exit, Slot};

/// One step in the life of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifeEvent {
    /// The step.
    pub step: LifeStep,
    /// The run.
    pub run: u64,
    /// How its process ended, for [`LifeStep::Exit`]; absent if that is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// Why its process ended, for [`LifeStep::Exit`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<EndCause>,
    /// How long its process had lived, in milliseconds, for [`LifeStep::Exit`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lived_ms: Option<u64>,
    /// After about how many milliseconds it will be started again, for [`LifeStep::Backoff`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// How often the process has ended in a row without having been stable. The restart policy decides by this
    /// number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deaths: Option<u32>,
    /// Why, for people: the failed check with its answer, or the reason for which the process could not be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many steps of the same slot were left out before this one, because there were too many of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u32,
}

impl LifeEvent {
    /// A step of a run without further details.
    pub fn new(step: LifeStep, run: u64) -> Self {
        Self {
            step,
            run,
            exit: None,
            cause: None,
            lived_ms: None,
            delay_ms: None,
            deaths: None,
            reason: None,
            left_out: 0,
        }
    }
}

/// As a fragment for people: `ended: exit status 1, after 0.2 s`.
impl fmt::Display for LifeEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |millis: u64| format!("{:.1} s", Duration::from_millis(millis).as_secs_f64());
        let deaths = self.deaths.filter(|deaths| *deaths > 1);
        let deaths =
            deaths.map(|deaths| format!(", after ending {deaths} times in a row")).unwrap_or_default();
        match self.step {
            LifeStep::Start => f.write_str("started")?,
            LifeStep::Refused => f.write_str("could not be started")?,
            LifeStep::Ready => f.write_str("ready")?,
            LifeStep::Unready => f.write_str("not ready any more")?,
            LifeStep::CheckFailed => f.write_str("failed a check")?,
            LifeStep::Exit => {
                f.write_str("ended")?;
                if let Some(exit) = self.exit {
                    write!(f, ": {exit}")?;
                }
                f.write_str(self.cause.map_or("", EndCause::as_phrase))?;
                if let Some(lived) = self.lived_ms {
                    write!(f, ", after {}", seconds(lived))?;
                }
            }
            LifeStep::Backoff if self.delay_ms == Some(0) => write!(f, "is started again at once{deaths}")?,
            LifeStep::Backoff => {
                let delay = self.delay_ms.map_or_else(|| "a while".to_owned(), seconds);
                write!(f, "is started again in about {delay}{deaths}")?;
            }
            LifeStep::Crashed => write!(f, "given up{deaths}")?,
            LifeStep::Done => f.write_str("done")?,
            LifeStep::Unknown => f.write_str("did what only a later version knows")?,
        }
        if let Some(reason) = &self.reason {
            write!(f, ": {reason}")?;
        }
        if self.left_out > 0 {
            write!(f, " ({} steps before this one were not written down)", self.left_out)?;
        }
        Ok(())
    }
}

/// A step, and the slot that it happened in.
pub type LifeOfSlot = (Slot, LifeEvent);

/// What happened to the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LifeStep {
    /// Its process was started.
    Start,
    /// It could not be started.
    Refused,
    /// Its checks have found it ready.
    Ready,
    /// A readiness check failed. The instance is not ended.
    Unready,
    /// The instance did not become ready, a liveness check failed, or it took too long. It is ended, or its deploy
    /// fails.
    CheckFailed,
    /// Its main process ended.
    Exit,
    /// The restart policy starts it again, after a delay.
    Backoff,
    /// The restart policy has given it up.
    Crashed,
    /// It ended by itself with success, and is not started again.
    Done,
    /// A step that only a later version knows.
    #[serde(other)]
    Unknown,
}

impl LifeStep {
    /// The name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Refused => "refused",
            Self::Ready => "ready",
            Self::Unready => "unready",
            Self::CheckFailed => "check_failed",
            Self::Exit => "exit",
            Self::Backoff => "backoff",
            Self::Crashed => "crashed",
            Self::Done => "done",
            Self::Unknown => "unknown",
        }
    }
}

/// Why a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// By itself, with an exit status.
    Itself,
    /// Its supervisor ended it, because a person asked for that or its deploy was over.
    Asked,
    /// Its supervisor ended it because of a check.
    Check,
    /// The kernel killed it because memory had run out.
    Memory,
    /// By a signal that its supervisor did not send: a fault of its own, or a signal from outside.
    Signal,
    /// Nobody saw how it ended.
    Unseen,
    /// A cause that only a later version knows.
    #[serde(other)]
    Unknown,
}

impl EndCause {
    /// The text that follows "exit status 1" or "signal 9" in a sentence.
    fn as_phrase(self) -> &'static str {
        match self {
            Self::Itself | Self::Unknown => "",
            Self::Asked => ", as it was told to",
            Self::Check => ", because of a failed check",
            Self::Memory => ", for want of memory",
            Self::Signal => ", which its supervisor did not send",
            Self::Unseen => ", and nobody saw how",
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_fragment_for_people() {
        let exit = LifeEvent {
            exit: Some(Exit::Signal(9)),
            cause: Some(EndCause::Signal),
            lived_ms: Some(1500),
            left_out: 3,
            ..LifeEvent::new(LifeStep::Exit, 17)
        };
        let expected = "ended: signal 9, which its supervisor did not send, after 1.5 s \
             (3 steps before this one were not written down)";
        assert_eq!(exit.to_string(), expected);
        let again =
            LifeEvent { delay_ms: Some(400), deaths: Some(3), ..LifeEvent::new(LifeStep::Backoff, 17) };
        assert_eq!(again.to_string(), "is started again in about 0.4 s, after ending 3 times in a row");
        let reason = Some("GET /health: 500".to_owned());
        let failed = LifeEvent { reason, ..LifeEvent::new(LifeStep::CheckFailed, 17) };
        assert_eq!(failed.to_string(), "failed a check: GET /health: 500");
    }
}
