//! Why a limit cannot be enforced.

use std::fmt;
use std::path::PathBuf;

use super::Controller;

/// Why trees cannot be limited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// The kernel was built or started without the controller, or the controller is not mounted.
    NotThere(Controller),
    /// This process may make no group there.
    NotWritable(PathBuf),
    /// Other processes live in the group below which ours would be made.
    Occupied {
        /// That group.
        group: PathBuf,
        /// The pid of one of these processes.
        pid: u32,
    },
    /// No group can be made for a tree: not mounted, not writable, or Linux before 5.14.
    NoGroups,
    /// The kernel refused.
    Refused {
        /// The file that was written.
        path: PathBuf,
        /// The error of the kernel.
        reason: String,
    },
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere(controller) => {
                write!(f, "the machine has no cgroup controller \"{}\" here", controller.as_str())
            }
            Self::NotWritable(path) => {
                write!(f, "the supervisor may make no cgroups below {}", path.display())
            }
            Self::Occupied { group, pid } => write!(
                f,
                "the cgroup {} holds other processes as well (such as {} {pid}), so nothing below it can be limited",
                group.display(),
                crate::stat::name(*pid)
            ),
            Self::NoGroups => f.write_str("no cgroup can be made for a process tree here"),
            Self::Refused { path, reason } => write!(f, "{}: {reason}", path.display()),
        }
    }
}
