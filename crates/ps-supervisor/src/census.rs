//! What /proc says of every process at one moment. Reading it costs milliseconds on a busy machine, so a supervisor reads
//! it at most once in a turn of its loop, for all of its seats together, and never asks a process twice where it
//! comes from. Nothing here decides which process belongs to which instance: `tree` does.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The variable that marks every process of an instance; its value is the instance's directory.
pub(crate) const MARKER: &str = "FORMATION_INSTANCE";
/// A process younger than this may not have become what its parent started it as: it is asked again.
const YOUNG_TICKS: u64 = 200;

/// One live process.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) session: u32,
    pub(crate) start_time: u64,
    pub(crate) origin: Origin,
}

/// What a process itself says of the instance that it comes from. Both parts are inherited by whatever it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The marker's value. It is lost where a process clears its environment.
    pub(crate) marker: Option<String>,
    /// The soft limit of file locks, if it is one that [`tag`] gives. Linux has ignored that limit since 2.4.25, and
    /// `env -i`, a new session and a new parent all leave it as it is.
    pub(crate) tag: Option<u64>,
}

/// The processes of the machine, counted at most once in a turn.
#[derive(Debug, Default)]
pub(crate) struct Census {
    known: HashMap<(u32, u64), Origin>,
    taken: Option<Count>,
    turn: u64,
}

/// One count of all processes, with what finds those of one instance without going through all of them.
#[derive(Debug, Default)]
struct Count {
    processes: Vec<Process>,
    /// Start times by pid.
    start_times: HashMap<u32, u64>,
    children: HashMap<u32, Vec<u32>>,
    groups: HashMap<u32, Vec<u32>>,
    sessions: HashMap<u32, Vec<u32>>,
    markers: HashMap<String, Vec<u32>>,
    tags: HashMap<u64, Vec<u32>>,
}

impl Census {
    /// Every live process: as it was when this was first asked for in this turn.
    pub(crate) fn processes(&mut self) -> &[Process] {
        &self.count().processes
    }

    /// Pid and start time of every process of an instance: what bears its marker or its tag, what is of the group or the
    /// session of its main process, and all that descends from these.
    pub(crate) fn family(&mut self, marker: &str, tag: u64, main: Option<u32>) -> BTreeMap<u32, u64> {
        let count = self.count();
        let of_main = |map: &HashMap<u32, Vec<u32>>| main.and_then(|main| map.get(&main).cloned());
        let marked = [count.markers.get(marker).cloned(), count.tags.get(&tag).cloned()];
        let roots = marked.into_iter().chain([of_main(&count.groups), of_main(&count.sessions)]);
        let mut waiting: Vec<u32> = roots.flatten().flatten().chain(main).collect();
        let mut found = BTreeMap::new();
        while let Some(pid) = waiting.pop() {
            let Some(start_time) = count.start_times.get(&pid) else { continue };
            if found.insert(pid, *start_time).is_none() {
                waiting.extend(count.children.get(&pid).into_iter().flatten());
            }
        }
        found
    }

    fn count(&mut self) -> &Count {
        if self.taken.is_none() {
            self.taken = Some(Count::of(self.take()));
        }
        self.taken.as_ref().expect("it was just taken")
    }

    /// A new turn begins: what was counted is out of date.
    pub(crate) fn begin_turn(&mut self) {
        self.taken = None;
        self.turn += 1;
    }

    /// Which turn it is: two of them never share a count.
    pub(crate) fn turn(&self) -> u64 {
        self.turn
    }

    fn take(&mut self) -> Vec<Process> {
        let now = now_in_ticks();
        let mut processes: Vec<Process> = pids().into_iter().filter_map(process).collect();
        let before = std::mem::take(&mut self.known);
        for process in &mut processes {
            let key = (process.pid, process.start_time);
            let is_young = now.saturating_sub(process.start_time) < YOUNG_TICKS;
            process.origin = match before.get(&key) {
                Some(origin) if *origin != Origin::default() || !is_young => origin.clone(),
                _ => origin(process.pid),
            };
            self.known.insert(key, process.origin.clone());
        }
        processes
    }
}

impl Count {
    fn of(processes: Vec<Process>) -> Self {
        let mut count = Self::default();
        for process in &processes {
            let pid = process.pid;
            count.start_times.insert(pid, process.start_time);
            count.children.entry(process.parent).or_default().push(pid);
            count.groups.entry(process.group).or_default().push(pid);
            count.sessions.entry(process.session).or_default().push(pid);
            if let Some(marker) = &process.origin.marker {
                count.markers.entry(marker.clone()).or_default().push(pid);
            }
            if let Some(tag) = process.origin.tag {
                count.tags.entry(tag).or_default().push(pid);
            }
        }
        Self { processes, ..count }
    }
}

/// Those of `processes` of which `is_root` says so, and all that descends from them.
pub(crate) fn families(processes: &[Process], is_root: impl Fn(&Process) -> bool) -> BTreeSet<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for process in processes {
        children.entry(process.parent).or_default().push(process.pid);
    }
    let mut found = BTreeSet::new();
    let mut waiting: Vec<u32> = processes.iter().filter(|p| is_root(p)).map(|p| p.pid).collect();
    while let Some(pid) = waiting.pop() {
        if found.insert(pid) {
            waiting.extend(children.get(&pid).into_iter().flatten());
        }
    }
    found
}

/// The process that has `pid`, without its origin; `None` if there is none, or only its zombie.
pub(crate) fn process(pid: u32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after_name) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = after_name.split(' ').collect();
    let number = |index: usize| fields.get(index)?.parse().ok();
    let is_alive = !matches!(fields.first(), Some(&("Z" | "X")));
    let start_time = fields.get(19)?.parse().ok()?;
    let origin = Origin::default();
    is_alive.then_some(Process {
        pid,
        parent: number(1)?,
        group: number(2)?,
        session: number(3)?,
        start_time,
        origin,
    })
}

/// The tag of the instance with this marker: a number that nobody sets by accident. Its upper part is the service
/// directory's, its lower part the slot's, so that processes of a directory that was removed can be found.
pub(crate) fn tag(marker: &str) -> u64 {
    let (service, slot) = marker.rsplit_once('/').unwrap_or(("", marker));
    tag_of_service(service) | (hash(slot) & SLOT_BITS)
}

/// The part of a tag that all instances of a service directory share.
pub(crate) fn tag_of_service(service: &str) -> u64 {
    TAG_BIT | (hash(service) & (TAG_BIT - 1) & !SLOT_BITS)
}

/// Whether a tag is that of some instance of the service directory with this part.
pub(crate) fn is_of_service(tag: u64, service: u64) -> bool {
    tag & !SLOT_BITS == service
}

const TAG_BIT: u64 = 1 << 52;
const SLOT_BITS: u64 = (1 << 16) - 1;

/// FNV-1a: the next supervisor, of another version of this program, must come to the same number.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Runs `start` while whatever it starts inherits `tag`.
pub(crate) fn tagged<T>(tag: u64, start: impl FnOnce() -> T) -> T {
    let before = getrlimit(Resource::Locks);
    // Where the limit cannot be set, the process is found by its other marks.
    let _ = setrlimit(Resource::Locks, Rlimit { current: Some(tag), ..before });
    let started = start();
    let _ = setrlimit(Resource::Locks, before);
    started
}

fn origin(pid: u32) -> Origin {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let value = |entry: &[u8]| {
        let value = entry.strip_prefix(MARKER.as_bytes())?.strip_prefix(b"=")?;
        Some(String::from_utf8_lossy(value).into_owned())
    };
    let marker = environment.split(|byte| *byte == 0).find_map(value);
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
    let soft = limits.lines().find_map(|line| line.strip_prefix("Max file locks"));
    let soft = soft.and_then(|line| line.split_whitespace().next()?.parse().ok());
    Origin { marker, tag: soft.filter(|soft| (TAG_BIT..TAG_BIT * 2).contains(soft)) }
}

fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The time since boot in the unit of a start time.
fn now_in_ticks() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanoseconds) = (now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs());
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    seconds * per_second + nanoseconds * per_second / 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_depends_on_the_directory_alone_and_is_told_from_a_limit_that_somebody_set() {
        assert_eq!(tag("/a/web.1"), tag("/a/web.1"));
        assert_ne!(tag("/a/web.1"), tag("/a/web.2"));
        assert!((TAG_BIT..2 * TAG_BIT).contains(&tag("")));
        assert!(is_of_service(tag("/a/web.1"), tag_of_service("/a")));
        assert!(!is_of_service(tag("/a/web.1"), tag_of_service("/b")));
    }

    #[test]
    fn a_family_is_whoever_descends_from_its_roots() {
        let process = |pid, parent| Process {
            pid,
            parent,
            group: pid,
            session: pid,
            start_time: 0,
            origin: Origin::default(),
        };
        let all = [process(4, 3), process(2, 1), process(3, 2), process(9, 8)];
        assert_eq!(families(&all, |p| p.pid == 2), BTreeSet::from([2, 3, 4]));
        assert_eq!(families(&all, |_| false), BTreeSet::new());
    }

    #[test]
    fn whoever_clears_its_environment_keeps_its_tag() {
        let tag = tag("/some/web.1");
        let mut command = std::process::Command::new("env");
        command.args(["-i", "sleep", "100"]).env(MARKER, "/some/web.1");
        let mut child = tagged(tag, || command.spawn()).expect("env is there");
        let pid = child.id();
        let begin = std::time::Instant::now();
        // Until env has become sleep its environment is the old one; while it becomes that, it has none at all.
        let has_become =
            || fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"sleep"));
        while !has_become() && begin.elapsed().as_secs() < 60 {
            std::thread::yield_now();
        }
        let found = origin(pid);
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        assert_eq!(found, Origin { marker: None, tag: Some(tag) });
    }
}
