//! Facts about the machine: changed files, the listener of a port.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use ps_supervisor::{MARKER, Spec};

use super::look::Look;
use crate::facts::{Known, Suspension};

/// How often one that a debugger may hold is looked at again.
const LOOKS: u32 = 5;
const BETWEEN: Duration = Duration::from_millis(20);

/// The directory that the app runs in, and why it cannot be entered.
pub(super) fn directory(spec: &Spec) -> (PathBuf, Option<String>) {
    let path = spec.directory.clone();
    let problem = match fs::metadata(&path) {
        Err(error) => Some(error.to_string()),
        Ok(metadata) if !metadata.is_dir() => Some("it is not a directory".to_owned()),
        Ok(_) => None,
    };
    (path, problem)
}

/// Whether the main process of an instance is frozen, stopped by a signal or held.
pub(super) fn suspension(pid: u32) -> Option<Suspension> {
    if let Some((file, word)) = super::frozen::thawing(pid) {
        return Some(Suspension::Frozen(pid, file, word));
    }
    if !is_stopped(pid) {
        return None;
    }
    let Some(tracer) = tracer(pid) else { return Some(Suspension::Signal(pid)) };
    // One that is only watched (strace) is stopped for a moment at each call that it makes.
    let is_held = (0..LOOKS).all(|_| {
        std::thread::sleep(BETWEEN);
        is_stopped(pid)
    });
    is_held.then(|| Suspension::Traced(pid, tracer, os_process::name(tracer)))
}

fn is_stopped(pid: u32) -> bool {
    os_process::Stat::of(pid).is_some_and(|stat| stat.activity == os_process::Activity::IsStopped)
}

/// The process that traces this one, as the kernel says (`proc_pid_status(5)`, `TracerPid`).
fn tracer(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
    tracer.trim().parse().ok().filter(|tracer| *tracer != 0)
}

/// A process below this one that is stopped by a signal, with its name.
pub(super) fn stopped_child(main: u32) -> Option<(u32, String)> {
    /// A tree that is larger is not looked through.
    const MANY: usize = 1000;
    let mut tree = os_process::children(main)?;
    let mut next = 0;
    while let Some(pid) = tree.get(next).copied().filter(|_| next < MANY) {
        if matches!(suspension(pid), Some(Suspension::Signal(_))) {
            return Some((pid, os_process::name(pid)));
        }
        tree.extend(os_process::children(pid).unwrap_or_default());
        next += 1;
    }
    None
}

/// The files that the app reads and that were changed after that, the last one first.
pub(super) fn changed(look: &Look<'_>, since: Option<Timestamp>) -> Vec<(PathBuf, Timestamp)> {
    let Some(since) = since else { return Vec::new() };
    let stored = [look.world.env_path(look.app), look.world.global_env_path()];
    let of_spec = look.spec.iter().flat_map(|spec| {
        let files = ["Procfile", "app.json"].map(|name| spec.directory.join(name));
        spec.env_files.iter().cloned().chain(files)
    });
    let mut paths: Vec<PathBuf> = stored.into_iter().chain(of_spec).collect();
    paths.sort();
    paths.dedup();
    let when = |path: PathBuf| {
        let at = Timestamp::try_from(fs::metadata(&path).ok()?.modified().ok()?).ok()?;
        (at > since).then_some((path, at))
    };
    let mut changed: Vec<_> = paths.into_iter().filter_map(when).collect();
    changed.sort_by_key(|(_, at)| std::cmp::Reverse(*at));
    changed
}

/// The process that listens on the port that an instance wants, if it is not one of the instance's own.
pub(super) fn holder(look: &Look<'_>, known: &Known) -> Option<(u16, String)> {
    let named = known.output.iter().rev().find_map(|line| port_in(&line.text));
    let port = named.or(known.port.filter(|_| !known.state.is_alive()))?;
    let holder = os_process::port_holder(port)?;
    let service = ps_service::Service::of(look.world, look.app, None).directory;
    let of = holder.pid.and_then(owner);
    match &of {
        Some((directory, slot)) if *directory == service && *slot == known.slot => None,
        Some((directory, slot)) => {
            let app = directory.file_name().unwrap_or_default().to_string_lossy();
            Some((port, format!("{holder}, {slot} of {app},")))
        }
        None => Some((port, holder.to_string())),
    }
}

/// The service directory and the slot of an instance that a process belongs to.
fn owner(pid: u32) -> Option<(PathBuf, String)> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let marker = environment.split(|byte| *byte == 0).find_map(|variable| {
        String::from_utf8_lossy(variable).strip_prefix(MARKER)?.strip_prefix('=').map(str::to_owned)
    })?;
    let (directory, run) = marker.rsplit_once('/')?;
    let slot = run.split_once('@').map_or(run, |(slot, _)| slot);
    Some((PathBuf::from(directory), slot.to_owned()))
}

/// The port that a line about an address in use names: `0.0.0.0:5000`, `port 5000`.
fn port_in(line: &str) -> Option<u16> {
    let text = line.to_lowercase();
    if !["in use", "eaddrinuse", "running on port", "listening on port"]
        .iter()
        .any(|words| text.contains(words))
    {
        return None;
    }
    let numbers = text.split(|c: char| !c.is_ascii_digit()).rev();
    numbers.filter_map(|number| number.parse().ok()).find(|port| *port > 99)
}

#[cfg(test)]
mod tests {
    use super::port_in;

    #[test]
    fn the_port_of_a_line_is_found_where_it_is_about_one() {
        assert_eq!(port_in("Error: listen EADDRINUSE: address already in use 0.0.0.0:5000"), Some(5000));
        assert_eq!(port_in("OSError: [Errno 98] Address already in use"), None);
        assert_eq!(port_in("port 8080 is in use"), Some(8080));
        assert_eq!(port_in("Something is already running on port 3000."), Some(3000));
        assert_eq!(port_in("[ERROR] Connection in use: ('0.0.0.0', 8000)"), Some(8000));
        assert_eq!(port_in("listening on 5000"), None);
    }
}
