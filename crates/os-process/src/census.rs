//! The list of all processes from /proc at one moment. Reading it takes milliseconds on a busy machine. So a supervisor
//! reads it at most once in a turn of its loop, for all of its instances, and reads the marks of each process once. Which
//! process belongs to which instance is decided in `tree`.
//!
//! The data lies in a few long lists, which are returned to the system as a whole when they are freed. Many small
//! allocations would leave holes in the heap of a supervisor for as long as it lives.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use crate::clock::ticks_since_boot;
use crate::mark::{Marks, Reader};
use crate::stat::Stat;

/// A process younger than this may not have executed its own program yet, so its marks are read again.
const YOUNG_TICKS: u64 = 200;

/// One live process.
#[derive(Clone, Debug)]
pub struct Process {
    /// The pid.
    pub pid: u32,
    /// The pid of the parent.
    pub parent: u32,
    /// The process group.
    pub group: u32,
    /// The session.
    pub session: u32,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
    /// The marks.
    pub marks: Marks,
}

/// The processes of the machine, read at most once in a turn.
#[derive(Debug)]
pub struct Census {
    variable: &'static str,
    /// The service directory whose marks are kept; `None`: all marks are kept.
    service: Option<String>,
    /// The list of an earlier turn, by pid.
    known: Vec<Process>,
    taken: Option<Count>,
    turn: u64,
}

/// One list of all processes, with indexes to find those of one instance.
#[derive(Debug, Default)]
struct Count {
    /// The processes, by pid.
    processes: Vec<Process>,
    children: Index,
    groups: Index,
    sessions: Index,
    /// The positions of the processes that have a mark.
    marked: Vec<usize>,
}

/// Pairs of a number and a pid, sorted; several pids can have the same number, such as a session.
#[derive(Debug, Default)]
struct Index(Vec<(u32, u32)>);

impl Index {
    fn of(processes: &[Process], number: impl Fn(&Process) -> u32) -> Self {
        let mut pairs: Vec<(u32, u32)> =
            processes.iter().map(|process| (number(process), process.pid)).collect();
        pairs.sort_unstable();
        Self(pairs)
    }

    fn get(&self, number: u32) -> impl Iterator<Item = u32> {
        let begin = self.0.partition_point(|(of, _)| *of < number);
        self.0[begin..].iter().take_while(move |(of, _)| *of == number).map(|(_, pid)| *pid)
    }
}

impl Census {
    /// Nothing is read yet. `variable` is the environment variable that marks processes.
    pub fn new(variable: &'static str) -> Self {
        Self { variable, service: None, known: Vec::new(), taken: None, turn: 0 }
    }

    /// As [`Census::new`], for a caller that asks only for trees of one service directory. Marks of other directories are
    /// not kept.
    pub fn of_service(variable: &'static str, service: &Path) -> Self {
        // The path as it stands in marks, whether the given path ends with a slash or not.
        let marker = service.join("web.1").to_string_lossy().into_owned();
        Self {
            service: marker.rsplit_once('/').map(|(service, _)| service.to_owned()),
            ..Self::new(variable)
        }
    }

    /// Every living process, as of the first call in this turn, by pid. Kernel threads are left out.
    pub fn processes(&mut self) -> &[Process] {
        &self.count().processes
    }

    /// Pid and start time of every process of an instance: those that have its marker or its tag, those in the group or
    /// session of its main process, and all descendants of these.
    pub(crate) fn family(&mut self, marker: &str, tag: u64, main: Option<u32>) -> BTreeMap<u32, u64> {
        let count = self.count();
        let bears = |process: &&Process| {
            process.marks.marker.as_deref() == Some(marker) || process.marks.tag == Some(tag)
        };
        let marked = count.marked.iter().map(|at| &count.processes[*at]).filter(bears);
        let mut waiting: Vec<u32> = marked.map(|process| process.pid).chain(main).collect();
        for index in [&count.groups, &count.sessions] {
            waiting.extend(main.into_iter().flat_map(|main| index.get(main)));
        }
        let mut found = BTreeMap::new();
        while let Some(pid) = waiting.pop() {
            let Some(at) = position(&count.processes, pid) else { continue };
            if found.insert(pid, count.processes[at].start_time).is_none() {
                waiting.extend(count.children.get(pid));
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

    /// The marks of a process now.
    pub(crate) fn marks(&self, pid: u32) -> Marks {
        Reader::new(self.variable, self.service.as_deref()).marks(pid)
    }

    /// Begins a new turn: the list is read again when it is needed.
    pub fn begin_turn(&mut self) {
        if let Some(count) = self.taken.take() {
            self.known = count.processes;
        }
        self.turn += 1;
    }

    /// Frees the list and the known marks. An idle supervisor calls this: otherwise each supervisor would keep a list of all
    /// processes of the machine in its memory.
    pub fn forget(&mut self) {
        (self.taken, self.known) = (None, Vec::new());
    }

    /// The number of the turn. The list is never shared between two turns.
    pub fn turn(&self) -> u64 {
        self.turn
    }

    fn take(&mut self) -> Vec<Process> {
        let now = ticks_since_boot();
        let mut processes: Vec<Process> = crate::stat::pids().filter_map(process).collect();
        processes.sort_unstable_by_key(|process| process.pid);
        let mut before = std::mem::take(&mut self.known);
        let mut reader = Reader::new(self.variable, self.service.as_deref());
        for process in &mut processes {
            let is_young = now.saturating_sub(process.start_time) < YOUNG_TICKS;
            let known = position(&before, process.pid).map(|at| &mut before[at]);
            let known = known.filter(|known| known.start_time == process.start_time);
            process.marks = match known {
                Some(known) if known.marks != Marks::default() || !is_young => {
                    std::mem::take(&mut known.marks)
                }
                _ => reader.marks(process.pid),
            };
        }
        processes
    }
}

/// The position of the process with that pid in a list that is sorted by pid.
fn position(processes: &[Process], pid: u32) -> Option<usize> {
    processes.binary_search_by_key(&pid, |process| process.pid).ok()
}

impl Count {
    fn of(processes: Vec<Process>) -> Self {
        let is_marked = |at: &usize| processes[*at].marks != Marks::default();
        Self {
            children: Index::of(&processes, |process| process.parent),
            groups: Index::of(&processes, |process| process.group),
            sessions: Index::of(&processes, |process| process.session),
            marked: (0..processes.len()).filter(is_marked).collect(),
            processes,
        }
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

/// The process with that pid, without its marks; `None` if there is none, if only its zombie is left, or if it is a kernel
/// thread.
pub(crate) fn process(pid: u32) -> Option<Process> {
    let Stat { parent, group, session, start_time, .. } =
        Stat::of_living(pid).filter(|stat| !stat.is_kernel_thread)?;
    Some(Process { pid, parent, group, session, start_time, marks: Marks::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_has_all_that_share_a_number_and_nobody_else() {
        let index = Index(vec![(1, 5), (2, 3), (2, 9), (4, 6)]);
        let get = |number| index.get(number).collect::<Vec<_>>();
        assert_eq!(
            [get(0), get(1), get(2), get(3), get(4), get(5)],
            [vec![], vec![5], vec![3, 9], vec![], vec![6], vec![]]
        );
    }

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
