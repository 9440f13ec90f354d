//! A cage for supervisors: namespaces of their own, so that all that one starts ends with it, and so that systemd and
//! OpenRC can be process 1, or have their files in place, without this machine being touched.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// systemd as process 1 of a cage, by a shell that has a `PATH`.
const SYSTEMD: &str = "env -i container=cage PATH=$PATH /lib/systemd/systemd --unit=multi-user.target --show-status=0 \
                       --log-target=console";
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A running supervisor, and all that it started.
pub(crate) struct Cage {
    child: Child,
    said: PathBuf,
    /// The control group that it has for itself.
    group: Option<String>,
}

impl Cage {
    /// Runs a shell script as process 1 of a copy of this machine's files, in which `folder` stands where it stands here, and
    /// what `scripts/setup` has unpacked as if it were installed.
    pub(crate) fn run(folder: &Path, script: &str) -> Self {
        Self::of(Path::new("/"), unpacked().as_deref(), folder, script)
    }

    /// The same with the files that lie in `base`, and over them those in `more`.
    fn of(base: &Path, more: Option<&Path>, folder: &Path, script: &str) -> Self {
        let said = folder.join("said");
        let out = fs::File::create(&said).expect("a log");
        let error = out.try_clone().expect("the same log");
        let world = format!("{}exec chroot . /bin/sh -c {}", world(base, more, folder), quoted(script));
        let mut command = in_namespaces(&world);
        command.stdout(out).stderr(error);
        Self { child: command.spawn().expect("unshare runs"), said, group: None }
    }

    /// Runs systemd as process 1, behind a shell script that gives it its units. Nothing of this machine's own is started, and
    /// the cage's control groups are below one of its own.
    pub(crate) fn boot(folder: &Path, script: &str) -> Self {
        let before = "rm -rf /etc/systemd/system/*.wants /lib/systemd/system/*.wants /etc/fstab
rm -f /lib/systemd/system-generators/* /lib/systemd/user-environment-generators/*";
        let script = format!("{before}\n{}", in_groups(folder, &format!("{script}\nexec {SYSTEMD}")));
        Self::run(folder, &script).with_group(group_of(folder))
    }

    /// A machine with nothing but the files that lie in `base`: the script is done, and then systemd is process 1 again and again
    /// until there is a file `off` in `folder`.
    pub(crate) fn machine(base: &Path, folder: &Path, script: &str) -> Self {
        let off = quoted(&folder.join("off").display().to_string());
        let inside = format!(
            "{script}\nuntil [ -e {off} ]; do unshare --mount --pid --fork sh -c {}; done",
            quoted(&format!("mount -t proc proc /proc; mount -t tmpfs run /run; exec {SYSTEMD}"))
        );
        Self::of(base, None, folder, &in_groups(folder, &inside)).with_group(group_of(folder))
    }

    fn with_group(mut self, group: String) -> Self {
        self.group = Some(group);
        self
    }

    /// The last that the supervisor said.
    fn said(&self) -> String {
        let said = fs::read(&self.said).unwrap_or_default();
        let last = &said[said.len().saturating_sub(4000)..];
        String::from_utf8_lossy(last).into_owned()
    }

    fn first(&self) -> Option<String> {
        let id = self.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
        children.split_whitespace().next().map(str::to_owned)
    }
}

impl Drop for Cage {
    /// Process 1 of the cage takes all others with it.
    fn drop(&mut self) {
        match self.first() {
            Some(first) => drop(Command::new("kill").args(["-KILL", &first]).status()),
            None => drop(self.child.kill()),
        }
        let _ = self.child.wait();
        if let Some(group) = &self.group {
            for place in
                ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup"].map(|place| Path::new(place).join(group))
            {
                remove_groups(&place);
            }
        }
        if std::thread::panicking() {
            // Where nobody listens, nothing is lost.
            let _ = writeln!(std::io::stderr(), "the supervisor said:\n{}", self.said());
        }
    }
}

/// A script that is done in control groups below one of its own, which are mounted as systemd wants them.
fn in_groups(folder: &Path, script: &str) -> String {
    let group = group_of(folder);
    let inside = format!("umount /sys/fs/cgroup/all; mount $groups || exit 1\n{script}");
    format!(
        "mount -t tmpfs cage /sys/fs/cgroup; mkdir /sys/fs/cgroup/all /sys/fs/cgroup/systemd
if grep -q :name=systemd: /proc/self/cgroup; then kind='-t cgroup -o none,name=systemd' place=/sys/fs/cgroup/systemd
else kind='-t cgroup2' place=/sys/fs/cgroup; fi
mount $kind cage /sys/fs/cgroup/all && mkdir /sys/fs/cgroup/all/{group} || exit 1
echo 0 >/sys/fs/cgroup/all/{group}/cgroup.procs; export groups=\"$kind cage $place\"
exec unshare --cgroup sh -c {}",
        quoted(&inside)
    )
}

fn group_of(folder: &Path) -> String {
    let folder = folder.canonicalize().expect("a folder that is there");
    format!("cage{}", folder.file_name().expect("a folder has a name").display())
}

/// Control groups whose processes have ended; one that is still on its way out is left.
fn remove_groups(at: &Path) {
    for entry in fs::read_dir(at).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_groups(&entry.path());
        }
    }
    let _ = fs::remove_dir(at);
}

fn in_namespaces(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--pid",
        "--ipc",
        "--uts",
        "--net",
        "--fork",
        "--kill-child",
        "sh",
        "-c",
        script,
    ]);
    command.env_clear().env("PATH", PATH).current_dir("/").stdin(Stdio::null());
    command
}

/// Whether cages can be built here; says so where not.
pub(crate) fn can_be_built() -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = format!("{}exec chroot . true", world(Path::new("/"), unpacked().as_deref(), folder.path()));
    let can = is_root() && in_namespaces(&script).status().is_ok_and(|status| status.success());
    if !can {
        skipped::skip("no root, or no namespaces and overlays to be had here");
    }
    can
}

/// A script that makes a copy of the files in `base`, and of those in `more`, that only the cage sees, with `here` where it is, and goes there.
fn world(base: &Path, more: Option<&Path>, here: &Path) -> String {
    let here = here.canonicalize().expect("a folder that is there");
    let (root, kept) =
        (quoted(&here.join("root").display().to_string()), quoted(&here.join("kept").display().to_string()));
    let here = quoted(&here.display().to_string());
    let base = quoted(&base.display().to_string());
    let files = more.map(|folder| format!("cp -a {}/. {kept}/new", quoted(&folder.display().to_string())));
    let files = files.unwrap_or_default();
    format!(
        "set -e; renice -n 0 -p $$ >/dev/null; mount --make-rprivate /; mkdir -p {root} {kept}; mount -t tmpfs cage {kept}; mkdir {kept}/new {kept}/work
{files}
mount -t overlay cage -o lowerdir={base},upperdir={kept}/new,workdir={kept}/work {root}; here={here}; cd {root}
mount -t proc cage proc; mount --bind proc/sys proc/sys; mount -o remount,bind,ro proc/sys; mount -t sysfs -o ro cage sys
for folder in dev run tmp; do mount -t tmpfs cage $folder; done
for device in null zero full random urandom tty; do : >dev/$device; mount --bind /dev/$device dev/$device; done
ln -s /proc/self/fd dev/fd; mkdir -m 1777 dev/shm
chmod 1777 tmp; mkdir -p \".$here\"; mount --bind \"$here\" \".$here\"
"
    )
}

/// A word for a shell, whatever is in it.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|ours| ours.uid() == 0)
}

/// Where `scripts/setup` unpacks what is not installed.
fn unpacked() -> Option<PathBuf> {
    Some(skipped::state_of_setup().join("consumers")).filter(|folder| folder.is_dir())
}

fn places() -> Vec<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = path.split(':').chain(PATH.split(':')).map(PathBuf::from).collect();
    if let Some(folder) = unpacked() {
        places.extend(["usr/sbin", "usr/bin"].map(|place| folder.join(place)));
    }
    places
}

/// Where a program stands, installed or unpacked; says so where it stands nowhere.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let found = places().iter().map(|place| place.join(name)).find(|program| program.is_file());
    if found.is_none() {
        skipped::skip(format_args!("no {name}"));
    }
    found
}

/// All versions of a program, such as `name` and `name-v2`, also where packages of its own kind put it; says so where there
/// is none.
pub(crate) fn versions(name: &str, more: &[&str]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for place in places().into_iter().chain(more.iter().map(PathBuf::from)) {
        let programs = std::fs::read_dir(place).into_iter().flatten().flatten();
        let programs = programs.filter_map(|entry| entry.path().canonicalize().ok());
        found.extend(programs.filter(|program| {
            let rest = program.file_name().and_then(|file| file.to_str()?.strip_prefix(name));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("-v"))
        }));
    }
    found.sort();
    found.dedup();
    if found.is_empty() {
        skipped::skip(format_args!("no {name}"));
    }
    found
}

/// Whether a program is installed or unpacked; says so where it is not.
pub(crate) fn has(name: &str) -> bool {
    program(name).is_some()
}
