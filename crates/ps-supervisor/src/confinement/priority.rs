//! The priority class of reads and writes. It is set by ionice(1) of util-linux or busybox, because the libraries that
//! we use have no safe function for the system call.

use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use type_settings::IoPriority;

const PLACES: [&str; 3] = ["/usr/bin/ionice", "/bin/ionice", "/usr/local/bin/ionice"];

/// The program that sets it, if the machine has it.
pub(super) fn program() -> Option<PathBuf> {
    PLACES.into_iter().map(PathBuf::from).find(|place| place.is_file())
}

/// This process takes it on, and whatever it becomes or starts.
pub(super) fn take(wanted: IoPriority) -> io::Result<()> {
    let program = program().ok_or_else(|| io::Error::other("there is no ionice"))?;
    let (class, level) = match wanted {
        IoPriority::Idle => ("3", None),
        IoPriority::BestEffort(level) => ("2", Some(level)),
        IoPriority::Realtime(level) => ("1", Some(level)),
    };
    let mut command = Command::new(program);
    command.args(["-c", class]);
    if let Some(level) = level {
        command.args(["-n", &level.to_string()]);
    }
    command.args(["-p", &std::process::id().to_string()]).stdin(Stdio::null()).stdout(Stdio::null());
    let done = command.output()?;
    if done.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&done.stderr).trim().to_owned()))
}
