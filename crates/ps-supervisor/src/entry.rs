//! What happens in a new process between its start and its command.

use std::path::Path;

use crate::confinement::Confinement;

/// What a process does before it becomes its command.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Entry<'a> {
    /// It enters the cgroup whose file this is, and never runs outside of it.
    pub(crate) joining: Option<&'a Path>,
    /// It takes this soft limit of open files, in place of the supervisor's own.
    pub(crate) open_files: Option<u64>,
    /// It takes this on last of all.
    pub(crate) confinement: Option<&'a Confinement>,
}
