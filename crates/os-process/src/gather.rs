//! Moves processes that were just started into their cgroups, with all children that they have started meanwhile.
//!
//! They are started first and moved afterwards, all that were started together at once. Moving takes 8 to 16 ms if no
//! other process of the machine has entered a group a moment ago, because the kernel waits until every CPU has noticed.
//! No process has to wait for that. Children that a process has started before it was moved are found by descent: below
//! the process or, if their parent has ended, among our own children. The search is repeated until it finds nothing.
//! Then everything is in the group, because children of a process in the group are in the group too.
//!
//! Usually the processes have started no children yet, and the kernel shows that. It gives out pids in sequence, and
//! says which one it gave out last. If the new processes have all pids up to that one, no other process was started on
//! the machine, and there is nothing to search for. No other process can have got one of these pids meanwhile, because
//! we have not reaped them.

use std::collections::BTreeSet;
use std::io;

use crate::census::{Census, Process, process};
use crate::cgroup::Cgroup;
use crate::stat::{children, children_of_all_threads, is_newest};
use crate::tree::Tree;

/// How often the search is repeated at most. Many passes are needed only if processes outside of the groups start others faster than they
/// are found.
const PASSES: usize = 64;

/// A process that this process has just started, and that is not in its cgroup yet.
#[derive(Debug)]
pub struct Newcomer {
    /// Its tree.
    pub tree: Tree,
    /// Its pid. It has not been reaped.
    pub main: u32,
}

/// Moves processes into their cgroups, in the order in which they were started. `known` are all children of this process that are the main
/// process of a tree. Returns the pids of those that may not enter their group, and of those that may have children outside of it because
/// the kernel does not list children.
pub fn gather(newcomers: &[Newcomer], known: &BTreeSet<u32>, census: &Census) -> Vec<(u32, io::Error)> {
    let (mut failed, mut entered) = (Vec::new(), Vec::new());
    for newcomer in newcomers {
        let Some(group) = newcomer.tree.cgroup() else { continue };
        match group.take(newcomer.main) {
            Ok(()) => entered.push((newcomer, group, BTreeSet::from([newcomer.main]))),
            Err(error) => failed.push((newcomer.main, error)),
        }
    }
    if are_the_newest(newcomers) {
        return failed;
    }
    for _ in 0..PASSES {
        let Some(listed) = children(std::process::id()) else {
            let unlisted = || io::Error::new(io::ErrorKind::Unsupported, "the kernel does not list children");
            failed.extend(entered.iter().map(|(newcomer, ..)| (newcomer.main, unlisted())));
            break;
        };
        let orphans: Vec<u32> = listed.into_iter().filter(|pid| !known.contains(pid)).collect();
        let mut was_outside = false;
        for (Newcomer { tree, main }, group, inside) in &mut entered {
            let own = orphans.iter().copied().filter(|pid| pid != main && tree.bears(*pid, *main, census));
            was_outside |= take_all(group, own.chain([*main]).collect(), inside);
        }
        if !was_outside {
            break;
        }
    }
    failed
}

/// Whether no other process was started on the machine since the first of these.
fn are_the_newest(newcomers: &[Newcomer]) -> bool {
    newcomers.windows(2).all(|pair| pair[0].main.checked_add(1) == Some(pair[1].main))
        && newcomers.last().is_some_and(|last| is_newest(last.main))
}

/// Moves every process of these trees that an earlier supervisor had not moved yet into its cgroup. Each tree comes with its main process,
/// which is alive.
pub fn gather_left(left: &[(&Tree, u32)], census: &mut Census) {
    let mut inside = vec![BTreeSet::new(); left.len()];
    for _ in 0..PASSES {
        let mut was_outside = false;
        for ((tree, main), inside) in left.iter().zip(&mut inside) {
            let Some(group) = tree.cgroup() else { continue };
            let members = tree.members(Some(*main), census).into_keys().collect();
            was_outside |= take_all(group, members, inside);
        }
        if !was_outside {
            break;
        }
        census.begin_turn();
    }
}

impl Tree {
    fn bears(&self, pid: u32, main: u32, census: &Census) -> bool {
        process(pid)
            .is_some_and(|process| self.is_root(&Process { marks: census.marks(pid), ..process }, Some(main)))
    }
}

/// Moves these processes and all their descendants into a group. Returns whether one was outside of it. A process that cannot be moved has
/// ended.
fn take_all(group: &Cgroup, mut waiting: Vec<u32>, inside: &mut BTreeSet<u32>) -> bool {
    let (mut looked_at, mut was_outside) = (BTreeSet::new(), false);
    while let Some(pid) = waiting.pop() {
        if !looked_at.insert(pid) {
            continue;
        }
        if !inside.contains(&pid) {
            inside.extend(group.members());
        }
        if inside.insert(pid) {
            was_outside |= group.take(pid).is_ok();
        }
        // This comes after the move: children that the process starts from now on are in the group.
        waiting.extend(children_of_all_threads(pid));
    }
    was_outside
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::cgroup::{CgroupRoot, ServiceName};

    const VARIABLE: &str = "OS_PROCESS_TEST_GATHER";

    /// A shell outside of its group that has started a child, and a grandchild whose parent has ended.
    struct Shell {
        group: Cgroup,
        tree: Tree,
        main: Child,
        others: Vec<u32>,
    }

    impl Shell {
        fn start(name: &str) -> Option<Self> {
            rustix::process::set_child_subreaper(Some(rustix::process::getpid())).expect("every process may");
            let own = format!("test-{name}-{}", std::process::id());
            let root = CgroupRoot::find(|| Some(ServiceName { own, earlier: None }))?;
            let group = root.group("web.1@1");
            group.make().expect("a group");
            let marker = format!("/srv/{name}/web.1@1");
            let mut command = Command::new("sh");
            let script = "sleep 600 & echo $!; (setsid sleep 600 & echo $!); echo done; wait";
            command.args(["-c", script]).env(VARIABLE, &marker).stdout(Stdio::piped());
            let mut main = command.spawn().expect("sh is there");
            let lines = BufReader::new(main.stdout.take().expect("piped")).lines().map_while(Result::ok);
            let others =
                lines.take_while(|line| line != "done").map(|pid| pid.parse().expect("a pid")).collect();
            Some(Self { tree: Tree::new(Some(group.clone()), marker, true), group, main, others })
        }

        /// Whether all processes of the shell are in the group, and this test is not.
        fn is_inside(&self) -> bool {
            let members = self.group.members();
            let is_in = |pid: &u32| members.contains(pid);
            self.others.len() == 2
                && self.others.iter().chain([&self.main.id()]).all(is_in)
                && !is_in(&std::process::id())
        }
    }

    impl Drop for Shell {
        fn drop(&mut self) {
            for pid in self.others.iter().copied().chain([self.main.id()]) {
                crate::signal::signal_process(pid, rustix::process::Signal::KILL, || true);
            }
            let _ = self.main.wait();
            let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
            while !self.group.is_empty() && std::time::Instant::now() < deadline {
                std::thread::yield_now();
            }
            self.group.remove();
        }
    }

    #[test]
    fn what_a_process_started_before_it_was_in_its_group_is_brought_there_too() {
        let Some(shell) = Shell::start("gather") else { return };
        let Some(other) = Shell::start("gather-other") else { return };
        let mains = BTreeSet::from([shell.main.id(), other.main.id()]);
        let newcomers =
            [&shell, &other].map(|shell| Newcomer { tree: shell.tree.clone(), main: shell.main.id() });
        // Another program has removed the machine's empty groups meanwhile.
        other.group.remove();
        assert!(gather(&newcomers, &mains, &Census::new(VARIABLE)).is_empty(), "they may enter");
        for shell in [shell, other] {
            assert!(shell.is_inside(), "{:?} {:?}", shell.group.members(), shell.others);
        }
    }

    #[test]
    fn a_process_that_may_not_enter_is_named() {
        let parent = tempfile::tempdir().expect("a directory");
        let file = parent.path().join("file");
        std::fs::write(&file, "no group").expect("written");
        let group = Cgroup::at(file.join("none"));
        let main = std::process::id();
        let tree = Tree::new(Some(group), "/srv/none/web.1@1".to_owned(), true);
        let failed = gather(&[Newcomer { tree, main }], &BTreeSet::new(), &Census::new(VARIABLE));
        assert_eq!(failed.iter().map(|(pid, _)| *pid).collect::<Vec<_>>(), [main], "{failed:?}");
    }

    #[test]
    fn what_nobody_came_to_bring_into_a_group_is_brought_there_later() {
        let Some(shell) = Shell::start("gather-left") else { return };
        gather_left(&[(&shell.tree, shell.main.id())], &mut Census::new(VARIABLE));
        assert!(shell.is_inside(), "{:?} {:?}", shell.group.members(), shell.others);
    }
}
