//! The steps that a new process takes between fork and exec.

use std::path::PathBuf;

use crate::confinement::Confinement;

/// The steps of a process before it executes its command.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Entry<'a> {
    /// It joins the cgroups of these `cgroup.procs` files, so its command never runs outside of them.
    pub(crate) joining: &'a [PathBuf],
    /// It sets this soft limit of open files, in place of the supervisor's.
    pub(crate) open_files: Option<u64>,
    /// It applies this user and these limits, last of all.
    pub(crate) confinement: Option<&'a Confinement>,
    /// It sets `LISTEN_PID` to its own pid.
    pub(crate) has_sockets: bool,
}
