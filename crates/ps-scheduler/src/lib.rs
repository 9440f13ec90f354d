//! The seam between what is wanted and what makes it so: the [`Scheduler`] trait, the words it is spoken in, a
//! [`Plan`] that can be printed before anything happens, a [`Fake`], and the [`conformance`] suite that every
//! scheduler passes. It knows nothing of apps on disk, of engines, or of signals.

pub mod conformance;
mod error;
mod fake;
mod instance;
mod os_process;
mod plan;
mod release;
mod scheduler;

pub use error::Error;
pub use fake::Fake;
pub use instance::{AppStatus, Instance, Over, Running};
pub use os_process::OsProcess;
pub use plan::{Action, Intent, Plan, Step};
pub use release::{Check, Process, Release, Source};
pub use scheduler::{
    Cancel, DeployOutcome, LogLine, LogRequest, Progress, Scheduler, StopOrder, Stopped, Watch,
};
