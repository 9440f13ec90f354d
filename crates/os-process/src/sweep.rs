//! Ends the processes that a supervisor left, if no supervisor lives and none can be started: the spec is gone or damaged, the disk
//! is full, or the service directory was removed. The processes are found by their cgroups, their marks and their descent, as a
//! living supervisor finds them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::census::{Census, Process, families};
use crate::foreign::owner_beyond_reach;
use crate::identity::start_time;
use crate::mark::{is_of_service, read, tag, tag_of_service};
use crate::signal::signal_process;
use crate::stat::pids;

const LOOK: Duration = Duration::from_millis(20);
/// How long to wait for a process that survives SIGKILL. It may be in an uninterruptible sleep.
const UNKILLABLE: Duration = Duration::from_secs(5);

/// How the processes of one instance are ended.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// The signal that asks them to end.
    pub signal: Signal,
    /// How long they have for that.
    pub grace: Duration,
    /// The process that is sent the signal; `None`: all of them.
    pub only: Option<u32>,
}

/// The processes of a service directory, whether they are supervised or not. `N` is the name of an instance, the last part
/// of the path in its marker. A value that cannot be parsed as `N` counts as unknown.
#[derive(Debug)]
pub struct Strays<N> {
    service: PathBuf,
    names: Vec<N>,
    census: Census,
}

impl<N: FromStr + Display + Clone + Ord> Strays<N> {
    /// The processes of a service directory, which need not exist. `variable` is the environment variable that marks processes.
    /// Processes that have only a tag are assigned to the instances in `names`.
    pub fn of(service: &Path, variable: &'static str, names: Vec<N>) -> Self {
        Self { service: as_marked(service), names, census: Census::new(variable) }
    }

    /// The pids of all living processes by instance; under `None` those that belong to the service directory, but whose
    /// instance is not known.
    pub fn find(&mut self) -> BTreeMap<Option<N>, Vec<u32>> {
        let found = self.look().into_iter();
        found.map(|(name, tree)| (name, tree.into_iter().map(|(pid, _)| pid).collect())).collect()
    }

    /// Ends the processes of the instances for which `how` returns a manner: sends its signal, then SIGKILL after its grace period,
    /// until none is left. Returns those that survive SIGKILL. Processes that this process may not signal are not waited for.
    pub fn end(&mut self, how: impl Fn(Option<&N>) -> Option<Manner>) -> BTreeMap<Option<N>, Vec<u32>> {
        let begin = Instant::now();
        let mut told = BTreeSet::new();
        loop {
            let meant = self.look().into_iter();
            let left: Vec<_> = meant
                .filter_map(|(name, tree)| how(name.as_ref()).map(|manner| (name, tree, manner)))
                .collect();
            let waited = begin.elapsed();
            let mut pids = left.iter().flat_map(|(_, tree, _)| tree).map(|(pid, _)| *pid);
            let is_out_of_reach = pids.all(|pid| owner_beyond_reach(pid).is_some());
            if is_out_of_reach || left.iter().all(|(.., manner)| waited >= manner.grace + UNKILLABLE) {
                let pids = |tree: Vec<(u32, u64)>| tree.into_iter().map(|(pid, _)| pid).collect();
                return left.into_iter().map(|(name, tree, _)| (name, pids(tree))).collect();
            }
            for (_, tree, manner) in &left {
                manner.apply(tree, waited, &mut told);
            }
            thread::sleep(LOOK);
        }
    }

    fn look(&mut self) -> BTreeMap<Option<N>, Vec<(u32, u64)>> {
        self.census.begin_turn();
        let processes = self.census.processes();
        let service = tag_of_service(&self.service.to_string_lossy());
        let mut roots: BTreeMap<Option<N>, BTreeSet<u32>> = BTreeMap::new();
        for process in processes {
            let name = marked_name(process, &self.service);
            let is_tagged = process.marks.tag.is_some_and(|tag| is_of_service(tag, service));
            if name.is_some() || is_tagged {
                let bears_tag = |name: &&N| bears_tag(process, &self.service, *name);
                let name = name.or_else(|| self.names.iter().find(bears_tag).cloned());
                let group = crate::cgroup::group_of(process.pid);
                let members = group.iter().flat_map(crate::cgroup::Cgroup::members);
                roots.entry(name).or_default().extend(members.chain([process.pid]));
            }
        }
        let own = std::process::id();
        let tree = |roots: BTreeSet<u32>| {
            let tree = families(processes, |process| roots.contains(&process.pid));
            let of_tree =
                processes.iter().filter(|process| tree.contains(&process.pid) && process.pid != own);
            of_tree.map(|process| (process.pid, process.start_time)).collect::<Vec<_>>()
        };
        let trees = roots.into_iter().map(|(name, roots)| (name, tree(roots)));
        trees.filter(|(_, tree)| !tree.is_empty()).collect()
    }
}

impl Manner {
    /// Sends the signal to each process of a tree once, and SIGKILL once its time is over. A stopped process is continued, because
    /// it could not end otherwise.
    fn apply(&self, tree: &[(u32, u64)], waited: Duration, told: &mut BTreeSet<(u32, u64)>) {
        // If the one process that was to get the signal has ended, the others get it, because nobody else would tell them to end.
        let only = self.only.filter(|only| tree.iter().any(|(pid, _)| pid == only));
        for (pid, started) in tree.iter().copied() {
            let is_it = || start_time(pid) == Some(started);
            if waited >= self.grace {
                signal_process(pid, Signal::KILL, is_it);
            } else if told.insert((pid, started)) {
                if only.is_none_or(|only| only == pid) {
                    signal_process(pid, self.signal, is_it);
                }
                signal_process(pid, Signal::CONT, is_it);
            }
        }
    }
}

/// The pids of the processes that execute `program` with a service directory as their first argument, even if the directory was
/// removed. Unless this process is root, only processes of its own user are found.
pub fn executing(program: &str, service: &Path) -> Vec<u32> {
    let wanted = [service.to_owned(), as_marked(service)];
    let own = rustix::process::geteuid();
    let mut buffer = Vec::new();
    let is_meant = |pid: &u32| {
        let line = read(&format!("/proc/{pid}/cmdline"), &mut buffer);
        let mut words = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let is_program = words.next().is_some_and(|word| Path::new(&*word).ends_with(program));
        // The owner is looked up last, for very few processes: each deploy of a new app looks at all processes of the machine.
        let is_ours = || {
            let process = fs::metadata(format!("/proc/{pid}"));
            process.is_ok_and(|file| own.is_root() || file.uid() == own.as_raw())
        };
        is_program
            && words.next().is_some_and(|word| wanted.iter().any(|path| *word == *path.to_string_lossy()))
            && is_ours()
    };
    let mut found: Vec<u32> = pids().filter(is_meant).collect();
    // A zombie does not execute anything.
    found.retain(|pid| start_time(*pid).is_some());
    found
}

/// The path of a service directory as its supervisor writes it into marks, with links resolved. It need not exist.
fn as_marked(service: &Path) -> PathBuf {
    let resolved = service.canonicalize().or_else(|error| {
        let (parent, name) = (service.parent(), service.file_name());
        match (parent, name) {
            (Some(parent), Some(name)) => Ok(parent.canonicalize()?.join(name)),
            _ => Err(error),
        }
    });
    resolved.unwrap_or_else(|_| service.to_owned())
}

/// The instance in the marker of a process.
fn marked_name<N: FromStr>(process: &Process, service: &Path) -> Option<N> {
    let marker = Path::new(process.marks.marker.as_deref()?);
    let is_ours = marker.parent() == Some(service);
    is_ours.then(|| marker.file_name()?.to_str()?.parse().ok()).flatten()
}

fn bears_tag<N: Display>(process: &Process, service: &Path, name: &N) -> bool {
    process.marks.tag == Some(tag(&service.join(name.to_string()).to_string_lossy()))
}
