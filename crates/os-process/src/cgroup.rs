//! A cgroup v2 group for each instance, if the machine permits it. No process that the instance starts can leave the group,
//! and one write kills them all.

use std::fmt;
use std::fs;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

pub(crate) const PARENT: &str = "formation";
/// The group into which supervisors move before the group that they were in gives controllers to the groups below it.
pub(crate) const LEAF: &str = "formation-supervisors";
/// The group below that of a unit into which systemd puts the root, from version 254 on (`DelegateSubgroup=`); the supervisors
/// that it starts live there as well.
pub const UNIT_SUBGROUP: &str = "formation-root";
/// The file that lists the processes of a group. A process that is written to it joins the group.
pub(crate) const PROCESSES: &str = "cgroup.procs";

/// A writable directory of a cgroup2 mount in which groups are made.
#[derive(Clone, Debug)]
pub struct CgroupRoot {
    parent: PathBuf,
    service: ServiceName,
}

/// The prefixes of the names of one service's groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceName {
    /// The prefix of new groups.
    pub own: String,
    /// The prefix of an earlier version, whose groups may still exist.
    pub earlier: Option<String>,
}

/// The group of one instance.
#[derive(Clone, Debug)]
pub struct Cgroup {
    path: PathBuf,
}

impl CgroupRoot {
    /// A directory for the groups of a service; `None` if no cgroup2 mount is writable. `service` is only called if there
    /// is one. The root of the mount is tried first, then the group of this process, which may be delegated to us.
    pub fn find(service: impl FnOnce() -> Option<ServiceName>) -> Option<Self> {
        let mount = cgroup2_mount(mounts()?)?;
        let parent = parent_below(&mount, None)?;
        Some(Self { parent, service: service()? })
    }

    /// The directory in which this process, or the one of that pid, makes its groups.
    pub(crate) fn parent_for(process: Option<u32>) -> Option<PathBuf> {
        parent_below(&cgroup2_mount(mounts()?)?, process)
    }

    /// The names of the instances that have a group.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.parent).into_iter().flatten().flatten();
        let name = |entry: fs::DirEntry| {
            let name = entry.file_name();
            let after = |service: &String| name.to_str()?.strip_prefix(service)?.strip_prefix('-');
            self.service.all().find_map(after).map(str::to_owned)
        };
        entries.filter_map(name).collect()
    }

    /// The group of an instance: an existing one under the earlier prefix, or one that [`Cgroup::make`] makes.
    pub fn group(&self, name: impl fmt::Display) -> Cgroup {
        let path = |service: &String| self.parent.join(format!("{service}-{name}"));
        let earlier = self.service.earlier.as_ref().map(path).filter(|path| path.exists());
        Cgroup { path: earlier.unwrap_or_else(|| path(&self.service.own)) }
    }

    /// Removes the empty groups that dead supervisors of the service left behind.
    pub fn remove_empty_groups(&self) {
        for name in self.names() {
            self.group(name).remove();
        }
        let _ = fs::remove_dir(&self.parent);
    }
}

impl ServiceName {
    fn all(&self) -> impl Iterator<Item = &String> {
        [Some(&self.own), self.earlier.as_ref()].into_iter().flatten()
    }
}

fn parent_below(mount: &Path, process: Option<u32>) -> Option<PathBuf> {
    let process = process.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
    let own = fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
    let own = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
    let own = mount.join(own.trim_start_matches('/'));
    [mount.join(PARENT), home(&own).join(PARENT)].into_iter().find(|parent| is_usable(parent))
}

/// The group below which the supervisors that live in `own` make their groups. It is the parent of `own` if `own` is a group for
/// supervisors.
fn home(own: &Path) -> &Path {
    let is_leaf = [LEAF, UNIT_SUBGROUP].iter().any(|name| own.ends_with(name));
    own.parent().filter(|_| is_leaf).unwrap_or(own)
}

/// The pids of the processes of the group of that directory, without those of groups below it.
pub(crate) fn members(group: &Path) -> Vec<u32> {
    let list = fs::read_to_string(group.join(PROCESSES)).unwrap_or_default();
    list.lines().filter_map(|line| line.parse().ok()).collect()
}

/// The group of a process, if it is a group that this project has made. No group is made.
pub(crate) fn group_of(pid: u32) -> Option<Cgroup> {
    let mount = cgroup2_mount(mounts()?)?;
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    let group = Path::new(groups.lines().find_map(|line| line.strip_prefix("0::/"))?);
    let is_ours = group.parent().is_some_and(|parent| parent.ends_with(PARENT));
    is_ours.then(|| Cgroup { path: mount.join(group) })
}

impl Cgroup {
    #[cfg(test)]
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Makes the group if it does not exist.
    pub fn make(&self) -> io::Result<()> {
        // The parent directory may have been removed with its last group.
        fs::create_dir_all(&self.path)
    }

    /// The file to which a process writes `0` to join the group.
    pub fn joining_file(&self) -> PathBuf {
        self.path.join(PROCESSES)
    }

    /// Moves a process into the group, with all its threads. Between the start of the first process and this call, another
    /// program may have removed the group because it is empty; then it is made again.
    pub(crate) fn take(&self, pid: u32) -> io::Result<()> {
        match fs::write(self.joining_file(), pid.to_string()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.make()?;
                fs::write(self.joining_file(), pid.to_string())
            }
            written => written,
        }
    }

    /// Whether no process is left in the group or in groups below it.
    pub fn is_empty(&self) -> bool {
        let events = fs::read_to_string(self.path.join("cgroup.events")).unwrap_or_default();
        !events.lines().any(|line| line == "populated 1")
    }

    /// Sends SIGKILL to every process in the group at once, so that none can fork meanwhile.
    pub fn kill(&self) {
        // If this fails, the group is gone already; the caller finds it empty.
        let _ = fs::write(self.path.join("cgroup.kill"), "1");
    }

    /// Sends a signal to each process in the group. After its pidfd is opened, each pid is checked again, so that no other
    /// process is signalled. Returns the pids that were signalled.
    pub fn signal(&self, signal: Signal) -> Vec<u32> {
        let pin = |pid: u32| {
            let raw = Pid::from_raw(i32::try_from(pid).ok()?)?;
            Some((pid, pidfd_open(raw, PidfdFlags::empty()).ok()?))
        };
        let pinned: Vec<_> = self.members().into_iter().filter_map(pin).collect();
        let members = self.members();
        let is_member = |(pid, _): &(u32, _)| members.contains(pid);
        let mut told = Vec::new();
        for (pid, pidfd) in pinned.into_iter().filter(is_member) {
            let _: Result<(), Errno> = pidfd_send_signal(pidfd, signal);
            told.push(pid);
        }
        told
    }

    /// Thaws the group, if it is frozen.
    pub(crate) fn thaw(&self) {
        thaw(&self.path);
    }

    /// Removes the group if it is empty, and then the directory of all groups if that is empty.
    pub fn remove(&self) {
        let _ = fs::remove_dir(&self.path);
        let _ = self.path.parent().map(fs::remove_dir);
    }

    /// The pids of the processes in the group.
    pub fn members(&self) -> Vec<u32> {
        members(&self.path)
    }

    /// The directory of the group.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Thaws the group of that directory, if that is permitted.
pub(crate) fn thaw(group: &Path) {
    let file = group.join("cgroup.freeze");
    if fs::read_to_string(&file).is_ok_and(|state| state.trim() == "1") {
        let _ = fs::write(file, "0");
    }
}

/// Whether groups can be made there and killed as a whole (Linux 5.14).
fn is_usable(parent: &Path) -> bool {
    match fs::create_dir(parent) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => false,
        _ => parent.join("cgroup.kill").exists() && is_writable(parent),
    }
}

fn is_writable(parent: &Path) -> bool {
    rustix::fs::access(parent, rustix::fs::Access::WRITE_OK).is_ok()
}

/// The lines of mountinfo, one at a time: a machine with many containers has thousands of them, and memory that was used once is
/// not given back to the system.
pub(crate) fn mounts() -> Option<impl Iterator<Item = String>> {
    let mounts = fs::File::open("/proc/self/mountinfo").ok()?;
    Some(io::BufReader::with_capacity(1024, mounts).lines().map_while(Result::ok))
}

/// The mount point of cgroup2, also if cgroup v1 is mounted as well (proc(5), mountinfo: the type follows ` - `).
pub(crate) fn cgroup2_mount(mut mountinfo: impl Iterator<Item = String>) -> Option<PathBuf> {
    mountinfo.find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let is_cgroup2 = kind.split(' ').next() == Some("cgroup2");
        is_cgroup2.then(|| mount.split(' ').nth(4).map(PathBuf::from))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_of_the_earlier_name_is_found_as_long_as_it_is_there_and_new_ones_bear_the_new_name() {
        let parent = tempfile::tempdir().expect("a directory");
        let service = ServiceName { own: "shop-9f".to_owned(), earlier: Some("fe-2a".to_owned()) };
        let root = CgroupRoot { parent: parent.path().to_owned(), service };
        for name in ["fe-2a-web.1@1", "shop-9f-web.2@2", "fe-2ab-web.3@3", "other"] {
            fs::create_dir(parent.path().join(name)).expect("made");
        }
        let mut names = root.names();
        names.sort();
        assert_eq!(names, ["web.1@1", "web.2@2"]);
        let path = |name: &str| root.group(name).path;
        assert_eq!(path("web.1@1"), parent.path().join("fe-2a-web.1@1"));
        assert_eq!(path("web.2@2"), parent.path().join("shop-9f-web.2@2"));
        root.group("web.1@1").remove();
        assert_eq!(path("web.1@1"), parent.path().join("shop-9f-web.1@1"));
    }

    #[test]
    fn the_groups_of_apps_lie_beside_that_of_the_supervisors_and_not_below_it() {
        for own in ["/c/x.service", "/c/x.service/formation-supervisors", "/c/x.service/formation-root"] {
            assert_eq!(home(Path::new(own)), Path::new("/c/x.service"), "{own}");
        }
    }

    #[test]
    fn the_unified_mount_is_found_beside_version_one() {
        let mountinfo = "30 23 0:26 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
                         31 23 0:27 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw\n";
        let cgroup2_mount = |text: &str| cgroup2_mount(text.lines().map(str::to_owned));
        assert_eq!(cgroup2_mount(mountinfo), Some(PathBuf::from("/sys/fs/cgroup/unified")));
        assert_eq!(cgroup2_mount("30 23 0:26 / /x rw - cgroup cgroup rw\n"), None);
    }
}
