//! Limits of memory, CPU time and number of processes for a whole tree, enforced by the kernel's controllers. In
//! version 2 of cgroups they are set on the group in which the tree lives anyway. In version 1 each controller has a
//! hierarchy of its own, and the tree gets a group in each one that it needs. If a controller is not available, the
//! reason is returned, and the others are used.
//!
//! Version 2 allows controllers only in groups whose parent contains no processes. So if our groups are below a group that was
//! delegated to us, such as that of a systemd unit, the supervisors in that group move into a subgroup first.

mod group;
mod lack;
mod memory;
mod swap;

use std::fmt::Display;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::Access;
use rustix::process::geteuid;

use crate::cgroup::{self, Cgroup, CgroupRoot, PARENT, PROCESSES, ServiceName, mounts};
pub use group::LimitGroup;
pub use lack::Lack;
pub use memory::{MemoryGroup, MemoryWatch};

/// The file that lists the controllers which a group passes on to the groups below it.
pub(crate) const CONTROL: &str = "cgroup.subtree_control";

/// A resource that can be limited, by the name of its controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Controller {
    /// The size of memory.
    Memory,
    /// The time of the CPUs.
    Cpu,
    /// The number of processes and threads.
    Pids,
}

/// The limits of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory, in bytes.
    pub memory: Option<u64>,
    /// CPU time, in thousandths of a CPU.
    pub cpu: Option<u32>,
    /// The number of processes and threads.
    pub pids: Option<u64>,
    /// Whether the memory use of the tree is measured, also without a limit.
    pub is_measured: bool,
}

/// The process that makes groups.
#[derive(Clone, Copy, Debug)]
pub struct Maker {
    /// The pid; `None`: this process.
    pub process: Option<u32>,
    /// The number of the user it runs as.
    pub user: u32,
    /// Whether a process of this pid is one of ours, which may be moved into the subgroup of supervisors.
    pub is_ours: fn(u32) -> bool,
}

/// The places where limits can be set, or the reasons why not, for each controller.
#[derive(Debug)]
pub struct LimitRoot {
    service: ServiceName,
    is_ours: fn(u32) -> bool,
    memory: Result<Place, Lack>,
    cpu: Result<Place, Lack>,
    pids: Result<Place, Lack>,
}

/// Where groups of a controller are made.
#[derive(Clone, Debug)]
enum Place {
    /// The directory of our groups in the hierarchy of this controller.
    V1(PathBuf),
    /// The directory of the groups of all trees.
    V2(PathBuf),
}

impl Controller {
    /// All controllers.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Cpu, Self::Pids];

    /// The name of the controller.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Pids => "pids",
        }
    }
}

impl Limits {
    /// Whether a tree with these limits needs this controller.
    pub fn need(&self, controller: Controller) -> bool {
        match controller {
            Controller::Memory => self.memory.is_some() || self.is_measured,
            Controller::Cpu => self.cpu.is_some(),
            Controller::Pids => self.pids.is_some(),
        }
    }
}

impl LimitRoot {
    /// Finds out where this maker can set limits for the trees of a service.
    pub fn find(maker: Maker, service: ServiceName) -> Self {
        let process = maker.process.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
        let own = fs::read_to_string(format!("/proc/{process}/cgroup")).unwrap_or_default();
        let cgroups: Vec<String> =
            mounts().into_iter().flatten().filter(|line| line.contains(" - cgroup")).collect();
        let v2 = CgroupRoot::parent_for(maker.process);
        let place = |controller| place(controller, &own, &cgroups, v2.as_deref(), maker);
        Self {
            service,
            is_ours: maker.is_ours,
            memory: place(Controller::Memory),
            cpu: place(Controller::Cpu),
            pids: place(Controller::Pids),
        }
    }

    /// Why this controller cannot limit anything; `None` if it can.
    pub fn lack(&self, controller: Controller) -> Option<&Lack> {
        self.place(controller).as_ref().err()
    }

    /// Whether a limit of memory would not include swap, and the machine has swap. In version 2, a group without a parent has no file
    /// that shows that; then the answer is `false`.
    pub fn leaves_swap(&self) -> bool {
        let is_limited = match &self.memory {
            Ok(Place::V1(parent)) => parent.parent().is_none_or(|base| base.join(swap::OF_V1).exists()),
            Ok(Place::V2(parent)) => parent
                .parent()
                .is_none_or(|base| !base.join("cgroup.type").exists() || base.join(swap::OF_V2).exists()),
            Err(_) => true,
        };
        !is_limited && swap::is_on()
    }

    /// Makes the groups of the tree with this name, whose processes live in `tree`, with its limits. Also returns the limits that could
    /// not be set, with the reasons.
    pub fn make(
        &self,
        tree: Option<&Cgroup>,
        name: impl Display,
        limits: &Limits,
    ) -> (LimitGroup, Vec<(Controller, Lack)>) {
        let mut group = LimitGroup::default();
        let mut lacking = Vec::new();
        for controller in Controller::ALL.into_iter().filter(|controller| limits.need(*controller)) {
            let made = self
                .directory(controller, tree, &name)
                .and_then(|(directory, is_v2)| group.add(controller, directory, is_v2, limits));
            if let Err(lack) = made {
                lacking.push((controller, lack));
            }
        }
        (group, lacking)
    }

    /// The groups that were made for a tree with this name, as far as they exist.
    pub fn left(&self, tree: Option<&Cgroup>, name: impl Display) -> LimitGroup {
        let mut group = LimitGroup::default();
        for controller in Controller::ALL {
            let directory = match (self.place(controller), tree) {
                (Ok(Place::V1(parent)), _) => Some((self.named(parent, &name), false)),
                (Ok(Place::V2(_)), Some(tree)) => Some((tree.path().to_owned(), true)),
                (Ok(Place::V2(_)), None) | (Err(_), _) => None,
            };
            if let Some((directory, is_v2)) = directory.filter(|(directory, _)| directory.is_dir()) {
                group.take_over(controller, directory, is_v2);
            }
        }
        group
    }

    /// The groups that were made for a living tree with this name, with its limits written again: if the controllers were removed from
    /// the groups above, the limits were lost too. That happens only in version 2.
    pub fn again(
        &self,
        tree: Option<&Cgroup>,
        name: impl Display,
        limits: &Limits,
    ) -> (LimitGroup, Vec<(Controller, Lack)>) {
        let mut group = self.left(tree, &name);
        let mut lacking = Vec::new();
        let is_there = tree.is_some_and(|tree| tree.path().is_dir());
        for controller in Controller::ALL.into_iter().filter(|one| is_there && limits.need(*one)) {
            if !matches!(self.place(controller), Ok(Place::V2(_)) | Err(Lack::Occupied { .. })) {
                continue;
            }
            let made = self
                .directory(controller, tree, &name)
                .and_then(|(directory, is_v2)| group.add(controller, directory, is_v2, limits));
            lacking.extend(made.err().map(|lack| (controller, lack)));
        }
        (group, lacking)
    }

    /// Removes the empty groups of version 1 that supervisors of the service left behind.
    pub fn remove_empty_groups(&self) {
        for place in [&self.memory, &self.cpu, &self.pids] {
            let Ok(Place::V1(parent)) = place else { continue };
            let prefix = format!("{}-", self.service.own);
            for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
                if entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix)) {
                    let _ = fs::remove_dir(entry.path());
                }
            }
            let _ = fs::remove_dir(parent);
        }
    }

    fn place(&self, controller: Controller) -> &Result<Place, Lack> {
        match controller {
            Controller::Memory => &self.memory,
            Controller::Cpu => &self.cpu,
            Controller::Pids => &self.pids,
        }
    }

    fn named(&self, parent: &Path, name: impl Display) -> PathBuf {
        parent.join(format!("{}-{name}", self.service.own))
    }

    /// The directory in which a tree is limited, which is made if necessary, and whether it is of version 2.
    fn directory(
        &self,
        controller: Controller,
        tree: Option<&Cgroup>,
        name: impl Display,
    ) -> Result<(PathBuf, bool), Lack> {
        let refused = |path: &Path| {
            let path = path.to_owned();
            move |reason: io::Error| Lack::Refused { path, reason: reason.to_string() }
        };
        match self.place(controller) {
            Ok(Place::V1(parent)) => {
                let directory = self.named(parent, name);
                fs::create_dir_all(&directory).map_err(refused(&directory))?;
                Ok((directory, false))
            }
            Ok(Place::V2(parent)) => {
                let tree = tree.ok_or(Lack::NoGroups)?;
                tree.make().map_err(refused(parent))?;
                self.enable(controller, parent)?;
                Ok((tree.path().to_owned(), true))
            }
            Err(lack) => Err(lack.clone()),
        }
    }

    /// Enables this controller for the groups below `parent`.
    fn enable(&self, controller: Controller, parent: &Path) -> Result<(), Lack> {
        for directory in parent.parent().into_iter().chain([parent]) {
            if has_word(&directory.join(CONTROL), controller.as_str()) {
                continue;
            }
            let order = format!("+{}", controller.as_str());
            let enabled = fs::write(directory.join(CONTROL), &order).or_else(|error| {
                if error.kind() != io::ErrorKind::ResourceBusy {
                    return Err(error);
                }
                self.leave(directory)?;
                fs::write(directory.join(CONTROL), &order)
            });
            enabled.map_err(|error| {
                let refused = || Lack::Refused { path: directory.join(CONTROL), reason: error.to_string() };
                occupant(directory, self.is_ours).unwrap_or_else(refused)
            })?;
        }
        Ok(())
    }

    /// Moves the supervisors that live in a group into a subgroup of it.
    fn leave(&self, directory: &Path) -> io::Result<()> {
        let leaf = directory.join(cgroup::LEAF);
        fs::create_dir_all(&leaf)?;
        for pid in cgroup::members(directory).into_iter().filter(|pid| (self.is_ours)(*pid)) {
            // A supervisor that has ended meanwhile is not in the way.
            let _ = fs::write(leaf.join(PROCESSES), pid.to_string());
        }
        Ok(())
    }
}

/// The place where groups of a controller can be made.
fn place(
    controller: Controller,
    own: &str,
    cgroups: &[String],
    v2: Option<&Path>,
    maker: Maker,
) -> Result<Place, Lack> {
    if let Some(group) = v1_group(own, controller) {
        let mount = v1_mount(cgroups, controller).ok_or(Lack::NotThere(controller))?;
        let bases = [mount.clone(), mount.join(group.trim_start_matches('/'))];
        let can_make = |base: &PathBuf| {
            let parent = base.join(PARENT);
            may_write(if parent.is_dir() { &parent } else { base }, maker.user)
        };
        let base = bases.into_iter().find(can_make);
        return base.map(|base| Place::V1(base.join(PARENT))).ok_or(Lack::NotWritable(mount));
    }
    let parent = v2.ok_or(Lack::NoGroups)?;
    let base = parent.parent().unwrap_or(parent);
    if !has_word(&base.join("cgroup.controllers"), controller.as_str()) {
        return Err(Lack::NotThere(controller));
    }
    if !has_word(&base.join(CONTROL), controller.as_str()) {
        if !may_write(&base.join(CONTROL), maker.user) {
            return Err(Lack::NotWritable(base.to_owned()));
        }
        // The root group may contain processes and have controllers all the same. It is the only group without a type file.
        if let Some(lack) = occupant(base, maker.is_ours).filter(|_| base.join("cgroup.type").exists()) {
            return Err(lack);
        }
    }
    Ok(Place::V2(parent.to_owned()))
}

/// A process in the group that does not belong to this project.
fn occupant(directory: &Path, is_ours: fn(u32) -> bool) -> Option<Lack> {
    let pid = cgroup::members(directory).into_iter().find(|pid| !is_ours(*pid))?;
    Some(Lack::Occupied { group: directory.to_owned(), pid })
}

/// The group of a process in the hierarchy of version 1 that has this controller, if there is one: `4:memory:/docker/x`.
fn v1_group(groups: &str, controller: Controller) -> Option<&str> {
    groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let has = fields.next()?.split(',').any(|word| word == controller.as_str());
        has.then(|| fields.next())?
    })
}

/// Where a controller of version 1 is mounted (proc(5), mountinfo: type, source and options follow ` - `).
fn v1_mount(mountinfo: &[String], controller: Controller) -> Option<PathBuf> {
    mountinfo.iter().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let has =
            kind.next() == Some("cgroup") && kind.nth(1)?.split(',').any(|word| word == controller.as_str());
        has.then(|| mount.split(' ').nth(4).map(PathBuf::from))?
    })
}

fn has_word(file: &Path, word: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.split_whitespace().any(|known| known == word))
}

/// Whether that user may write to a file. For another user than that of this process, the answer is whether the user owns the file.
fn may_write(path: &Path, user: u32) -> bool {
    if user == geteuid().as_raw() {
        return rustix::fs::access(path, Access::WRITE_OK).is_ok();
    }
    path.metadata().is_ok_and(|file| file.uid() == user && file.mode() & 0o200 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hierarchy_of_a_controller_is_found_by_its_name_alone() {
        let groups = "5:cpu,cpuacct:/a:b\n4:memory:/docker/x\n1:name=systemd:/y\n0::/z\n";
        assert_eq!(v1_group(groups, Controller::Memory), Some("/docker/x"));
        assert_eq!(v1_group(groups, Controller::Cpu), Some("/a:b"));
        assert_eq!(v1_group(groups, Controller::Pids), None);
        let mounts = [
            "30 23 0:26 / /c/cpu rw - cgroup cgroup rw,cpu,cpuacct",
            "31 23 0:27 / /c/u rw - cgroup2 x rw,memory",
        ];
        let mounts = mounts.map(str::to_owned);
        assert_eq!(v1_mount(&mounts, Controller::Cpu), Some(PathBuf::from("/c/cpu")));
        assert_eq!(v1_mount(&mounts, Controller::Memory), None);
    }

    #[test]
    fn a_tree_without_a_limit_needs_no_controller_and_one_that_is_measured_needs_memory() {
        let need = |limits: Limits| Controller::ALL.map(|controller| limits.need(controller));
        assert_eq!(need(Limits::default()), [false; 3]);
        assert_eq!(need(Limits { is_measured: true, ..Limits::default() }), [true, false, false]);
        assert_eq!(need(Limits { cpu: Some(500), pids: Some(9), ..Limits::default() }), [false, true, true]);
    }
}
