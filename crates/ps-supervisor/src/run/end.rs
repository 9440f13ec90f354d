//! Why a run ends, and what its revision says about that.

use std::time::Duration;

use formation::{ProcessType, RestartPolicy, SignalName};
use os_process::{Census, Tree};
use rustix::process::Signal;
use type_settings::{CommandLine, StopTree, TypeSettings};

use crate::restart::Rules;
use crate::run_table::RunEvent;
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

    /// What a run that is told to end begins with.
    pub(super) fn way_to_end(&self) -> RunEvent {
        if self.settings.stop_command.is_some() { RunEvent::EndByCommand } else { RunEvent::End }
    }

    /// The stop command, for a shell.
    pub(super) fn stop_command(&self) -> Option<&str> {
        self.settings.stop_command.as_ref().map(CommandLine::as_str)
    }

    /// Sends the stop signal to whom it is meant for.
    pub(super) fn ask_to_end(&self, tree: &Tree, main: Option<u32>, census: &mut Census) {
        let number = self.settings.stop_signal.unwrap_or(SignalName::TERM).number();
        let signal =
            Signal::from_named_raw(i32::from(number)).expect("every signal with a name is one of Linux");
        match (self.settings.stop_tree.unwrap_or_default(), main) {
            (StopTree::Main, Some(main)) => tree.terminate_main(main, signal, census),
            // Without a main process whoever is left would never hear of it.
            (StopTree::Main, None) | (StopTree::Whole, _) => tree.terminate(main, signal, census),
        }
    }

    /// What they say about restarts.
    pub(crate) fn rules(&self) -> Rules<'_> {
        Rules { policy: self.policy, settings: &self.settings }
    }
}
