//! The operating system's processes of an app's instances, from /proc.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use formation::Slot;
use os_process::{Stat, Usage};
use ps_scheduler::{Error, OsProcess};
use ps_service::Service;

use crate::status;

/// Every process of every instance that runs, in the order of the slots, the oldest first.
pub(crate) fn processes(service: &Service) -> Result<Vec<OsProcess>, Error> {
    let mut processes = Vec::new();
    let mut trees = os_process::Processes::new(ps_supervisor::MARKER);
    for instance in status::instances(service)? {
        let Some(main) = instance.pid else { continue };
        let mark = ps_supervisor::mark(&service.directory, &instance.slot, instance.run.unwrap_or(0));
        let pids = trees.of(&mark, main);
        processes.extend(pids.into_iter().filter_map(|pid| describe(&instance.slot, pid)));
    }
    Ok(processes)
}

/// `None` if the process has ended meanwhile.
fn describe(slot: &Slot, pid: u32) -> Option<OsProcess> {
    let usage = Usage::of(&Stat::of_living(pid)?);
    let uid = fs::metadata(format!("/proc/{pid}")).ok()?.uid();
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    Some(OsProcess {
        slot: slot.clone(),
        pid,
        user: os_process::user_name(uid),
        cpu_percent: usage.cpu_percent,
        memory_bytes: usage.memory_bytes,
        elapsed: elapsed(usage.lived),
        command: words(&line),
    })
}

/// The command line as `ps` prints it: words separated by blanks.
fn words(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\0").unwrap_or(line);
    String::from_utf8_lossy(line).replace('\0', " ")
}

fn elapsed(lived: Duration) -> String {
    let seconds = lived.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let clock = format!("{minutes:02}:{:02}", seconds % 60);
    match (days, hours) {
        (0, 0) => clock,
        (0, hours) => format!("{hours:02}:{clock}"),
        (days, hours) => format!("{days}-{hours:02}:{clock}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_times_are_written_as_ps_writes_them() {
        let written = |seconds| elapsed(Duration::from_secs(seconds));
        assert_eq!(written(5), "00:05");
        assert_eq!(written(3_725), "01:02:05");
        assert_eq!(written(2 * 86_400 + 61), "2-00:01:01");
    }
}
