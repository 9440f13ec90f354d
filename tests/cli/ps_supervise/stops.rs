//! Nothing escapes a stop.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use formation::{Exit, State};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::rounds;
use crate::service::{Service, eventually};

/// Three generations, each forked twice and in a session of its own, all of them deaf to SIGTERM.
const FAMILY: &str = "faultapp --ignore-term --fork-tree 3 2 --setsid --tick 60";
/// One founder, two children, four, eight.
const MEMBERS: usize = 15;
const NOBODY: u32 = 65_534;
/// How much longer than its grace period a stop may take on a busy machine. How long it does take, tests/endurance measures.
const BUSY: Duration = Duration::from_secs(30);

#[test]
fn a_family_that_hides_and_ignores_term_is_gone_after_its_grace() {
    for round in 0..rounds(5, 20) {
        stop_a_family(Service::new(&[("web", FAMILY, 1)]), round);
    }
}

#[test]
fn without_cgroups_a_family_that_hides_is_swept_as_well() {
    if !rustix::process::geteuid().is_root() {
        skipped::skip("no root: only root can become somebody else");
        return;
    }
    for round in 0..rounds(2, 20) {
        stop_a_family(Service::new(&[("web", FAMILY, 1)]).given_to(NOBODY), round);
    }
}

fn stop_a_family(service: Service, round: usize) {
    let grace = Duration::from_secs(1);
    let mut service = service.with(|spec| spec.stop_timeout_seconds = grace.as_secs());
    service.start();
    eventually("the family is complete", || (service.processes().len() >= MEMBERS).then_some(()));
    let begin = Instant::now();
    service.signal(Signal::TERM);
    let ended = service.await_end();
    let took = begin.elapsed();
    assert!(ended.success(), "round {round}: {ended}");
    assert_eq!(service.processes(), Vec::<u32>::new(), "round {round}: somebody escaped");
    assert!(took >= grace, "round {round}: it was not given its grace, {took:?}");
    assert!(took <= grace + BUSY, "round {round}: it took {took:?}");
    assert_eq!(service.status("web.1").map(|status| status.state), Some(State::Stopped));
}

/// The negative control: a supervisor that only signals the process group would leave most of them.
#[test]
fn killing_the_process_group_alone_lets_the_family_escape() {
    let service = Service::new(&[]);
    let mark = format!("{}/control", service.path().display());
    let faultapp = std::path::Path::new(env!("CARGO_BIN_EXE_ps-supervise")).with_file_name("faultapp");
    let mut child = Command::new(faultapp)
        .args(FAMILY.split(' ').skip(1))
        .env("FORMATION_INSTANCE", mark)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("faultapp starts");
    let has_left = |pid: &u32| group_of(*pid).is_some_and(|group| group != child.id());
    eventually("all but the founder have left its group", || {
        (service.processes().into_iter().filter(has_left).count() >= MEMBERS - 1).then_some(())
    });
    let group = Pid::from_raw(i32::try_from(child.id()).expect("a pid")).expect("a pid");
    kill_process_group(group, Signal::KILL).expect("it is ours");
    child.wait().expect("it is ours");
    assert!(
        service.processes().len() >= MEMBERS - 1,
        "this harness could not tell a good stop from a bad one"
    );
}

/// proc(5): the third field after the name in parentheses.
fn group_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(2)?.parse().ok()
}

/// A setuid program has become root: a supervisor of somebody else may not signal it, and says so.
#[test]
fn a_child_of_another_user_is_named_with_its_pid_and_its_user() {
    if !rustix::process::geteuid().is_root() {
        skipped::skip("no root: only root can make a setuid program of root's");
        return;
    }
    let place = tempfile::tempdir().expect("a directory");
    let become_root = place.path().join("become");
    std::fs::copy("/usr/bin/setpriv", &become_root).expect("util-linux has it");
    for (path, mode) in [(place.path(), 0o755), (&become_root, 0o4755)] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("it is ours");
    }
    let command = format!("{} --reuid 0 sleep 1000", become_root.display());
    let service = Service::new(&[("web", &command, 1), ("fine", "sleep 1000", 1)]).given_to(NOBODY);
    let mut service = service.with(|spec| spec.stop_timeout_seconds = 1);
    service.start();
    let status = service.await_status("web.1", "runs", |status| status.state == State::Running);
    let pid = crate::service::pid(&status);
    eventually("it is root's", || {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        line.starts_with(b"sleep").then_some(())
    });
    service.signal(Signal::TERM);
    let named = format!("process {pid} belongs to root, and only root or that user can end it");
    service.await_status("web.1", "names it", |status| status.reason.as_ref() == Some(&named));
    service.await_status("fine.1", "has ended", |status| status.state == State::Stopped);
    let raw = Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    rustix::process::kill_process(raw, Signal::KILL).expect("root may");
    assert!(service.await_end().success());
    let status = service.status("web.1").expect("a status");
    assert_eq!((status.state, status.reason), (State::Stopped, None));
}

#[test]
fn a_process_that_obeys_ends_at_once_and_says_how() {
    let mut service = Service::new(&[("web", "faultapp --tick 60", 1)]);
    service.start();
    service.await_status("web.1", "runs", |status| status.state == State::Running);
    eventually("it listens to signals", || (!service.log("web.1").is_empty()).then_some(()));
    let begin = Instant::now();
    service.signal(Signal::TERM);
    assert!(service.await_end().success());
    assert!(begin.elapsed() < BUSY, "took {:?}", begin.elapsed());
    assert_eq!(service.status("web.1").and_then(|status| status.last_exit), Some(Exit::Code(0)));
}

/// It has not joined its group yet, and is asked to end all the same.
#[test]
fn a_process_that_was_just_started_is_told_too() {
    for round in 0..rounds(10, 200) {
        let mut service = Service::new(&[("web", "exec sleep 1000", 3)]);
        service.start();
        let begin = Instant::now();
        service.signal(Signal::TERM);
        assert!(service.await_end().success());
        assert!(begin.elapsed() < BUSY, "round {round}: took {:?}", begin.elapsed());
        assert_eq!(service.processes(), Vec::<u32>::new(), "round {round}");
    }
}

#[test]
fn a_stopped_process_can_be_stopped() {
    let mut service = Service::new(&[("web", "faultapp --tick 60", 1)]);
    service.start();
    let status = service.await_status("web.1", "runs", |status| status.state == State::Running);
    eventually("it listens to signals", || (!service.log("web.1").is_empty()).then_some(()));
    let pid = Pid::from_raw(i32::try_from(crate::service::pid(&status)).expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, Signal::STOP).expect("it is ours");
    service.signal(Signal::TERM);
    assert!(service.await_end().success());
    assert_eq!(service.processes(), Vec::<u32>::new());
}

/// A shell that ignores SIGTERM and ends on SIGQUIT, without waiting for a child to end first.
const QUITS: &str = "trap '' TERM; trap 'echo quits; exit 0' QUIT; echo up; while :; do sleep 0.05; done";

fn set(spec: &mut ps_supervisor::Spec, settings: &[(&str, &str)]) {
    for (name, text) in settings {
        let setting = type_settings::Setting::named(name).expect("a setting");
        assert!(setting.take(text, &mut spec.processes[0].settings), "{name} {text}");
    }
}

fn await_line(service: &Service, line: &str) {
    let lines = || String::from_utf8_lossy(&service.log("web.1")).into_owned();
    eventually(&format!("it writes {line}"), || lines().lines().any(|own| own == line).then_some(()));
}

#[test]
fn a_process_gets_the_stop_signal_of_its_type() {
    let service = Service::new(&[("web", QUITS, 1)]);
    let mut service = service.with(|spec| {
        spec.stop_timeout_seconds = 60;
        set(spec, &[("stop-signal", "SIGQUIT")]);
    });
    service.start();
    await_line(&service, "up");
    service.signal(Signal::TERM);
    assert!(service.await_end().success());
    await_line(&service, "quits");
    assert_eq!(service.status("web.1").and_then(|status| status.last_exit), Some(Exit::Code(0)));
}

/// The child dies of SIGTERM if it gets one; the main process waits for it.
#[test]
fn the_main_process_alone_is_told_and_its_child_finishes_its_work() {
    let work = "sh -c 'while [ ! -e told ]; do sleep 0.05; done; echo finished' & child=$!; \
         trap 'touch told' TERM; echo up; while ! wait $child; do kill -0 $child 2>/dev/null || exit 3; done";
    let service = Service::new(&[("web", work, 1)]);
    let mut service = service.with(|spec| {
        spec.stop_timeout_seconds = 60;
        set(spec, &[("stop-tree", "main")]);
    });
    service.start();
    await_line(&service, "up");
    service.signal(Signal::TERM);
    assert!(service.await_end().success());
    await_line(&service, "finished");
    assert_eq!(service.status("web.1").and_then(|status| status.last_exit), Some(Exit::Code(0)));
}

/// Those who are not told are killed with the others when the time is up.
#[test]
fn whoever_the_main_process_leaves_is_killed_when_the_time_is_up() {
    let service = Service::new(&[("web", "setsid sleep 1000 & echo up; exec sleep 1000", 1)]);
    let mut service = service.with(|spec| {
        spec.stop_timeout_seconds = 1;
        set(spec, &[("stop-tree", "main")]);
    });
    service.start();
    await_line(&service, "up");
    service.signal(Signal::TERM);
    assert!(service.await_end().success());
    assert_eq!(service.processes(), Vec::<u32>::new());
}

#[test]
fn a_stopped_member_of_a_tree_goes_on_and_ends_by_the_stop_signal() {
    let command = "sh -c \"trap 'echo told; exit 0' TERM; echo up; while :; do sleep 0.05; done\" & \
         echo $! > child; trap '' TERM; wait; wait";
    let service = Service::new(&[("web", command, 1)]);
    let mut service = service.with(|spec| spec.stop_timeout_seconds = 60);
    service.start();
    await_line(&service, "up");
    // Its parent may write it after that.
    let pid = eventually("its pid is written", || {
        let written = std::fs::read_to_string(service.path().join("child")).ok()?;
        written.strip_suffix('\n')?.parse().ok()
    });
    let pid = Pid::from_raw(pid).expect("a pid");
    rustix::process::kill_process(pid, Signal::STOP).expect("it is ours");
    service.signal(Signal::TERM);
    assert!(service.await_end().success());
    await_line(&service, "told");
}

#[test]
fn what_is_frozen_in_a_cgroup_is_thawed_and_ends() {
    let freezer =
        std::path::Path::new("/sys/fs/cgroup/freezer").join(format!("stops-{}", std::process::id()));
    if std::fs::create_dir(&freezer).is_err() || !freezer.join("freezer.state").exists() {
        skipped::skip("no freezer of cgroup v1 in which a group can be made");
        return;
    }
    let service = Service::new(&[("web", QUITS, 1)]);
    let mut service = service.with(|spec| {
        spec.stop_timeout_seconds = 60;
        set(spec, &[("stop-signal", "SIGQUIT")]);
    });
    service.start();
    await_line(&service, "up");
    for pid in service.processes() {
        // A `sleep` of the loop may have ended meanwhile.
        let _ = std::fs::write(freezer.join("cgroup.procs"), pid.to_string());
    }
    std::fs::write(freezer.join("freezer.state"), "FROZEN").expect("it can be frozen");
    service.signal(Signal::TERM);
    assert!(service.await_end().success());
    await_line(&service, "quits");
    std::fs::remove_dir(&freezer).expect("nothing is left in it");
}

#[test]
fn a_stop_command_has_the_process_end_in_its_own_way_before_any_signal() {
    let command =
        "trap 'echo terminated' TERM; trap 'echo quits; exit 7' QUIT; echo up; while :; do sleep 0.05; done";
    let service = Service::new(&[("web", command, 1)]);
    let mut service = service.with(|spec| {
        spec.stop_timeout_seconds = 60;
        let stop = "echo $PS $PWD > told; kill -QUIT $MAINPID; while kill -0 $MAINPID; do sleep 0.05; done";
        set(spec, &[("stop-command", stop)]);
    });
    service.start();
    await_line(&service, "up");
    service.signal(Signal::TERM);
    assert!(service.await_end().success());
    await_line(&service, "quits");
    assert!(!String::from_utf8_lossy(&service.log("web.1")).contains("terminated"));
    let told =
        std::fs::read_to_string(service.path().join("told")).expect("it was run where the instance is");
    assert_eq!(told, format!("web.1 {}\n", service.path().display()));
    let status = service.status("web.1").expect("a status");
    assert_eq!((status.state, status.last_exit, status.note), (State::Stopped, Some(Exit::Code(7)), None));
}

/// Its second generation hides as well as it can.
#[test]
fn a_stop_command_that_hangs_is_killed_whole_and_the_stop_signal_follows() {
    let service = Service::new(&[("web", QUITS, 1)]);
    let mut service = service.with(|spec| {
        spec.stop_timeout_seconds = 1;
        set(
            spec,
            &[("stop-signal", "SIGQUIT"), ("stop-command", "setsid sleep 1000 & trap '' TERM; sleep 1000")],
        );
    });
    service.start();
    await_line(&service, "up");
    service.signal(Signal::TERM);
    assert!(service.await_end().success());
    await_line(&service, "quits");
    assert_eq!(service.processes(), Vec::<u32>::new());
    let status = service.status("web.1").expect("a status");
    assert_eq!(status.note.as_deref(), Some("stop-command: it did not end within 1 s"));
}

#[test]
fn a_stop_command_that_fails_keeps_nothing_from_being_stopped() {
    let service = Service::new(&[("web", "echo up; exec sleep 1000", 1)]);
    let mut service = service.with(|spec| {
        spec.stop_timeout_seconds = 60;
        set(spec, &[("stop-command", "exit 3")]);
    });
    service.start();
    await_line(&service, "up");
    service.signal(Signal::TERM);
    assert!(service.await_end().success());
    let status = service.status("web.1").expect("a status");
    assert_eq!(status.last_exit, Some(Exit::Signal(15)));
    assert!(status.note.is_some_and(|note| note.starts_with("stop-command: ")));
}

/// A type that ends by its own command and signal, which a main process alone gets.
const POLITE: &str = "trap 'echo main >>heard; exit' QUIT; (trap 'echo child >>heard' QUIT; while :; do sleep 0.1; done) & \
    echo up; while :; do sleep 0.1; done";

#[test]
fn where_nobody_supervises_a_stop_is_as_the_spec_says_for_each_type() {
    let mut service = Service::new(&[("web", POLITE, 1), ("deaf", "faultapp --ignore-term --tick 60", 1)]);
    service = service.with(|spec| {
        let settings = r#"{"stop-signal": "SIGQUIT", "stop-tree": "main", "stop-command": "echo command $MAINPID >>heard", "stop-timeout-seconds": "5"}"#;
        spec.processes[0].settings = serde_json::from_str(settings).expect("settings");
        let settings = r#"{"stop-timeout-seconds": "6"}"#;
        spec.processes[1].settings = serde_json::from_str(settings).expect("settings");
        spec.stop_timeout_seconds = 1;
    });
    service.start();
    let main = crate::service::pid(&service.await_status("web.1", "runs", |status| status.process.is_some()));
    service.await_status("deaf.1", "runs", |status| status.process.is_some());
    await_line(&service, "up");
    eventually("it is deaf", || (!service.log("deaf.1").is_empty()).then_some(()));
    service.kill_supervisor();
    let spec = ps_supervisor::Spec::read(service.path()).expect("a spec");
    let begin = Instant::now();
    let left = ps_supervisor::strays(service.path()).end(Some(&spec), Duration::from_secs(1), |_| true);
    let took = begin.elapsed();
    assert!(left.is_empty() && service.processes().is_empty(), "{left:?}");
    assert!(took >= Duration::from_secs(6), "its own grace period is longer: {took:?}");
    let heard = std::fs::read_to_string(service.path().join("heard")).expect("something was heard");
    assert_eq!(heard, format!("command {main}\nmain\n"));
}
