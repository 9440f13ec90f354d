//! Logs are held to their limits, and a full disk costs what the app chose: bytes that are counted, or its time.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use formation::State;
use ps_supervisor::{Health, Status};
use rustix::fs::{CWD, FileType, Mode};

use crate::rounds;
use crate::service::{Service, eventually};

/// A service whose `web.1` writes what is put into a FIFO, with these settings.
fn echo(settings: &str) -> Service {
    let mut service = Service::new(&[("web", "exec cat <>words", 1)]).with(|spec| {
        spec.processes[0].settings = serde_json::from_str(settings).expect("settings");
        spec.processes[0].health = Some(Health::default());
    });
    rustix::fs::mknodat(CWD, service.path().join("words"), FileType::Fifo, Mode::RWXU, 0).expect("a FIFO");
    service.rewrite(|_| ());
    service
}

fn begin(service: &mut Service) -> File {
    service.start();
    service.await_status("web.1", "runs", |status| status.state == State::Running);
    fs::OpenOptions::new().write(true).open(service.path().join("words")).expect("web.1 listens")
}

fn logs(service: &Service) -> PathBuf {
    service.path().join("web.1/log")
}

/// All that is kept, as a person reads it.
fn kept(service: &Service) -> Vec<u8> {
    let read = "cd web.1/log && zcat -f $(ls -v stdout*)";
    let read = Command::new("sh").args(["-c", read]).current_dir(service.path()).output().expect("sh runs");
    read.stdout
}

fn numbered(count: u32) -> String {
    (1..=count).fold(String::new(), |text, number| text + &format!("{number:06}\n"))
}

#[test]
fn an_app_that_was_deployed_before_logs_had_limits_keeps_all_of_them() {
    let mut service = echo("{}").with(|spec| spec.processes[0].health = None);
    service.rewrite(|_| ());
    let before = service.path().join("web.1/log/stdout");
    fs::create_dir_all(logs(&service)).expect("made");
    fs::File::create(&before).and_then(|log| log.set_len(200 << 20)).expect("a log of before");
    let mut words = begin(&mut service);
    let text = numbered(2_000_000);
    words.write_all(text.as_bytes()).expect("web.1 reads");
    let segments = || fs::read_dir(logs(&service)).expect("readable").flatten();
    let bytes = || segments().filter_map(|entry| entry.metadata().ok()).map(|it| it.len()).sum::<u64>();
    eventually("all is kept", || (bytes() >= (200 << 20) + text.len() as u64).then_some(()));
    assert_eq!(fs::metadata(before).expect("it is there").len(), 200 << 20);
}

#[test]
fn full_segments_are_compressed_by_a_process_of_its_own_and_all_is_kept_in_order() {
    let mut service = echo(r#"{"log-max-size":"64k","log-max-files":"1000"}"#);
    let mut words = begin(&mut service);
    let text = numbered(100_000);
    words.write_all(text.as_bytes()).expect("web.1 reads");
    eventually("all is kept", || (kept(&service).len() == text.len()).then_some(()));
    eventually("it is compressed", || {
        let entries = fs::read_dir(logs(&service)).expect("readable").flatten();
        let names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        let count = |end: &str| names.iter().filter(|name| name.ends_with(end)).count();
        (count(".gz") >= 10 && count(".part") == 0).then_some(())
    });
    assert!(kept(&service) == text.as_bytes());
    let left = service.ask(&ps_supervisor::Request::Stop {
        slots: vec!["web.1".parse().expect("a slot")],
        grace_seconds: None,
    });
    assert_eq!(left, None);
    let status = service.await_status("web.1", "is stopped", |status| status.state == State::Stopped);
    assert_eq!(status.reason, None, "whoever compresses is nobody's stray");
}

#[test]
fn what_is_written_at_once_is_kept_though_nobody_asks_the_supervisor_for_anything() {
    let mut service = Service::new(&[("web", "echo up; exec sleep 1000", 1)]);
    service.rewrite(|_| ());
    let mut supervisor = service.command().spawn().expect("ps-supervise starts");
    let log = logs(&service).join("stdout.1.0");
    eventually("it is kept", || fs::read(&log).is_ok_and(|log| log == b"up\n").then_some(()));
    let pid = rustix::process::Pid::from_child(&supervisor);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it is ours");
    assert!(supervisor.wait().expect("it is ours").success());
}

#[test]
fn a_log_that_is_written_to_without_end_takes_no_more_room_than_it_may() {
    let mut service = echo(r#"{"log-max-size":"64k","log-max-files":"3"}"#);
    let mut words = begin(&mut service);
    let text = numbered(200_000);
    words.write_all(text.as_bytes()).expect("web.1 reads");
    eventually("the end is kept", || kept(&service).ends_with(b"200000\n").then_some(()));
    assert!(text.as_bytes().ends_with(&kept(&service)));
    assert!(kept(&service).len() <= 3 * (64 << 10) && kept(&service).len() > 64 << 10);
}

#[test]
fn new_limits_hold_for_what_runs() {
    let mut service = echo("{}");
    let mut words = begin(&mut service);
    words.write_all(numbered(50_000).as_bytes()).expect("web.1 reads");
    eventually("all is kept", || (kept(&service).len() == 350_000).then_some(()));
    let settings = r#"{"log-max-size":"64k","log-max-files":"2"}"#;
    service.rewrite(|spec| spec.processes[0].settings = serde_json::from_str(settings).expect("settings"));
    let pid = service.status("web.1").and_then(|status| status.process);
    assert_eq!(service.ask(&ps_supervisor::Request::Apply), None);
    words.write_all(numbered(50_000).as_bytes()).expect("web.1 reads");
    eventually("what is too much is gone", || (kept(&service).len() <= 2 * (64 << 10)).then_some(()));
    assert_eq!(service.status("web.1").and_then(|status| status.process), pid);
}

/// A small file system of its own for the logs of `web.1`; `None` where none can be mounted.
struct Disk(PathBuf);

impl Disk {
    fn mount(service: &Service) -> Option<Self> {
        let place = logs(service);
        fs::create_dir_all(&place).expect("made");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "logs"]).arg(&place).output();
        if !mount.is_ok_and(|mount| mount.status.success()) {
            skipped::skip("no file system can be mounted here");
            return None;
        }
        Some(Self(place))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn stored(place: &Path) -> u64 {
    let entries = fs::read_dir(place).expect("readable").flatten();
    let logs = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("stdout"));
    logs.filter_map(|log| log.metadata().ok()).map(|log| log.len()).sum()
}

fn empty(place: &Path) {
    for log in fs::read_dir(place).expect("readable").flatten() {
        if log.file_name().to_string_lossy().starts_with("stdout") {
            File::create(log.path()).expect("it can be cut");
        }
    }
}

#[test]
fn what_a_full_disk_does_not_take_is_counted_to_the_byte_also_by_the_next_supervisor() {
    let mut service = echo("{}");
    let Some(disk) = Disk::mount(&service) else { return };
    let mut words = begin(&mut service);
    let (mut emitted, mut earlier) = (0, 0);
    for round in 0..rounds(4, 20) {
        let bytes = 3_000_000 + round * 7_777;
        words.write_all(&vec![b'x'; bytes]).expect("web.1 reads: nobody waits for room");
        emitted += bytes as u64;
        let status = service.await_status("web.1", "has counted", |status: &Status| {
            earlier + stored(&disk.0) + status.log_dropped == emitted
        });
        assert!(
            status.log_dropped > 1_500_000 * (round as u64 + 1) && status.log_in_doubt == 0,
            "{status:?}"
        );
        assert!(!status.log_waits);
        if round == 2 {
            service.kill_supervisor();
            service.start_as_it_is();
        }
        earlier += stored(&disk.0);
        empty(&disk.0);
        // There is room again: what comes now is kept.
        words.write_all(b"room").expect("web.1 reads");
        emitted += 4;
        eventually("it is kept", || (stored(&disk.0) == 4).then_some(()));
    }
    drop(service);
}

#[test]
fn where_nothing_may_be_lost_whoever_writes_waits_for_room_and_the_status_says_so() {
    let mut service = echo(r#"{"log-when-full":"block"}"#);
    let Some(disk) = Disk::mount(&service) else { return };
    let mut words = begin(&mut service);
    let bytes = 4_000_000;
    let writer = std::thread::spawn(move || words.write_all(&vec![b'x'; bytes]).expect("web.1 reads"));
    service.await_status("web.1", "waits", |status| status.log_waits);
    let mut kept = 0;
    eventually("all is written", || {
        // While nothing is free nobody adds anything.
        let is_full = rustix::fs::statvfs(&disk.0).expect("it is mounted").f_bavail == 0;
        if is_full {
            kept += stored(&disk.0);
            empty(&disk.0);
        }
        (kept + stored(&disk.0) == bytes as u64).then_some(())
    });
    service.await_status("web.1", "goes on", |status| !status.log_waits);
    writer.join().expect("it wrote all");
    let status = service.status("web.1").expect("it has one");
    assert_eq!((status.log_dropped, status.log_in_doubt), (0, 0));
    drop(service);
}

#[test]
fn a_line_of_a_gigabyte_costs_no_memory_and_stays_as_it_was() {
    let bytes = rounds(64_000_000, 1_000_000_000);
    let mut service = echo(r#"{"log-max-files":"1000"}"#);
    let mut words = begin(&mut service);
    let pid = service.supervisor_pid();
    let most = || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it has memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number")
    };
    words.write_all(b"first\n").expect("web.1 reads");
    eventually("it is kept", || (kept(&service) == b"first\n").then_some(()));
    let before = most();
    let block = vec![b'x'; 1_000_000];
    (0..bytes / block.len()).for_each(|_| words.write_all(&block).expect("web.1 reads"));
    words.write_all(b"\nlast\n").expect("web.1 reads");
    eventually("the end is kept", || kept(&service).ends_with(b"last\n").then_some(()));
    assert!(most() < before + 4096, "{before} KiB, then {} KiB", most());
    // Segments are still being compressed: one that gets its new name while it is listed and read is missed.
    eventually("all is kept as it was", || {
        let kept = kept(&service);
        let line = kept.strip_prefix(b"first\n").and_then(|kept| kept.strip_suffix(b"\nlast\n"))?;
        (line.len() == bytes && line.iter().all(|byte| *byte == b'x')).then_some(())
    });
}
