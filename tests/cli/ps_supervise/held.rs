//! What a process has written is kept, whoever of ours is dead when it ends: the holder has its output open.

use std::fs;
use std::path::Path;
use std::time::Duration;

use formation::State;
use ps_supervisor::Status;
use rustix::process::Signal;

use crate::root::{Roots, is_alive, kill};
use crate::rounds;
use crate::service::{Service, eventually, pid};

/// It writes so much to stdout, a tenth of that to stderr, and ends, as soon as it is told to.
const LAST_WORDS: u64 = 50_000;
const COMMAND: &str = "until test -e go; do sleep 0.02; done; rm go
    head -c 50000 /dev/zero | tr '\\0' o; head -c 5000 /dev/zero | tr '\\0' e >&2; exit 3";

/// How many bytes of a stream are stored in the logs of a slot.
fn stored(slot: &Path, stream: &str) -> u64 {
    let files = fs::read_dir(slot.join("log")).into_iter().flatten().flatten();
    let of_stream = files.filter(|file| file.file_name().to_string_lossy().starts_with(stream));
    of_stream.map(|file| file.metadata().expect("there").len()).sum()
}

/// Has `web.1` write its last words now, while nobody reads them.
fn speaks(roots: &Roots, web: u32) {
    fs::write(roots.lib.path().join("go"), "").expect("written");
    eventually("it has ended", || is_gone(web).then_some(()));
}

/// Whether it has ended; a root that is dead or stopped does not come to reap it.
fn is_gone(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
}

fn holder(roots: &Roots) -> Option<u32> {
    holders(roots).first().copied()
}

fn holders(roots: &Roots) -> Vec<u32> {
    let services = roots.place().services().display().to_string();
    let holds = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.get(1..3) == Some(&[b"--hold-output", services.as_bytes()])
    };
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(holds).collect()
}

/// Waits until the holder has both streams of `web.1` open.
fn is_held(roots: &Roots) -> u32 {
    eventually("both streams are held", || {
        let holder = holder(roots)?;
        let open = fs::read_dir(format!("/proc/{holder}/fd")).ok()?.flatten();
        let slot = roots.service("shop").canonicalize().ok()?.join("web.1");
        let held = open.filter(|fd| fs::read_link(fd.path()).is_ok_and(|path| path.starts_with(&slot)));
        (held.count() == 2).then_some(holder)
    })
}

fn nothing_is_missing(roots: &Roots, round: u64) {
    let slot = roots.service("shop").join("web.1");
    let all = (round * LAST_WORDS, round * LAST_WORDS / 10);
    eventually("all of it is stored", || {
        ((stored(&slot, "stdout"), stored(&slot, "stderr")) == all).then_some(())
    });
    let status = roots.await_status("shop", |status| status.process.is_some());
    assert_eq!((status.log_dropped, status.log_in_doubt), (0, 0));
}

#[test]
fn what_a_process_writes_while_its_supervisor_is_dead_is_stored_although_it_ends() {
    let mut roots = Roots::new();
    roots.app("shop", COMMAND);
    let root = roots.start(&[]);
    let (mut supervisor, mut web) = roots.run("shop");
    for round in 1..=rounds(3, 100) as u64 {
        is_held(&roots);
        kill(root, Signal::STOP);
        kill(supervisor, Signal::KILL);
        eventually("it is dead", || is_gone(supervisor).then_some(()));
        speaks(&roots, web);
        kill(root, Signal::CONT);
        supervisor = roots.supervisor_after("shop", supervisor);
        nothing_is_missing(&roots, round);
        web = roots.running("shop");
    }
}

#[test]
fn it_is_stored_where_the_root_is_dead_as_well() {
    let mut roots = Roots::new();
    roots.app("shop", COMMAND);
    let mut root = roots.start(&[]);
    let (mut supervisor, mut web) = roots.run("shop");
    let first = is_held(&roots);
    for round in 1..=rounds(3, 100) as u64 {
        assert_eq!(is_held(&roots), first, "the holder outlives all of them");
        kill(root, Signal::KILL);
        kill(supervisor, Signal::KILL);
        roots.ended(root);
        eventually("it is dead", || is_gone(supervisor).then_some(()));
        speaks(&roots, web);
        root = roots.start(&[]);
        supervisor = roots.supervisor_after("shop", supervisor);
        nothing_is_missing(&roots, round);
        web = roots.running("shop");
    }
}

#[test]
fn a_holder_that_is_killed_is_replaced_by_one_that_holds_the_same() {
    let mut roots = Roots::new();
    roots.app("shop", COMMAND);
    let root = roots.start(&[]);
    let (supervisor, web) = roots.run("shop");
    let before = is_held(&roots);
    kill(before, Signal::KILL);
    eventually("it is gone", || (!is_alive(before)).then_some(()));
    assert_ne!(is_held(&roots), before);
    assert!(is_alive(supervisor) && is_alive(root));
    kill(root, Signal::KILL);
    kill(supervisor, Signal::KILL);
    roots.ended(root);
    speaks(&roots, web);
    roots.start(&[]);
    nothing_is_missing(&roots, 1);
}

#[test]
fn nothing_is_held_of_what_is_over_and_the_holder_of_nothing_ends() {
    let mut roots = Roots::new();
    roots.app("shop", "exec sleep 1000");
    let root = roots.start(&["--while-needed"]);
    let (supervisor, _) = roots.run("shop");
    let held_by = is_held(&roots);
    // The root leaves with the supervisor, because no app needs it, and the FIFOs stay where they are.
    kill(supervisor, Signal::TERM);
    assert_eq!(roots.ended(root), Some(0));
    eventually("the holder ends", || (!is_alive(held_by)).then_some(()));
    assert!(roots.service("shop").join("web.1/runs").exists());
}

#[test]
fn one_that_does_nothing_wakes_up_for_nothing() {
    let mut roots = Roots::new();
    roots.app("shop", "exec sleep 1000");
    roots.start(&[]);
    roots.run("shop");
    let held_by = is_held(&roots);
    let switches = || {
        let status = fs::read_to_string(format!("/proc/{held_by}/status")).expect("it lives");
        let line = status.lines().find(|line| line.starts_with("voluntary")).expect("there");
        line.to_owned()
    };
    let before = switches();
    std::thread::sleep(Duration::from_secs(rounds(1, 60) as u64));
    assert_eq!(switches(), before);
}

#[test]
fn where_nobody_held_it_as_much_as_may_be_missing_is_in_doubt() {
    let mut service = Service::new(&[("web", COMMAND, 1)]);
    let directory = service.path().to_owned();
    service.rewrite(|spec| spec.directory.clone_from(&directory));
    service.start();
    let running =
        |service: &Service| service.await_status("web.1", "runs", |status| status.state == State::Running);
    let web = pid(&running(&service));
    service.kill_supervisor();
    fs::write(directory.join("go"), "").expect("written");
    eventually("it has ended", || is_gone(web).then_some(()));
    service.start();
    let in_doubt = |status: &Status| status.log_in_doubt;
    let is_next = |status: &Status| status.process.as_ref().is_some_and(|process| process.pid != web);
    let status = service.await_status("web.1", "runs again", is_next);
    let kept = stored(&directory.join("web.1"), "stdout");
    assert!(kept + in_doubt(&status) >= LAST_WORDS, "{kept} of it and {} in doubt", in_doubt(&status));
    // It is counted once.
    service.kill_supervisor();
    service.start();
    assert_eq!(in_doubt(&running(&service)), in_doubt(&status));
}
