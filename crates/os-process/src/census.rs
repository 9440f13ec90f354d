//! The list of all processes from /proc at one moment. Reading it takes milliseconds on a busy machine, so a supervisor
//! reads it at most once in a turn of its loop, for all of its seats, and reads the marks of each process once. Which
//! process belongs to which instance is decided in `tree`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::clock::ticks_since_boot;
use crate::mark::{Marks, marks};
use crate::stat::Stat;

/// A younger process may not have executed its own program yet, so its marks are read again.
const YOUNG_TICKS: u64 = 200;

/// One live process.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its pid.
    pub pid: u32,
    /// The pid of its parent.
    pub parent: u32,
    /// Its process group.
    pub group: u32,
    /// Its session.
    pub session: u32,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
    /// Its marks.
    pub marks: Marks,
}

/// The processes of the machine, read at most once in a turn.
#[derive(Debug)]
pub struct Census {
    variable: &'static str,
    known: HashMap<(u32, u64), Marks>,
    taken: Option<Count>,
    turn: u64,
}

/// One list of all processes, with indexes to find those of one instance.
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
    /// Nothing is read yet. `variable` is the environment variable that marks processes.
    pub fn new(variable: &'static str) -> Self {
        Self { variable, known: HashMap::new(), taken: None, turn: 0 }
    }

    /// Every living process, as of the first call in this turn.
    pub fn processes(&mut self) -> &[Process] {
        &self.count().processes
    }

    /// Pid and start time of every process of an instance: those that have its marker or its tag, those in the group or
    /// session of its main process, and all descendants of these.
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

    /// A new turn begins: the list is read anew when it is needed.
    pub fn begin_turn(&mut self) {
        self.taken = None;
        self.turn += 1;
    }

    /// Frees the list and what is remembered of each process. An idle supervisor calls this: otherwise each would hold all
    /// processes of the machine in its memory.
    pub fn forget(&mut self) {
        (self.taken, self.known) = (None, HashMap::new());
    }

    /// The number of the turn. The list is never shared between two turns.
    pub fn turn(&self) -> u64 {
        self.turn
    }

    fn take(&mut self) -> Vec<Process> {
        let now = ticks_since_boot();
        let mut processes: Vec<Process> = crate::stat::pids().filter_map(process).collect();
        let before = std::mem::take(&mut self.known);
        for process in &mut processes {
            let key = (process.pid, process.start_time);
            let is_young = now.saturating_sub(process.start_time) < YOUNG_TICKS;
            process.marks = match before.get(&key) {
                Some(marks) if *marks != Marks::default() || !is_young => marks.clone(),
                _ => marks(process.pid, self.variable),
            };
            self.known.insert(key, process.marks.clone());
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
            if let Some(marker) = &process.marks.marker {
                count.markers.entry(marker.clone()).or_default().push(pid);
            }
            if let Some(tag) = process.marks.tag {
                count.tags.entry(tag).or_default().push(pid);
            }
        }
        Self { processes, ..count }
    }
}

/// The processes that `is_root` selects, with all their descendants.
pub fn families(processes: &[Process], is_root: impl Fn(&Process) -> bool) -> BTreeSet<u32> {
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

/// The process with that pid, without its marks; `None` if there is none, or only a zombie.
pub(crate) fn process(pid: u32) -> Option<Process> {
    let Stat { parent, group, session, start_time, .. } = Stat::of_living(pid)?;
    Some(Process { pid, parent, group, session, start_time, marks: Marks::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_whoever_descends_from_its_roots() {
        let process = |pid, parent| Process {
            pid,
            parent,
            group: pid,
            session: pid,
            start_time: 0,
            marks: Marks::default(),
        };
        let all = [process(4, 3), process(2, 1), process(3, 2), process(9, 8)];
        assert_eq!(families(&all, |p| p.pid == 2), BTreeSet::from([2, 3, 4]));
        assert_eq!(families(&all, |_| false), BTreeSet::new());
    }
}
