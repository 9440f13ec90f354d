//! `restore`: what comes back after a reboot, or after the death of a supervisor.

use crate::all::{PROCFILE, states, three};
use crate::home::{Home, table};

#[test]
fn after_a_reboot_only_what_was_wanted_comes_back() {
    let home = three(&["--scale", "web=2"]);
    home.does(&["ps-lifecycle", "stop", "two"]);
    home.does(&["ps-lifecycle", "stop", "three", "web.2"]);
    home.power_cut();
    assert!(states(&home).iter().all(|state| !state.ends_with("running")), "{:?}", states(&home));
    home.does(&["ps-lifecycle", "restore", "--all"]);
    let back = states(&home);
    assert!(back.contains(&"one.1 running".into()) && back.contains(&"one.2 running".into()), "{back:?}");
    assert!(back.contains(&"three.1 running".into()), "{back:?}");
    assert!(back.contains(&"two.1 stopped".into()) && back.contains(&"two.2 stopped".into()), "{back:?}");
    let said = home.run(&["ps-lifecycle", "restore", "two"]);
    assert!(said.status == Some(0) && said.stderr.contains("ps-lifecycle start two"), "{said:?}");
    assert!(home.pids("two").is_empty());
    let before = home.pids("one");
    home.does(&["ps-lifecycle", "restore", "--all", "--parallel", "-1"]);
    assert_eq!(home.pids("one"), before, "what runs is left alone");
    home.does(&["ps-lifecycle", "start", "two"]);
    home.power_cut();
    home.does(&["ps-lifecycle", "restore", "--all", "--parallel", "2"]);
    assert_eq!(home.states("two"), table(&[("web.1", "running"), ("web.2", "running")]));
}

#[test]
fn a_supervisor_that_was_killed_is_replaced_and_its_processes_are_adopted() {
    let home = Home::running("one", PROCFILE, &[]);
    let before = home.pids("one");
    home.without_root();
    let pid = home.supervisors()[0];
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it lives");
    home.does(&["ps-lifecycle", "start", "one"]);
    assert_eq!(home.pids("one"), before);
    home.does(&["ps-lifecycle", "stop", "one"]);
    home.is_silent();
}
