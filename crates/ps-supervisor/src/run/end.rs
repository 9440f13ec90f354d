//! Why a run ends, and what its revision says about that.

use std::time::Duration;

use formation::{ProcessType, RestartPolicy};
use type_settings::TypeSettings;

use crate::restart::Rules;
use crate::seat_table::Verdict;
use crate::spec::Spec;

/// Why a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Its main process ended by itself; what the restart policy says about that.
    ByItself(Verdict),
    /// Somebody told it to end.
    Asked,
    /// It did not do what it was started for.
    Failed(Failing),
}

impl Cause {
    /// Whether it is one that a restart policy does not leave at that.
    pub(crate) fn is_failure(self) -> bool {
        matches!(self, Self::ByItself(Verdict::Again | Verdict::GiveUp))
    }
}

/// What a run that lived did not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failing {
    /// It did not become ready in time.
    NotReady,
    /// A liveness check failed.
    Unhealthy,
    /// It did not say that it lives.
    Watchdog,
}

impl Failing {
    /// The word in its reason.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NotReady => "not ready",
            Self::Unhealthy => "unhealthy",
            Self::Watchdog => "watchdog",
        }
    }
}

/// What a revision says about the end of its runs.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    policy: RestartPolicy,
    pub(super) grace: Duration,
    settings: TypeSettings,
}

impl Terms {
    /// Those of a type in a spec.
    pub(crate) fn of(spec: &Spec, process_type: &ProcessType) -> Self {
        let settings = spec.settings(process_type).cloned().unwrap_or_default();
        Self { policy: spec.policy(process_type), grace: spec.grace(process_type), settings }
    }

    /// What they say about restarts.
    pub(crate) fn rules(&self) -> Rules<'_> {
        Rules { policy: self.policy, settings: &self.settings }
    }
}
