//! As the first process of a container: everything that loses its parent becomes its child, nothing ends it but what it hears, and
//! its exit status is all that the container's engine learns.

use std::fs;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use super::Source;
use crate::rounds;
use crate::service::eventually;

/// A foreground as process 1 of a namespace; `None` where there can be none.
fn first(source: &Source, args: &[&str]) -> Option<Command> {
    let of_namespace = ["--pid", "--fork", "--kill-child", "--mount-proc"];
    let can = Command::new("unshare").args(of_namespace).arg("true").output();
    if !can.is_ok_and(|can| can.status.success()) {
        skipped::skip("no namespace of processes can be made here");
        return None;
    }
    let mut command = Command::new("unshare");
    source.prepare(&mut command);
    command.args(of_namespace).arg(env!("CARGO_BIN_EXE_ps-supervise")).args(args);
    Some(command)
}

#[test]
fn every_exit_status_of_a_process_is_that_of_the_container() {
    let step = rounds(17, 1);
    for code in (0..=255).step_by(step) {
        let source = Source::new(&format!("web: exit {code}\n"));
        let Some(command) = first(&source, &["--any-exit"]) else { return };
        assert_eq!(source.start_command(command).end().code(), code);
    }
    for (name, status) in [("KILL", 137), ("TERM", 143), ("SEGV", 139)] {
        let source = Source::new(&format!("web: kill -{name} $$\n"));
        let Some(command) = first(&source, &["--any-exit"]) else { return };
        assert_eq!(source.start_command(command).end().code(), status, "{name}");
    }
}

#[test]
fn what_loses_its_parent_is_reaped_when_it_ends() {
    let orphans = "for i in 1 2 3 4 5; do (sh -c 'sleep 0.1' & ) ; done; sleep 1; \
         for p in /proc/[0-9]*; do grep -s '^State:.Z' $p/status; done; echo looked";
    let source = Source::new(&format!("web: {orphans}\n"));
    let Some(command) = first(&source, &["--any-exit"]) else { return };
    let ended = source.start_command(command).end();
    assert_eq!(ended.text(), "web.1 | looked\n", "{}", ended.err);
}

#[test]
fn signals_end_it_in_order_and_are_passed_on_although_it_is_process_1() {
    let source = Source::new(
        "web: trap 'echo usr1' USR1; trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done\n",
    );
    let Some(command) = first(&source, &[]) else { return };
    let running = source.start_command(command);
    running.await_out("web.1 | up\n");
    let unshare = running.child.id();
    let children = format!("/proc/{unshare}/task/{unshare}/children");
    let inner = eventually("it has begun", || fs::read_to_string(&children).ok()?.trim().parse().ok());
    let inner = Pid::from_raw(inner).expect("a pid");
    kill_process(inner, Signal::USR1).expect("it is ours");
    running.await_out("web.1 | usr1\n");
    kill_process(inner, Signal::TERM).expect("it is ours");
    let ended = running.end();
    assert!(ended.text().ends_with("web.1 | bye\n"), "{}", ended.text());
    assert_eq!(ended.code(), 0);
}
