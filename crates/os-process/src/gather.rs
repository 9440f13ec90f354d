//! Brings a process that was just started into its cgroup, with whatever it has started meanwhile.
//!
//! It is started first and enters afterwards, because entering takes 8 to 16 ms where nobody on the machine has entered a group a
//! moment ago: the kernel waits until every CPU has seen that it will. A process that is started again does not have to wait for that.
//! What it has started before it was in the group is found by descent: below the process, or, if its parent has ended, among our own
//! children. The search is repeated until nothing is found, so that at its end everything is in the group: whatever starts something in
//! the group stays there with it.
//!
//! Mostly it has started nothing yet, and the kernel says so: it tells which pid it gave away last. While that is the pid of the process
//! itself, nobody on the machine has started anything since, and there is nothing to search for. No other process can have got the
//! same pid meanwhile, because we have not reaped this one.

use std::collections::BTreeSet;
use std::io;

use crate::census::{Census, Process, process};
use crate::cgroup::Cgroup;
use crate::stat::{children, children_of_all_threads, is_newest};
use crate::tree::Tree;

/// How often the search is repeated: as long as anybody outside of the group can start processes faster than they are found.
const PASSES: usize = 64;

impl Tree {
    /// Brings its main process, which this process has just started, into its cgroup, if it has one. `known` are other children of
    /// ours.
    ///
    /// # Errors
    /// It may not enter, or the kernel does not list children, so that some of what it has started may be outside.
    pub fn gather(&self, main: u32, known: &BTreeSet<u32>, census: &Census) -> io::Result<()> {
        let Some(group) = self.cgroup() else { return Ok(()) };
        group.take(main)?;
        if is_newest(main) {
            return Ok(());
        }
        let unlisted = "the kernel does not list the children of a process";
        let mut inside = BTreeSet::from([main]);
        for _ in 0..PASSES {
            let listed = children(std::process::id());
            let listed = listed.ok_or_else(|| io::Error::new(io::ErrorKind::Unsupported, unlisted))?;
            let is_own = |pid: &u32| !known.contains(pid) && *pid != main && self.bears(*pid, main, census);
            let orphans = listed.into_iter().filter(is_own);
            if !take_all(group, orphans.chain([main]).collect(), &mut inside) {
                break;
            }
        }
        Ok(())
    }

    /// Brings every process of its into its cgroup that an earlier supervisor did not come to bring there.
    pub fn gather_left(&self, main: u32, census: &mut Census) {
        let Some(group) = self.cgroup() else { return };
        let mut inside = BTreeSet::new();
        for _ in 0..PASSES {
            let left = self.members(Some(main), census).into_keys().collect();
            if !take_all(group, left, &mut inside) {
                break;
            }
            census.begin_turn();
        }
    }

    fn bears(&self, pid: u32, main: u32, census: &Census) -> bool {
        process(pid)
            .is_some_and(|process| self.is_root(&Process { marks: census.marks(pid), ..process }, Some(main)))
    }
}

/// Brings these processes and all that descend from them into a group; whether one was outside of it. Whoever cannot be moved has ended.
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
        // After it was moved: what it starts from now on is in the group.
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

        /// Whether all of it is in the group, and we are not.
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
        shell.tree.gather(shell.main.id(), &BTreeSet::new(), &Census::new(VARIABLE)).expect("it may enter");
        assert!(shell.is_inside(), "{:?} {:?}", shell.group.members(), shell.others);
    }

    #[test]
    fn what_nobody_came_to_bring_into_a_group_is_brought_there_later() {
        let Some(shell) = Shell::start("gather-left") else { return };
        shell.tree.gather_left(shell.main.id(), &mut Census::new(VARIABLE));
        assert!(shell.is_inside(), "{:?} {:?}", shell.group.members(), shell.others);
    }
}
