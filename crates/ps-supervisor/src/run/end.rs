//! Why a run ends, and the rules of its revision for that.

use std::time::Duration;

use formation::{ProcessType, RestartPolicy, SignalName};
use os_process::{Census, Manner, Tree};
use rustix::process::Signal;
use type_settings::{CommandLine, Span, StopTree, TypeSettings};

use crate::restart::Rules;
use crate::run_table::RunEvent;
use crate::seat_table::AfterDeath;
use crate::spec::Spec;

/// Why a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Its main process ended by itself, and the restart policy decided this.
    ByItself(AfterDeath),
    /// It was told to end.
    Asked,
    /// The supervisor ended it because of a check.
    Failed(Failing),
}

impl Cause {
    /// Whether the end is a failure.
    pub(crate) fn is_failure(self) -> bool {
        matches!(self, Self::ByItself(AfterDeath::Again | AfterDeath::GiveUp))
    }
}

/// Which check a run failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failing {
    /// It did not become ready in time.
    NotReady,
    /// A liveness check failed.
    Unhealthy,
    /// Its watchdog message did not come in time.
    Watchdog,
    /// It took longer than a run of its type may.
    TooLong,
}

impl Failing {
    /// The word for it in a status.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NotReady => "not ready",
            Self::Unhealthy => "unhealthy",
            Self::Watchdog => "watchdog",
            Self::TooLong => "run-timeout",
        }
    }
}

/// The rules of a revision for the end of its runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    policy: RestartPolicy,
    pub(super) grace: Duration,
    settings: TypeSettings,
    /// Whether other types wait until its runs are done.
    pub(crate) are_to_end: bool,
}

impl Terms {
    /// The rules of a type in a spec.
    pub(crate) fn of(spec: &Spec, process_type: &ProcessType) -> Self {
        let settings = spec.settings(process_type).cloned().unwrap_or_default();
        let (policy, grace) = (spec.policy(process_type), spec.grace(process_type));
        Self { policy, grace, settings, are_to_end: spec.order().is_awaited_to_be_done(process_type) }
    }

    /// The event with which an ordered end begins.
    pub(super) fn way_to_end(&self) -> RunEvent {
        if self.settings.stop_command.is_some() { RunEvent::EndByCommand } else { RunEvent::End }
    }

    /// The stop command, for a shell.
    pub(super) fn stop_command(&self) -> Option<&str> {
        self.settings.stop_command.as_ref().map(CommandLine::as_str)
    }

    fn signal(&self) -> Signal {
        let number = self.settings.stop_signal.unwrap_or(SignalName::TERM).number();
        Signal::from_named_raw(i32::from(number)).expect("every signal with a name is one of Linux")
    }

    /// How its processes are to be ended when no supervisor lives; `main` is its main process, if that is known.
    pub(crate) fn manner(&self, main: Option<u32>) -> Manner {
        let only = match self.settings.stop_tree.unwrap_or_default() {
            StopTree::Main => main,
            StopTree::Whole => None,
        };
        Manner { signal: self.signal(), grace: self.grace, only }
    }

    /// Sends the stop signal to the main process or to the whole tree, as the rules say.
    pub(super) fn ask_to_end(&self, tree: &Tree, main: Option<u32>, census: &mut Census) {
        let signal = self.signal();
        match (self.settings.stop_tree.unwrap_or_default(), main) {
            (StopTree::Main, Some(main)) => tree.terminate_main(main, signal, census),
            // If the main process is gone, the others get the signal, since nobody else could tell them.
            (StopTree::Main, None) | (StopTree::Whole, _) => tree.terminate(main, signal, census),
        }
    }

    /// How long a run may take.
    pub(super) fn longest_run(&self) -> Option<Span> {
        self.settings.run_timeout
    }

    /// The restart rules.
    pub(crate) fn rules(&self) -> Rules<'_> {
        Rules { policy: self.policy, settings: &self.settings }
    }
}
