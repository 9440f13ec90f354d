//! Without cgroups: whoever hides from descent, group, session and environment is still found; where nothing tells any
//! more which instance a process came from, it is named, and the end of everything ends it too.

use std::fs;

use formation::{Slot, State};
use os_process::ProcessId;
use ps_supervisor::{Request, strays};
use rustix::process::Signal;

use crate::service::{Service, eventually, pid};

const NOBODY: u32 = 65_534;

/// A child in a session of its own, with an empty environment and no output, whose parents have all ended.
const HIDDEN: &str = "env -i setsid sh -c '(sleep 4321 & echo $! >hidden) >/dev/null 2>&1' & \
                      wait; exec sleep 1000";
/// The same, which even takes off the tag among its limits.
const WITHOUT_TAG: &str = "env -i setsid prlimit --locks=unlimited \
                           sh -c '(sleep 4321 & echo $! >hidden) >/dev/null 2>&1' & wait; exec sleep 1000";

fn is_alive(pid: u32) -> bool {
    ProcessId::of(pid).is_some()
}

/// A service that may not make cgroups, and the pid of the process that hides in it.
fn hiding(command: &str) -> Option<(Service, u32)> {
    if !rustix::process::geteuid().is_root() {
        skipped::skip("no root: only root can become somebody else");
        return None;
    }
    let mut service = Service::new(&[("web", command, 1), ("other", "exec sleep 1000", 1)]).given_to(NOBODY);
    service.start();
    let hidden = eventually("it hides", || {
        let text = fs::read_to_string(service.path().join("hidden")).ok()?;
        let pid: u32 = text.trim().parse().ok()?;
        // Its parents are gone: the supervisor is its parent.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok()?;
        (parent == service.supervisor_pid()).then_some(pid)
    });
    assert!(!service.processes().contains(&hidden), "it still bears the mark in its environment");
    Some((service, hidden))
}

fn slots(name: &str) -> Vec<Slot> {
    vec![name.parse().expect("a slot")]
}

#[test]
fn a_child_that_cleared_its_environment_ends_with_its_instance() {
    let Some((mut service, hidden)) = hiding(HIDDEN) else { return };
    let other = pid(&service.await_status("other.1", "runs", |status| status.state == State::Running));
    assert_eq!(service.ask(&Request::Stop { slots: slots("web.1"), grace_seconds: None }), None);
    let status = service.await_status("web.1", "is stopped", |status| status.state == State::Stopped);
    assert!(!is_alive(hidden), "it escaped");
    assert_eq!(status.reason, None);
    assert!(is_alive(other));
    service.signal(Signal::TERM);
    assert!(service.await_end().success());
}

#[test]
fn it_is_found_by_a_new_supervisor_and_without_any() {
    let Some((mut service, hidden)) = hiding(HIDDEN) else { return };
    service.kill_supervisor();
    let mut left = strays(service.path());
    let found = left.find();
    assert!(
        found.get(&Some(slots("web.1").remove(0))).is_some_and(|pids| pids.contains(&hidden)),
        "{found:?}"
    );
    service.start_as_it_is();
    assert_eq!(service.ask(&Request::Stop { slots: slots("web.1"), grace_seconds: None }), None);
    service.await_status("web.1", "is stopped", |status| status.state == State::Stopped);
    assert!(!is_alive(hidden), "it escaped the next supervisor");
    service.kill_supervisor();
    assert_eq!(
        left.end(None, std::time::Duration::from_secs(2), |_| true),
        std::collections::BTreeMap::new()
    );
    assert_eq!(service.processes(), Vec::<u32>::new());
}

#[test]
fn one_that_nothing_tells_from_others_is_named_and_ends_with_everything() {
    let Some((mut service, hidden)) = hiding(WITHOUT_TAG) else { return };
    assert_eq!(service.ask(&Request::Stop { slots: slots("web.1"), grace_seconds: None }), None);
    let status = service.await_status("web.1", "is stopped", |status| status.state == State::Stopped);
    let reason = status.reason.expect("it says that it is not certain");
    assert!(reason.contains(&hidden.to_string()), "{reason}");
    assert!(is_alive(hidden), "nobody knows whether it is another instance's");
    service.signal(Signal::TERM);
    assert!(service.await_end().success());
    assert!(!is_alive(hidden), "it escaped the end of everything");
}
