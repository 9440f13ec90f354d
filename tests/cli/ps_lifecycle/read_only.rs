//! A disk that takes nothing any more while apps run: after an error the kernel makes a file system read-only.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;

use crate::asking::kill_supervisors;
use crate::disk::{Mounted, is_done};
use crate::home::{Home, eventually};

const PROCFILE: &str = "web: faultapp --tick 60\nworker: faultapp --tick 60\n";
const SCALE: [&str; 3] = ["--scale", "web=1", "worker=1"];
const SERVICE: &str = "lib/data/scheduler-native/shop";

fn kill_worker(home: &Home) -> u64 {
    let pid = home.pids("shop")["worker.1"];
    let number = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    rustix::process::kill_process(number, Signal::KILL).expect("it runs");
    pid
}

/// The pid of a worker that was started after the one with that pid.
fn next_worker(home: &Home, before: u64) -> u64 {
    eventually("another worker runs, and status shows it", || {
        let pids = home.pids("shop");
        pids.get("worker.1").copied().filter(|pid| *pid != before).ok_or_else(|| format!("{pids:?}"))
    })
}

/// What status says of the app, once it says this.
fn is_said(home: &Home, words: &str) -> String {
    eventually("status says so", || {
        let ran = home.run(&["ps-lifecycle", "status", "shop"]);
        if ran.stderr.contains(words) { Ok(ran.stderr) } else { Err(format!("{ran:?}")) }
    })
}

fn workers(home: &Home) -> usize {
    let is_one = |environ: &[u8]| environ.split(|byte| *byte == 0).any(|variable| variable == b"PS=worker.1");
    let environ = |pid: i32| fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let processes = home.processes().into_iter();
    processes.filter(|(pid, _)| is_one(&environ(pid.as_raw_nonzero().get()))).count()
}

/// Puts a file system of its own under the library that the kernel makes read-only at the first error, which `break_disk` causes.
fn disk_that_breaks(home: &Home) -> Option<(Mounted, PathBuf)> {
    let (lib, image) = (home.path("lib"), home.path("disk"));
    fs::File::create(&image).and_then(|image| image.set_len(32 << 20)).expect("made");
    let (lib, image) = (lib.to_str().expect("text"), image.to_str().expect("text"));
    let is_mounted = is_done("mkfs.ext4", &["-q", image])
        && is_done("mount", &["-o", "loop,errors=remount-ro", image, lib]);
    let mounted = is_mounted.then(|| Mounted(lib.to_owned()))?;
    let table = fs::read_to_string("/proc/self/mounts").expect("readable");
    let device = table.lines().rev().find(|line| line.split(' ').nth(1) == Some(lib))?.split(' ').next()?;
    let error = Path::new("/sys/fs/ext4").join(Path::new(device).file_name()?).join("trigger_fs_error");
    error.exists().then_some((mounted, error))
}

#[test]
fn on_a_disk_that_an_error_has_made_read_only_what_dies_is_started_again_and_shown() {
    let home = Home::new();
    let Some((mounted, error)) = disk_that_breaks(&home) else {
        skipped::skip("no root, no loop device or no ext4: no file system can be made that breaks");
        return;
    };
    home.set_for_all();
    let source = home.source("shop", PROCFILE);
    home.does(&[&["ps-lifecycle", "deploy", "shop", "--dir", &source][..], &SCALE].concat());
    let web = home.pids("shop")["web.1"];
    fs::write(&error, "1").expect("the disk breaks");
    assert!(fs::write(home.path("lib/any"), "").is_err(), "the disk takes nothing");
    let first = kill_worker(&home);
    let second = next_worker(&home, first);
    let third = next_worker(&home, kill_worker(&home));
    assert!(third != second && home.pids("shop")["web.1"] == web);
    assert_eq!(workers(&home), 1);
    let said = is_said(&home, "worker.1 of shop: nothing about it could be recorded since 2");
    assert!(said.contains("Read-only file system"), "{said}");
    let ran = home.run(&["ps-explain", "shop"]);
    assert!(ran.stdout.contains("could be recorded since"), "{ran:?}");
    let ran = home.run(&["ps-lifecycle", "stop", "shop", "worker"]);
    ran.is_refused(1, &["worker of shop has ended, but that is not recorded yet"]);
    assert_eq!(workers(&home), 0);
    home.power_cut();
    drop(mounted);
}

#[test]
fn what_was_started_on_a_read_only_disk_is_recorded_as_soon_as_that_takes_it_again() {
    let home = Home::running("shop", PROCFILE, &SCALE);
    let lib = home.path("lib").to_str().expect("text").to_owned();
    if !is_done("mount", &["--bind", &lib, &lib]) {
        skipped::skip("no root: only root can make a file system read-only");
        return;
    }
    let mounted = Mounted(lib.clone());
    assert!(is_done("mount", &["-o", "remount,bind,ro", &lib]), "it is read-only");
    let first = kill_worker(&home);
    let second = next_worker(&home, first);
    is_said(&home, "worker.1 of shop: nothing about it could be recorded since 2");
    drop(mounted);
    let status = home.path(SERVICE).join("worker.1/status.json");
    let run = eventually("its status is written", || {
        let text = fs::read_to_string(&status).expect("readable");
        let status: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let is_it = status["process"]["pid"] == second && status["unrecorded"].is_null();
        if is_it { Ok(status["run"].to_string()) } else { Err(text) }
    });
    let own = home.run_directory("shop", "worker.1");
    assert_eq!(own.file_name(), Some(run.as_ref()), "its directory has its number");
    eventually("the journal tells of the gap", || {
        let told = home.does(&["ps-lifecycle", "events", "shop"]);
        if told.contains("until now nothing could be recorded of it") { Ok(()) } else { Err(told) }
    });
    let says = home.run(&["ps-lifecycle", "status", "shop"]).stderr;
    assert!(!says.contains("could be recorded"), "{says}");
    kill_supervisors(&home);
    home.does(&["ps-lifecycle", "start", "shop"]);
    assert_eq!((home.pids("shop")["worker.1"], workers(&home)), (second, 1));
    home.does(&["ps-lifecycle", "destroy", "shop"]);
}

/// Everything that a slot's files say of its runs, so that it can be put back as it was: then it is as on a disk that took nothing of what
/// came after.
struct Written {
    run: PathBuf,
    files: Vec<(PathBuf, Vec<u8>)>,
}

impl Written {
    fn of(home: &Home) -> Self {
        let run = home.run_directory("shop", "worker.1");
        let files = [
            home.path(SERVICE).join("state"),
            home.path(SERVICE).join("runs.json"),
            home.path(SERVICE).join("worker.1/status.json"),
            run.join("run.json"),
        ];
        let read = |path: PathBuf| (path.clone(), fs::read(path).expect("readable"));
        Self { run, files: files.map(read).into() }
    }

    fn put_back(&self, home: &Home) {
        fs::rename(home.run_directory("shop", "worker.1"), &self.run).expect("renamed");
        for (path, bytes) in &self.files {
            // In place: a copy under the name of `state` would not count.
            fs::write(path, bytes).expect("written");
        }
    }
}

#[test]
fn a_supervisor_that_comes_after_one_that_could_record_nothing_starts_no_second_copy() {
    let home = Home::running("shop", PROCFILE, &SCALE);
    let written = Written::of(&home);
    let first = kill_worker(&home);
    let second = next_worker(&home, first);
    home.without_root();
    kill_supervisors(&home);
    eventually("no supervisor lives", || match home.supervisors() {
        left if left.is_empty() => Ok(()),
        left => Err(format!("{left:?}")),
    });
    written.put_back(&home);
    home.does(&["ps-lifecycle", "start", "shop"]);
    assert_eq!(home.pids("shop")["worker.1"], second);
    assert_eq!(workers(&home), 1, "there is no second copy");
    // Its output is still taken, and its end is seen.
    let log = home.log_file("shop", "worker.1");
    let length = || fs::metadata(&log).map_or(0, |log| log.len());
    let before = length();
    eventually("what it writes comes into the log", || {
        if length() > before { Ok(()) } else { Err(before.to_string()) }
    });
    next_worker(&home, kill_worker(&home));
    home.does(&["ps-lifecycle", "destroy", "shop"]);
}
