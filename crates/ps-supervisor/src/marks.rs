//! How the processes of an app are told from those of others, by whoever looks for them: what `os-process` has to be given.

use std::path::Path;

use formation::Slot;

/// The variable that marks every process of an instance; its value is the instance's directory.
pub const MARKER: &str = "FORMATION_INSTANCE";
const PROGRAM: &str = "ps-supervise";

/// The processes of a service directory, whoever supervises them.
pub type Strays = os_process::Strays<Slot>;

/// Those of one service directory, which need not exist any more.
pub fn strays(service: &Path) -> Strays {
    Strays::of(service, MARKER)
}

/// The pids of the supervisors of a service directory that live, be the directory gone or its socket removed.
pub fn living_supervisors(service: &Path) -> Vec<u32> {
    os_process::executing(PROGRAM, service)
}
