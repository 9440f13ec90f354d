//! Describes the processes of an app to `os-process`, so that it finds them among all others.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use formation::Slot;

use crate::run_name::RunName;

/// The variable that marks every process of a run. Its value is the service directory's path and the run's name,
/// `…/shop/web.1@17`.
pub const MARKER: &str = "FORMATION_INSTANCE";
const PROGRAM: &str = "ps-supervise";

/// The value of [`MARKER`] for the processes of a run.
pub fn mark(service: &Path, slot: &Slot, run: u64) -> PathBuf {
    service.join(RunName { slot: slot.clone(), number: run }.to_string())
}

/// The pids of the living supervisors of a service directory, even if the directory or its socket was removed.
pub fn living_supervisors(service: &Path) -> Vec<u32> {
    os_process::executing(PROGRAM, service)
}

/// The pid of the root that keeps the supervisors of this directory, if one lives.
pub fn living_root(lib: &Path) -> Option<u32> {
    let is_its = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|word| word == lib.as_os_str().as_bytes())
    };
    let options = ["--while-needed", "--root"].map(Path::new);
    options.into_iter().flat_map(|option| os_process::executing(PROGRAM, option)).find(is_its)
}
