//! The vocabulary that programs and schedulers share: the [`Scheduler`] trait and the types in its signatures; the
//! [`Plan`], which says what will happen to each slot and can be printed beforehand; a scheduler in memory for tests
//! ([`Fake`]); and the [`conformance`] suite that every scheduler passes. Releases come from `ps-release`; this crate knows
//! nothing of files or engines.

mod ask;
pub mod cluster;
pub mod conformance;
mod drift;
mod error;
mod failed_slot;
mod failure;
mod fake;
mod forecast;
mod instance;
mod one_off;
mod os_process;
mod output;
mod plan;
mod rollout;
mod rules;
mod scheduler;
mod signal;
mod step;
mod task;

pub use drift::Drift;
pub use error::Error;
pub use failed_slot::FailedSlot;
pub use failure::conclude;
pub use fake::Fake;
pub use forecast::{Foreseen, ForeseenRules, ForeseenTask, Outlook, around_doubts, foresee};
pub use instance::{AppStatus, Doubtful, Instance, Limits, Over, Running};
pub use one_off::{Command, Ended, Entry, OneOff, SHELL, Signals, Streams};
pub use os_process::OsProcess;
pub use output::{LogLine, LogRequest, LogSink, ReadUpTo};
pub use plan::Plan;
pub use ps_release::address::Reached;
pub use ps_release::{Checks, Gate, Process, Release, Source};
pub use scheduler::{
    Cancel, DeployOutcome, Leftover, Moved, Progress, Requester, Scheduler, StopOrder, Stopped,
};
pub use signal::{SignalOrder, Signalled};
pub use step::{Change, Intent, Step};
pub use task::{Effect, LAST_LINES, Task};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
