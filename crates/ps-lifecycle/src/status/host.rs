//! The line about the machine as a whole: load, memory, disk.

use std::fs;
use std::path::Path;

/// `load 1.20 on 2 CPUs, memory 3.1 of 23.5 GiB, disk of /var/lib/dokku 47 % full`; unknown values are left out.
pub(super) fn line(lib: &Path) -> Option<String> {
    let parts: Vec<String> = [load(), memory(), disk(lib)].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn load() -> Option<String> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    let cpus = std::thread::available_parallelism().ok()?;
    Some(format!("load {} on {cpus} CPUs", text.split(' ').next()?))
}

fn memory() -> Option<String> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kib = |name: &str| -> Option<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix(" kB")?.parse().ok()
    };
    let (total, available) = (kib("MemTotal")?, kib("MemAvailable")?);
    let gib = |kib: f64| kib / f64::from(1 << 20);
    Some(format!("memory {:.1} of {:.1} GiB", gib(total - available), gib(total)))
}

fn disk(path: &Path) -> Option<String> {
    let room = rustix::fs::statvfs(path).ok()?;
    // As df(1) computes it: the share of the space that users other than root can use.
    let used = room.f_blocks.saturating_sub(room.f_bfree);
    let percent = (used * 100).div_ceil((used + room.f_bavail).max(1));
    Some(format!("disk of {} {percent} % full", path.display()))
}
