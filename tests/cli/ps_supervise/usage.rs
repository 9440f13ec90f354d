//! What an instance may use of the machine, and what is said where it wanted more.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use formation::{Exit, OutOfMemory, State};
use ps_supervisor::{Spec, Status};
use rustix::process::{Pid, Signal, kill_process};

use crate::service::{Service, eventually, pid};

const NOBODY: u32 = 65_534;
const LIMIT: u64 = 64 << 20;
/// Its memory is beyond any limit that is set here.
const GREEDY: &str = "faultapp --alloc 200 --tick 60";

fn set(service: Service, settings: &str) -> Service {
    service.with(|spec: &mut Spec| {
        spec.processes[0].settings = serde_json::from_str(settings).expect("settings");
        spec.restart_policy = "no".parse().expect("a policy");
        spec.stop_timeout_seconds = 1;
    })
}

/// A service of one instance that is started; `None`, noted as skipped, where the machine lacks what limits it.
fn limited(command: &str, settings: &str) -> Option<Service> {
    let mut service = set(Service::new(&[("web", command, 1)]), settings);
    service.start();
    let status = service.await_status("web.1", "has been started", |status| {
        status.process.is_some() || status.last_exit.is_some()
    });
    let limits = status.limits.expect("its status says what limits it");
    if let Some(lacking) = limits.lacking {
        skipped::skip(lacking);
        return None;
    }
    Some(service)
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    kill_process(pid, signal).expect("it is ours");
}

/// The file of a controller's group that a process is in, in either version.
fn file(pid: u32, controller: &str, names: [&str; 2]) -> PathBuf {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("it lives");
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("readable");
    let line =
        |is_meant: &dyn Fn(&str) -> bool| groups.lines().find(|line| is_meant(line)).map(str::to_owned);
    let of_v1 = line(&|line| {
        line.split(':').nth(1).is_some_and(|names| names.split(',').any(|name| name == controller))
    });
    let is_v1 = of_v1.is_some();
    let line = of_v1.or_else(|| line(&|line| line.starts_with("0::"))).expect("it is in a group");
    let has = |mount: &&str| {
        let mut kind = mount.rsplit_once(" - ").map_or("", |(_, kind)| kind).split([' ', ',']);
        kind.next() == Some(if is_v1 { "cgroup" } else { "cgroup2" })
            && (!is_v1 || kind.any(|word| word == controller))
    };
    let mount = mounts.lines().find(has).expect("mounted").split(' ').nth(4).expect("a mount point");
    let name = names[usize::from(!is_v1)];
    let group = line.splitn(3, ':').nth(2).expect("a group").trim_start_matches('/');
    PathBuf::from(mount).join(group).join(name)
}

fn reads(pid: u32, controller: &str, names: [&str; 2]) -> String {
    // Until it has joined its group, the one that it comes from may have no such file.
    fs::read_to_string(file(pid, controller, names)).unwrap_or_default().trim().to_owned()
}

#[test]
fn an_instance_is_limited_in_groups_of_its_own_which_are_gone_when_it_has_ended() {
    let settings = r#"{"memory-max": "64m", "cpu-max": "0.5", "pids-max": "9"}"#;
    let two = |spec: &mut Spec| spec.processes[0].quantity = 2;
    let Some(_) = limited("sleep 1000", settings) else { return };
    let mut service = set(Service::new(&[("web", "sleep 1000", 1)]), settings).with(two);
    service.start();
    let pids = ["web.1", "web.2"]
        .map(|slot| pid(&service.await_status(slot, "runs", |status| status.process.is_some())));
    let memory = ["memory.limit_in_bytes", "memory.max"];
    for pid in pids {
        eventually("it is in its group", || {
            reads(pid, "memory", memory).eq(&LIMIT.to_string()).then_some(())
        });
        // In version 1 it joins one group after the other.
        eventually("its processes are counted", || reads(pid, "pids", ["pids.max"; 2]).eq("9").then_some(()));
        assert!(reads(pid, "cpu", ["cpu.cfs_quota_us", "cpu.max"]).starts_with("50000"));
    }
    let groups = pids.map(|pid| file(pid, "memory", memory));
    assert_ne!(groups[0], groups[1]);
    let limits = service.status("web.2").and_then(|status| status.limits).expect("its status says so");
    assert_eq!((limits.memory_max, limits.cpu_max, limits.pids_max), (Some(LIMIT), Some(500), Some(9)));
    service.signal(Signal::TERM);
    service.await_end();
    assert!(groups.iter().all(|file| !file.exists()), "{groups:?}");
}

#[test]
fn a_type_without_limits_is_started_without_any_step_for_them() {
    let mut service = Service::new(&[("web", "sleep 1000", 1)]);
    service.start();
    let status = service.await_status("web.1", "runs", |status| status.process.is_some());
    assert_eq!((status.limits.is_none(), status.out_of_memory), (true, None));
    let own = fs::read_to_string("/proc/self/cgroup").expect("readable");
    let its = fs::read_to_string(format!("/proc/{}/cgroup", pid(&status))).expect("it lives");
    let of_v1 = |text: &str| {
        text.lines().filter(|line| !line.starts_with("0::")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(of_v1(&its), of_v1(&own));
}

#[test]
fn no_more_processes_can_be_started_than_there_may_be() {
    let command = "(n=0; while [ $n -lt 20 ]; do sleep 1000 & n=$((n + 1)); done); sleep 1000; :";
    let Some(service) = limited(command, r#"{"pids-max": "6"}"#) else { return };
    let main = pid(&service.status("web.1").expect("it runs"));
    eventually("it wanted more than it may have", || {
        let events = reads(main, "pids", ["pids.events"; 2]);
        (events.starts_with("max ") && events != "max 0").then_some(())
    });
    assert!(service.processes().len() <= 6, "{:?}", service.processes());
}

fn killed(service: &Service) -> Status {
    service
        .await_status("web.1", "has ended", |status| status.process.is_none() && status.last_exit.is_some())
}

#[test]
fn a_kill_for_want_of_memory_is_named_as_the_reason_with_the_limit() {
    let Some(service) = limited(GREEDY, r#"{"memory-max": "64m"}"#) else { return };
    let status = killed(&service);
    assert_eq!(status.last_exit, Some(Exit::Signal(9)));
    assert_eq!(status.out_of_memory, Some(OutOfMemory { limit_bytes: Some(LIMIT), main: true }));
    let words = "killed by the kernel: out of memory (limit 64 MiB)";
    assert_eq!((status.how_it_ended().as_deref(), status.oom_kills), (Some(words), 1));
}

#[test]
fn what_was_killed_for_want_of_memory_and_is_started_again_is_counted_as_that() {
    let command = "test -e once || { echo >once; exec faultapp --alloc 200 --tick 60; }; exec sleep 1000";
    let service = set(Service::new(&[("web", command, 1)]), r#"{"memory-max": "64m"}"#);
    let mut service = service.with(|spec| spec.restart_policy = "always".parse().expect("a policy"));
    service.start();
    let status = service.await_status("web.1", "was started again, or cannot be limited", |status| {
        status.limits.as_ref().is_some_and(|limits| limits.lacking.is_some()) || status.restarts > 0
    });
    if let Some(lacking) = status.limits.and_then(|limits| limits.lacking) {
        return skipped::skip(lacking);
    }
    assert_eq!((status.restarts_by_reason.to_string().as_str(), status.oom_kills), ("1 oom", 1));
}

#[test]
fn a_shell_whose_program_was_killed_so_says_so_and_one_that_somebody_else_killed_does_not() {
    let command = format!("{GREEDY}; exit $?");
    let Some(service) = limited(&command, r#"{"memory-max": "64m"}"#) else { return };
    let status = killed(&service);
    assert_eq!(
        (status.last_exit, status.out_of_memory.map(|killed| killed.main)),
        (Some(Exit::Code(137)), Some(false))
    );
    assert_eq!(status.oom_kills, 1);
    let Some(service) = limited("sleep 1000; :", r#"{"memory-max": "64m"}"#) else { return };
    signal(pid(&service.status("web.1").expect("it runs")), Signal::KILL);
    let status = killed(&service);
    assert_eq!((status.last_exit, status.out_of_memory), (Some(Exit::Signal(9)), None));
}

#[test]
fn a_child_that_was_killed_so_is_noted_and_is_no_reason_for_a_later_kill_from_outside() {
    let command = format!("{GREEDY}; sleep 1000; :");
    let Some(service) = limited(&command, r#"{"memory-max": "64m"}"#) else { return };
    let note = "a process of it was killed by the kernel: out of memory (limit 64 MiB)";
    let status = service.await_status("web.1", "says so", |status| status.note.as_deref() == Some(note));
    signal(pid(&status), Signal::KILL);
    assert_eq!(killed(&service).out_of_memory, None);
}

#[test]
fn a_supervisor_that_takes_over_knows_the_limits_and_names_the_reason() {
    let command = "while ! test -e go; do sleep 0.1; done; exec faultapp --alloc 200 --tick 60";
    let Some(mut service) = limited(command, r#"{"memory-max": "64m"}"#) else { return };
    let before = pid(&service.status("web.1").expect("it runs"));
    let memory = ["memory.limit_in_bytes", "memory.max"];
    eventually("it is in its group", || reads(before, "memory", memory).eq(&LIMIT.to_string()).then_some(()));
    let group = file(before, "memory", memory);
    service.kill_supervisor();
    service.start_as_it_is();
    let status = service.await_status("web.1", "runs", |status| status.process.is_some());
    assert_eq!(pid(&status), before);
    fs::write(service.path().join("go"), "").expect("written");
    let status = service.await_status("web.1", "has ended", |status| status.process.is_none());
    // It was no child of the second supervisor: nobody saw how it ended.
    assert_eq!(status.last_exit, None);
    eventually("its group is gone", || (!group.exists()).then_some(()));
}

#[test]
fn an_instance_that_uses_more_than_it_should_is_replaced_gracefully_and_the_figures_are_said() {
    let command = "test -e once || { echo >once; exec faultapp --alloc 100 --tick 60; }; exec sleep 1000";
    let Some(service) = limited(command, r#"{"memory-restart": "50m"}"#) else { return };
    let first = service.status("web.1").expect("it was started").run;
    let status = service.await_status("web.1", "is another run", |status| {
        status.run > first && status.state == State::Running && status.note.is_some()
    });
    let note = status.note.expect("it has one");
    assert!(
        note.starts_with("started anew: web.1 used ") && note.ends_with("MiB (memory-restart 50 MiB)"),
        "{note}"
    );
    assert_eq!((status.restarts, status.out_of_memory), (0, None), "it is no death");
    assert_eq!(status.restarts_by_reason.to_string(), "1 memory");
}

#[test]
fn what_the_machine_lacks_is_said_and_is_refused_only_where_it_is_required() {
    if !rustix::process::geteuid().is_root() {
        skipped::skip("no root: only root can become somebody who may make no cgroups");
        return;
    }
    let settings = r#"{"memory-max": "64m", "pids-max": "9"}"#;
    let mut service = set(Service::new(&[("web", "sleep 1000", 1)]), settings).given_to(NOBODY);
    service.start();
    let status = service.await_status("web.1", "runs", |status| status.process.is_some());
    let limits = status.limits.expect("its status says so");
    let lacking = limits.lacking.expect("it says what does not hold");
    assert!(lacking.contains("memory-max 64m") && lacking.contains("not hold: "), "{lacking}");
    assert_eq!((limits.memory_max, limits.pids_max), (None, None));
    let settings = settings.replace('}', r#", "require-limits": "yes"}"#);
    let mut service = set(Service::new(&[("web", "sleep 1000", 1)]), &settings).given_to(NOBODY);
    service.start();
    let status = service.await_status("web.1", "was refused", |status| status.reason.is_some());
    assert!(status.process.is_none() && status.reason.expect("it has one").contains("require-limits is set"));
}

/// A slow timer looks where no controller counts: this takes half a minute.
#[test]
fn without_a_memory_controller_its_use_is_measured_from_time_to_time() {
    if !rustix::process::geteuid().is_root() {
        skipped::skip("no root: only root can become somebody who may make no cgroups");
        return;
    }
    let command = "test -e once || { echo >once; exec faultapp --alloc 100 --tick 60; }; exec sleep 1000";
    let mut service =
        set(Service::new(&[("web", command, 1)]), r#"{"memory-restart": "50m"}"#).given_to(NOBODY);
    service.start();
    let first = service.await_status("web.1", "runs", |status| status.process.is_some()).run;
    std::thread::sleep(std::time::Duration::from_secs(25));
    service.await_status("web.1", "is another run", |status| status.run > first);
}

fn says(service: Service, settings: &str, lines: usize) -> Vec<String> {
    let mut service = set(service, settings).with(|spec| spec.directory = "/".into());
    service.start();
    eventually("it has said all", || {
        let log = String::from_utf8_lossy(&service.log("web.1")).into_owned();
        let said: Vec<String> = log.lines().map(str::to_owned).collect();
        (said.len() >= lines).then_some(said)
    })
}

#[test]
fn the_class_of_its_input_and_output_is_taken_on_before_the_command() {
    if Command::new("ionice").arg("-V").output().is_err() {
        skipped::skip("no ionice");
        return;
    }
    for (value, said) in [("idle", "idle"), ("best-effort:6", "best-effort: prio 6")] {
        let service = Service::new(&[("web", "ionice -p $$; sleep 1000", 1)]);
        assert_eq!(says(service, &format!(r#"{{"io-priority": "{value}"}}"#), 1), [said]);
    }
}

#[test]
fn no_program_of_an_instance_gets_rights_that_it_has_not() {
    let command = "grep NoNewPrivs /proc/self/status; sleep 1000";
    let said =
        says(Service::new(&[("web", command, 1)]), r#"{"no-new-privileges": "yes", "user": "nobody"}"#, 1);
    assert_eq!(said, ["NoNewPrivs:\t1"]);
    assert_eq!(
        says(Service::new(&[("web", command, 1)]), r#"{"no-new-privileges": "no"}"#, 1),
        ["NoNewPrivs:\t0"]
    );
}

#[test]
fn a_private_tmp_is_empty_and_what_is_written_into_it_nobody_else_sees() {
    let name = format!("private-{}", std::process::id());
    let command = format!("ls -A /tmp /var/tmp | wc -w; echo >/tmp/{name} && ls /tmp; sleep 1000");
    let mut services = vec![Service::new(&[("web", &command, 1)])];
    if rustix::process::geteuid().is_root() {
        services.push(Service::new(&[("web", &command, 1)]).given_to(NOBODY));
    }
    for service in services {
        let said = says(service, r#"{"private-tmp": "yes"}"#, 2);
        // The two names with which ls begins its lists.
        assert_eq!(said, ["2", &name]);
        assert!(!PathBuf::from("/tmp").join(&name).exists());
    }
}
