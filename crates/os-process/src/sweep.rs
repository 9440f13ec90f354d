//! Ends the processes that a supervisor left, if no supervisor lives and none can be started: the spec is gone or damaged,
//! the disk is full, or the service directory was removed. Processes are found by their cgroups, their marks and their
//! descent, as a living supervisor does.

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
use crate::mark::{is_of_service, tag, tag_of_service};
use crate::signal::signal_process;
use crate::stat::pids;

const LOOK: Duration = Duration::from_millis(20);
/// How long a process that survives SIGKILL is waited for. It may be in an uninterruptible sleep.
const UNKILLABLE: Duration = Duration::from_secs(5);

/// The processes of a service directory, whether they are supervised or not. `N` is the name of an instance, the last part
/// of the path in its marker. A value that cannot be parsed as `N` counts as unknown.
#[derive(Debug)]
pub struct Strays<N> {
    service: PathBuf,
    names: Vec<N>,
    census: Census,
}

impl<N: FromStr + Display + Clone + Ord> Strays<N> {
    /// For a service directory, which need not exist. `variable` is the environment variable that marks processes. By
    /// `names`, processes that have only a tag are assigned to their instances.
    pub fn of(service: &Path, variable: &'static str, names: Vec<N>) -> Self {
        Self { service: as_marked(service), names, census: Census::new(variable) }
    }

    /// The pids of all living processes by instance; under `None` those that belong to the service directory, but whose
    /// instance is not known.
    pub fn find(&mut self) -> BTreeMap<Option<N>, Vec<u32>> {
        let found = self.look().into_iter();
        found.map(|(name, tree)| (name, tree.into_iter().map(|(pid, _)| pid).collect())).collect()
    }

    /// Ends the processes that `is_meant` selects: SIGTERM, then SIGKILL after `grace`, until none is left. Returns those
    /// that survive SIGKILL. Processes that we may not signal are not waited for.
    pub fn end(
        &mut self,
        grace: Duration,
        is_meant: impl Fn(Option<&N>) -> bool,
    ) -> BTreeMap<Option<N>, Vec<u32>> {
        let begin = Instant::now();
        let mut told = BTreeSet::new();
        loop {
            let mut left = self.look();
            left.retain(|name, _| is_meant(name.as_ref()));
            let waited = begin.elapsed();
            let mut pids = left.values().flatten().map(|(pid, _)| *pid);
            let is_out_of_reach = pids.all(|pid| owner_beyond_reach(pid).is_some());
            if is_out_of_reach || waited >= grace + UNKILLABLE {
                let pids = |tree: Vec<(u32, u64)>| tree.into_iter().map(|(pid, _)| pid).collect();
                return left.into_iter().map(|(name, tree)| (name, pids(tree))).collect();
            }
            for (pid, started) in left.into_values().flatten() {
                let is_it = || start_time(pid) == Some(started);
                if waited >= grace {
                    signal_process(pid, Signal::KILL, is_it);
                } else if told.insert((pid, started)) {
                    signal_process(pid, Signal::TERM, is_it);
                    signal_process(pid, Signal::CONT, is_it);
                }
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

/// The pids of the processes that execute `program` with a service directory as their first argument, even if the directory
/// was removed. Unless we are root, only our own processes are found.
pub fn executing(program: &str, service: &Path) -> Vec<u32> {
    let wanted = [service.to_owned(), as_marked(service)];
    let own = rustix::process::geteuid();
    let is_meant = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let is_program = words.next().is_some_and(|word| Path::new(&*word).ends_with(program));
        let is_ours = fs::metadata(format!("/proc/{pid}"))
            .is_ok_and(|file| own.is_root() || file.uid() == own.as_raw());
        is_program
            && is_ours
            && words.next().is_some_and(|word| wanted.iter().any(|path| *word == *path.to_string_lossy()))
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
