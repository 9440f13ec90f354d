//! One seat's trouble is that seat's alone, and passes when its cause does; descriptors that run out end nothing.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use formation::{Slot, State};
use ps_supervisor::{Request, Status};
use rustix::process::{Pid, Resource, Rlimit, Signal};

use crate::service::{DEADLINE, Service, eventually, pid};

fn runs(service: &Service, slot: &str) -> u32 {
    pid(&service.await_status(slot, "runs", |status| status.state == State::Running))
}

fn restart(service: &Service, slot: &str) {
    let slots: Vec<Slot> = vec![slot.parse().expect("a slot")];
    assert_eq!(service.ask(&Request::Restart { slots }), None);
}

fn end(service: &mut Service) {
    service.signal(Signal::TERM);
    assert!(service.await_end().success());
    assert_eq!(service.processes(), Vec::<u32>::new());
}

/// What can lie where a FIFO was.
fn put(kind: &str, path: &Path) {
    if fs::remove_file(path).is_err() {
        let _ = fs::remove_dir_all(path);
    }
    match kind {
        "file" => fs::write(path, "no FIFO").expect("written"),
        "directory" => fs::create_dir(path).expect("made"),
        "link" => std::os::unix::fs::symlink("/etc/passwd", path).expect("linked"),
        _ => (),
    }
}

/// Removes a directory. The supervisor may be making the logs of what it has just started in it.
fn remove(directory: &Path) {
    eventually("it is removed", || fs::remove_dir_all(directory).ok());
}

#[test]
fn a_fifo_that_became_something_else_is_trouble_of_its_seat_alone() {
    for kind in ["file", "directory", "link"] {
        let mut service = Service::new(&[("web", "echo here; exec sleep 1000", 2)]);
        service.start();
        let other = runs(&service, "web.2");
        runs(&service, "web.1");
        let fifo = |service: &Service| service.run_directory("web.1").join("stdout");
        put(kind, &fifo(&service));
        restart(&service, "web.1");
        let broken = service.await_status("web.1", "says what is wrong", |status| status.reason.is_some());
        let reason = broken.reason.expect("a reason");
        assert!(reason.contains(fifo(&service).to_str().expect("text")), "{kind}: {reason}");
        // It is never given up for it, and a new supervisor is as patient.
        service.kill_supervisor();
        service.start_as_it_is();
        service.await_status("web.1", "says what is wrong", |status| {
            status.state == State::Backoff && status.reason.is_some()
        });
        assert_eq!(runs(&service, "web.2"), other, "{kind}");
        put("nothing", &fifo(&service));
        let healed = service.await_status("web.1", "runs again", |status| status.state == State::Running);
        assert_eq!(healed.reason, None);
        eventually("its output is taken", || service.log("web.1").ends_with(b"here\n").then_some(()));
        end(&mut service);
    }
}

#[test]
fn a_file_in_the_place_of_the_runs_of_a_slot_is_trouble_of_its_seat_alone() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 2)]);
    service.start();
    let (first, second) = (runs(&service, "web.1"), runs(&service, "web.2"));
    let place = service.path().join("web.1/runs");
    remove(&place);
    fs::write(&place, "no directory").expect("written");
    service.kill_supervisor();
    service.start_as_it_is();
    assert_eq!(runs(&service, "web.1"), first, "what runs already runs on");
    restart(&service, "web.1");
    service.await_status("web.1", "says what is wrong", |status| {
        status.reason.as_ref().is_some_and(|reason| reason.contains("web.1/runs"))
    });
    assert_eq!(runs(&service, "web.2"), second);
    fs::remove_file(&place).expect("it was there");
    service.await_status("web.1", "runs anew", |status| {
        status.state == State::Running && status.process.as_ref().is_some_and(|process| process.pid != first)
    });
    end(&mut service);
}

#[test]
fn an_instance_whose_directory_was_removed_goes_on_and_has_a_new_one_with_the_next_start() {
    let mut service = Service::new(&[("web", "echo here; exec sleep 1000", 2)]);
    service.start();
    let (first, second) = (runs(&service, "web.1"), runs(&service, "web.2"));
    remove(&service.path().join("web.1"));
    restart(&service, "web.1");
    service.await_status("web.1", "runs anew", |status| {
        status.state == State::Running && status.process.as_ref().is_some_and(|process| process.pid != first)
    });
    eventually("its output is taken", || service.log("web.1").ends_with(b"here\n").then_some(()));
    assert_eq!(runs(&service, "web.2"), second);
    end(&mut service);
}

#[test]
fn a_directory_that_may_not_be_used_is_trouble_of_its_seat_alone() {
    if !rustix::process::geteuid().is_root() {
        skipped::skip("no root: only root can become somebody else");
        return;
    }
    let mut service = Service::new(&[("web", "exec sleep 1000", 2)]).given_to(65_534);
    service.start();
    let (first, second) = (runs(&service, "web.1"), runs(&service, "web.2"));
    let directory = service.path().join("web.1");
    fs::set_permissions(&directory, Permissions::from_mode(0o000)).expect("ours to set");
    let told = Instant::now();
    restart(&service, "web.1");
    let is_gone =
        || Status::read(&directory).ok().flatten().and_then(|s| s.process).is_none_or(|p| !p.is_alive());
    eventually("the old process has ended", || is_gone().then_some(()));
    assert!(told.elapsed() < DEADLINE);
    assert_eq!(runs(&service, "web.2"), second);
    fs::set_permissions(&directory, Permissions::from_mode(0o700)).expect("ours to set");
    service.await_status("web.1", "runs anew", |status| {
        status.state == State::Running && status.process.as_ref().is_some_and(|process| process.pid != first)
    });
    end(&mut service);
}

#[test]
fn processes_get_the_limit_of_open_files_that_the_supervisor_was_given() {
    let mut service = Service::new(&[("web", "ulimit -Sn; ulimit -Hn; exec sleep 1000", 1)]);
    let hard = rustix::process::getrlimit(Resource::Nofile).maximum;
    service.limited_to(Some(256), hard);
    service.start();
    let hard = hard.map_or("unlimited".to_owned(), |hard| hard.to_string());
    let expected = format!("256\n{hard}\n");
    eventually("it says its limits", || (service.log("web.1") == expected.as_bytes()).then_some(()));
    end(&mut service);
}

/// 4 descriptors each, and one more for each that is adopted: more than the 256 that a supervisor is given.
#[test]
fn more_instances_than_the_soft_limit_allows_run_are_adopted_and_end() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 90)]);
    service.limited_to(Some(256), rustix::process::getrlimit(Resource::Nofile).maximum);
    service.start();
    let last = runs(&service, "web.90");
    eventually("all run", || (service.processes().len() == 90).then_some(()));
    service.kill_supervisor();
    service.start_as_it_is();
    assert_eq!(runs(&service, "web.90"), last);
    assert_eq!(service.processes().len(), 90);
    end(&mut service);
}

#[test]
fn where_no_more_fit_the_others_run_and_each_that_does_not_says_why() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 90)]);
    service.limited_to(Some(256), Some(256));
    service.start();
    let all = |service: &Service| -> Vec<Status> {
        (1..=90).filter_map(|n| service.status(&format!("web.{n}"))).collect()
    };
    let (running, refused) = eventually("each runs or says why not", || {
        let (running, others): (Vec<_>, Vec<_>) =
            all(&service).into_iter().partition(|status| status.state == State::Running);
        let says =
            |status: &Status| status.reason.as_ref().is_some_and(|r| r.contains("Too many open files"));
        (running.len() + others.iter().filter(|s| says(s)).count() == 90).then_some((running, others))
    });
    assert!(running.len() >= 30 && refused.len() >= 10, "{} run, {} do not", running.len(), refused.len());
    // At the limit it still hears, and ends what it is told to.
    let (slot, gone) = (running[0].slot.clone(), pid(&running[0]));
    assert_eq!(service.ask(&Request::Stop { slots: vec![slot.clone()], grace_seconds: None }), None);
    service.await_status(&slot.to_string(), "is stopped", |status| status.state == State::Stopped);
    assert!(!service.processes().contains(&gone));
    // What was refused takes the room that was made, once it is wanted in its place.
    service.kill_supervisor();
    service.start_as_it_is();
    eventually("as many run as before, less or more one", || {
        let running = all(&service).iter().filter(|status| status.state == State::Running).count();
        (running >= 30).then_some(())
    });
    end(&mut service);
}

/// The limit is lowered under a supervisor that runs: nothing can be accepted any more.
#[test]
fn a_supervisor_without_descriptors_does_not_spin_and_still_reaps() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 1)]);
    service.start();
    let (before, supervisor) = (runs(&service, "web.1"), service.supervisor_pid());
    let raw = Pid::from_raw(i32::try_from(supervisor).expect("a pid")).expect("a pid");
    let lowest = (0..1 << 20).find(|n| fs::symlink_metadata(format!("/proc/{supervisor}/fd/{n}")).is_err());
    let before_that = rustix::process::getrlimit(Resource::Nofile);
    let full = Rlimit { current: lowest, ..before_that };
    let limits = rustix::process::prlimit(Some(raw), Resource::Nofile, full).expect("it is ours");
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(UnixStream::connect(service.path().join("control")).expect("it queues"));
    }
    // Whoever can be told is told; the others wait.
    let used = || -> u64 {
        let stat = fs::read_to_string(format!("/proc/{supervisor}/stat")).expect("it lives");
        let fields: Vec<&str> = stat.rsplit_once(") ").expect("a stat").1.split(' ').collect();
        fields[11].parse::<u64>().expect("ticks") + fields[12].parse::<u64>().expect("ticks")
    };
    let begin = (Instant::now(), used());
    std::thread::sleep(Duration::from_secs(1));
    let ticks = used() - begin.1;
    assert!(ticks < 30, "it used {ticks} ticks of 100 in {:?}", begin.0.elapsed());
    let process = Pid::from_raw(i32::try_from(before).expect("a pid")).expect("a pid");
    rustix::process::kill_process(process, Signal::KILL).expect("it is ours");
    eventually("it is reaped", || (!Path::new(&format!("/proc/{before}")).exists()).then_some(()));
    let answers = |stream: &UnixStream| {
        let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).is_ok_and(|_| line.contains("too many clients"))
    };
    eventually("somebody is told", || waiting.iter().any(answers).then_some(()));
    drop(waiting);
    rustix::process::prlimit(Some(raw), Resource::Nofile, limits).expect("it is ours");
    assert_eq!(service.ask(&Request::Apply), None);
    service.await_status("web.1", "runs anew", |status| {
        status.state == State::Running && status.process.as_ref().is_some_and(|process| process.pid != before)
    });
    end(&mut service);
}

/// A small disk in the place of a service directory, until it is dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(service: &Service) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(service.path());
        let is_mounted = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        is_mounted.then(|| Self(service.path().to_owned()))
    }

    fn fill(&self) {
        let mut filler = fs::File::create(self.0.join("filler")).expect("a file");
        while filler.write(&[b'x'; 4096]).is_ok_and(|written| written > 0) {}
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filler")).expect("it was there");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn what_dies_on_a_full_disk_is_started_again_and_taken_over_though_nothing_of_it_is_written() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 1)]);
    let Some(disk) = Disk::mount(&service) else {
        skipped::skip("no root: only root can mount a small disk");
        return;
    };
    service.start();
    let first = service.await_status("web.1", "runs", |status| status.state == State::Running);
    disk.fill();
    let dies_and_comes_back = |service: &Service, pid: u32| -> u32 {
        let process = Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
        rustix::process::kill_process(process, Signal::KILL).expect("it is ours");
        eventually("another one runs", || service.processes().into_iter().find(|other| *other != pid))
    };
    let second = dies_and_comes_back(&service, pid(&first));
    service.kill_supervisor();
    service.start_as_it_is();
    let third = dies_and_comes_back(&service, second);
    assert_eq!(service.processes(), [third]);
    disk.make_room();
    let last = service.await_status("web.1", "is written down", |status| {
        status.process.as_ref().is_some_and(|process| process.pid == third)
    });
    assert!(last.run >= first.run + 2, "{} after {}", last.run, first.run);
    end(&mut service);
}
