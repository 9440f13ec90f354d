//! Places that cannot be written: a full disk, no inodes left, a read-only file system, somebody else's directory, a
//! file that may not change, a limit on file sizes. The state stays as it was, one line says why, and once the place
//! can be written again the verb simply works.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use faults::programs;
use faults::reading::Question;
use faults::sandbox::{Ran, Sandbox};
use faults::snapshot::Snapshot;

const NOBODY: u32 = 65534;

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn run(sandbox: &Sandbox, line: &str) -> Ran {
    sandbox.run(&words(line)).expect("a run")
}

fn must_work(sandbox: &Sandbox, line: &str) {
    let ran = run(sandbox, line);
    assert!(ran.status.success(), "{line}: {} {}", ran.status, ran.stderr);
}

fn formation(sandbox: &Sandbox) -> String {
    Question::Formation("hello".to_owned()).ask(&sandbox.world()).expect("an answer")
}

/// The verbs that every unwritable place must refuse.
const CHANGES: [&str; 4] = [
    "ps-scale --skip-deploy hello web=3",
    "ps-scale --skip-deploy hello worker=0 clock=1",
    "ps-set hello restart-policy always",
    "ps-set hello restart-policy",
];

fn refuses(sandbox: &Sandbox, line: &str, reason: &str, before: &Snapshot) {
    refused(&run(sandbox, line), sandbox, line, reason, before);
}

fn refused(ran: &Ran, sandbox: &Sandbox, line: &str, reason: &str, before: &Snapshot) {
    let said = ran.stderr.trim();
    assert_eq!(ran.status.code(), Some(1), "{line}: {said}");
    assert!(said.contains(reason), "{line} does not say {reason:?}: {said}");
    assert!(said.contains(&sandbox.world().display().to_string()), "{line} names no path: {said}");
    // Where the journal cannot be written either, that is said beside the refusal.
    let is_talk = |line: &&str| {
        line.starts_with("-----> ")
            || line.starts_with("=====> ")
            || line.contains("the journal of hello lacks")
    };
    let complaints = said.lines().filter(|line| !is_talk(line));
    assert_eq!(complaints.count(), 1, "{line}: {said}");
    let now = sandbox.snapshot().expect("a snapshot");
    assert!(now == *before, "{line} changed {:?}", now.differs(before));
}

/// A sandbox with an app that has two types and a restart policy.
fn prepared(sandbox: &Sandbox) -> Snapshot {
    programs::build().expect("the programs build");
    must_work(sandbox, "apps-on-disk create hello");
    must_work(sandbox, "apps-on-disk formation hello web=1 worker=2");
    must_work(sandbox, "apps-on-disk set hello restart-policy no");
    sandbox.snapshot().expect("a snapshot")
}

/// A file system of our own over a sandbox's world, until it is dropped: before the sandbox, which could not go else.
struct Mounted(PathBuf);

impl Mounted {
    /// None, with a note, where we may not mount.
    fn over(sandbox: &Sandbox, options: &str) -> Option<Self> {
        let world = sandbox.world();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&world).output();
        if !mount.is_ok_and(|output| output.status.success()) {
            skipped::skip("this test mounts a small file system, which needs root");
            return None;
        }
        for part in ["home", "lib"] {
            fs::create_dir(world.join(part)).expect("a directory");
        }
        Some(Self(world))
    }

    fn remount(&self, option: &str) {
        let option = format!("remount,{option}");
        let status = Command::new("mount").args(["-o", &option]).arg(&self.0).status().expect("mount runs");
        assert!(status.success(), "mount -o {option}: {status}");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// Writes until there is no room for another byte.
fn fill(path: &Path) {
    let mut file = File::create(path).expect("a file");
    for size in [4096, 1] {
        while file.write(&vec![b'x'; size]).is_ok_and(|written| written > 0) {}
    }
}

#[test]
fn a_full_disk_keeps_the_old_values() {
    let sandbox = Sandbox::new().expect("a sandbox");
    let Some(_mounted) = Mounted::over(&sandbox, "size=64k,mode=755") else { return };
    prepared(&sandbox);
    let filler = sandbox.world().join("filler");
    fill(&filler);
    let before = sandbox.snapshot().expect("a snapshot");
    for line in &CHANGES[..3] {
        refuses(&sandbox, line, "No space left on device", &before);
    }
    fs::remove_file(&filler).expect("removed");
    must_work(&sandbox, CHANGES[0]);
    assert_eq!(formation(&sandbox), "web=3 worker=2");
}

#[test]
fn a_value_that_fits_only_in_part_is_refused_whole() {
    let sandbox = Sandbox::new().expect("a sandbox");
    let Some(_mounted) = Mounted::over(&sandbox, "size=64k,mode=755") else { return };
    prepared(&sandbox);
    // The lock and its signature get their page first; then one page is left for a value of two.
    let filler = sandbox.world().join("filler");
    fill(&filler);
    let room = fs::metadata(&filler).expect("a file").len() - 8192;
    File::options().write(true).open(&filler).and_then(|file| file.set_len(room)).expect("room");
    let before = sandbox.snapshot().expect("a snapshot");
    let long = format!("apps-on-disk set hello procfile-path {}", "p".repeat(12_000));
    refuses(&sandbox, &long, "No space left on device", &before);
}

#[test]
fn no_inode_left_keeps_the_old_values() {
    let sandbox = Sandbox::new().expect("a sandbox");
    let Some(_mounted) = Mounted::over(&sandbox, "nr_inodes=64,mode=755") else { return };
    prepared(&sandbox);
    let filler = sandbox.world().join("filler");
    fs::create_dir(&filler).expect("a directory");
    let made = (0..1000).take_while(|n| File::create(filler.join(n.to_string())).is_ok()).count();
    let before = sandbox.snapshot().expect("a snapshot");
    assert!(made > 5, "only {made} files fitted");
    for line in &CHANGES[..3] {
        refuses(&sandbox, line, "No space left on device", &before);
    }
    fs::remove_dir_all(&filler).expect("removed");
    must_work(&sandbox, CHANGES[2]);
}

#[test]
fn a_file_system_that_turns_read_only_can_still_be_read() {
    let sandbox = Sandbox::new().expect("a sandbox");
    let Some(mounted) = Mounted::over(&sandbox, "size=1m,mode=755") else { return };
    let before = prepared(&sandbox);
    mounted.remount("ro");
    for line in CHANGES {
        refuses(&sandbox, line, "Read-only file system", &before);
    }
    refuses(&sandbox, "apps-on-disk create another", "Read-only file system", &before);
    for line in ["ps-scale hello", "ps-scale hello --json", "ps-set --list hello"] {
        must_work(&sandbox, line);
    }
    mounted.remount("rw");
    must_work(&sandbox, CHANGES[0]);
}

/// Runs as nobody where we are root, else as ourselves.
fn as_nobody(sandbox: &Sandbox, line: &str) -> Ran {
    let words = words(line);
    let program = programs::path(&words[0]).expect("a built program");
    let id = NOBODY.to_string();
    let mut command = sandbox.command(Path::new("setpriv"));
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(program).args(&words[1..]);
    sandbox.finish(&mut command).expect("a run")
}

fn give_to_nobody(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).expect("given away");
    if path.is_dir() {
        fs::read_dir(path)
            .expect("a directory")
            .for_each(|entry| give_to_nobody(&entry.expect("an entry").path()));
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

#[test]
fn a_directory_that_may_not_be_written_is_named_and_left_alone() {
    let sandbox = Sandbox::new().expect("a sandbox");
    let before = prepared(&sandbox);
    if chown(sandbox.world(), Some(NOBODY), Some(NOBODY)).is_err() {
        skipped::skip("this test runs programs as nobody, which needs root");
        return;
    }
    set_mode(sandbox.world().parent().expect("a sandbox lies somewhere"), 0o755);
    give_to_nobody(&sandbox.world());
    let dir = sandbox.world().join("lib/config/ps/hello");
    let mode_of_stage = fs::metadata(dir.join(".stage")).expect("a stage").permissions().mode() & 0o777;
    assert_eq!(mode_of_stage, 0o700);
    for (closed, mode) in [(dir.clone(), 0o555), (dir.join(".stage"), 0o500), (dir.join(".stage"), 0)] {
        let was = fs::metadata(&closed).expect("a directory").permissions().mode() & 0o777;
        set_mode(&closed, mode);
        for line in CHANGES {
            refused(&as_nobody(&sandbox, line), &sandbox, line, "Permission denied", &before);
        }
        for line in ["ps-scale hello", "ps-set --list hello"] {
            let ran = as_nobody(&sandbox, line);
            assert!(ran.status.success(), "{line}: {}", ran.stderr);
        }
        set_mode(&closed, was);
    }
    let ran = as_nobody(&sandbox, CHANGES[0]);
    assert!(ran.status.success(), "{}", ran.stderr);
}

#[test]
fn a_file_that_may_not_be_read_is_not_taken_for_an_empty_one() {
    let sandbox = Sandbox::new().expect("a sandbox");
    let before = prepared(&sandbox);
    if chown(sandbox.world(), Some(NOBODY), Some(NOBODY)).is_err() {
        skipped::skip("this test runs programs as nobody, which needs root");
        return;
    }
    set_mode(sandbox.world().parent().expect("a sandbox lies somewhere"), 0o755);
    give_to_nobody(&sandbox.world());
    let scale = sandbox.world().join("lib/config/ps/hello/scale");
    chown(&scale, Some(0), Some(0)).expect("taken away");
    for line in ["ps-scale hello", CHANGES[0]] {
        let ran = as_nobody(&sandbox, line);
        refused(&ran, &sandbox, line, "Permission denied", &before);
        assert!(ran.stderr.contains("hello/scale"), "{}", ran.stderr);
    }
}

/// A file that nobody may change, until it is dropped.
struct Immutable(PathBuf);

impl Immutable {
    fn make(path: PathBuf) -> Option<Self> {
        let output = Command::new("chattr").arg("+i").arg(&path).output();
        let is_made = output.is_ok_and(|output| output.status.success());
        if !is_made {
            skipped::skip("this test needs chattr +i, root, and a file system that knows it");
        }
        is_made.then_some(Self(path))
    }
}

impl Drop for Immutable {
    fn drop(&mut self) {
        let _ = Command::new("chattr").arg("-i").arg(&self.0).status();
    }
}

#[test]
fn an_immutable_file_takes_the_whole_change_back() {
    let sandbox = Sandbox::new().expect("a sandbox");
    let before = prepared(&sandbox);
    let dir = sandbox.world().join("lib/config/ps/hello");
    for (file, lines) in [
        ("scale", vec![CHANGES[0], CHANGES[1], "apps-on-disk formation hello web=3 -- worker=0"]),
        ("scale.old", vec!["apps-on-disk formation hello web=3 -- worker=0"]),
        ("restart-policy", vec![CHANGES[2], CHANGES[3]]),
    ] {
        let Some(immutable) = Immutable::make(dir.join(file)) else { return };
        for line in lines {
            refuses(&sandbox, line, "Operation not permitted", &before);
        }
        drop(immutable);
    }
    must_work(&sandbox, "apps-on-disk formation hello web=3 -- worker=0");
    assert_eq!(formation(&sandbox), "web=3 worker=0");
}

#[test]
fn a_limit_on_file_sizes_ends_the_program_but_not_the_value() {
    let sandbox = Sandbox::new().expect("a sandbox");
    let before = prepared(&sandbox);
    for line in &CHANGES[..3] {
        let words = words(line);
        let mut command = sandbox.command(Path::new("prlimit"));
        command.arg("--fsize=0").arg(programs::path(&words[0]).expect("a built program")).args(&words[1..]);
        let ran = sandbox.finish(&mut command).expect("a run");
        assert!(!ran.status.success(), "{line} succeeded without writing a byte");
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        let mut now = sandbox.snapshot().expect("a snapshot");
        now.0.retain(|path, _| !path.parent().is_some_and(|parent| parent.ends_with(".stage")));
        assert!(now == before, "{line} changed {:?}", now.differs(&before));
    }
    must_work(&sandbox, CHANGES[0]);
    let staged = sandbox.snapshot().expect("a snapshot");
    assert!(staged.staged().is_empty(), "left {:?}", staged.staged());
}

#[test]
fn a_root_that_cannot_be_is_named() {
    programs::build().expect("the programs build");
    let sandbox = Sandbox::new().expect("a sandbox");
    let lib = sandbox.world().join("lib");
    fs::remove_dir_all(&lib).expect("removed");
    fs::write(&lib, "a file").expect("a file");
    assert_eq!(fs::create_dir_all(&lib).map_err(|error| error.kind()), Err(ErrorKind::AlreadyExists));
    let ran = run(&sandbox, "apps-on-disk create hello");
    assert_eq!(ran.status.code(), Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains(&lib.display().to_string()), "{}", ran.stderr);
    assert!(!sandbox.world().join("home/hello").exists());
}
