//! One verb for every app; and what comes back after a reboot.

use crate::home::{Home, table};

const PROCFILE: &str = "web: faultapp --tick 60\n";

fn three(words: &[&str]) -> Home {
    let home = Home::new();
    let source = home.source("source", PROCFILE);
    let deploy = |app| home.start(&[&["ps-lifecycle", "deploy", app, "--dir", &source], words].concat());
    for deploy in ["one", "two", "three"].map(deploy) {
        let ran = deploy.ended();
        assert_eq!(ran.status, Some(0), "{ran:?}");
    }
    home
}

fn states(home: &Home) -> Vec<String> {
    let rows = home.run(&["ps-lifecycle", "status", "--json"]).rows();
    rows.iter()
        .map(|row| format!("{}.{} {}", row["app"], row["index"], row["state"]).replace('"', ""))
        .collect()
}

#[test]
fn every_app_is_stopped_and_started_one_by_one_or_together() {
    let home = three(&[]);
    std::fs::create_dir_all(home.path("home/draft")).expect("an app that was never deployed");
    for parallel in ["1", "1000"] {
        home.does(&["ps-lifecycle", "stop", "--all", "--parallel", parallel]);
        assert_eq!(states(&home), ["one.1 stopped", "three.1 stopped", "two.1 stopped"]);
        home.is_silent();
        home.does(&["ps-lifecycle", "start", "--all", "--parallel", parallel]);
        assert_eq!(states(&home), ["one.1 running", "three.1 running", "two.1 running"]);
    }
}

#[test]
fn an_app_that_fails_does_not_keep_the_others_from_their_turn() {
    let home = three(&[]);
    home.write("lib/config/ps/one/scale", "no such line\n");
    let before = home.pids("two");
    let ran = home.run(&["ps-lifecycle", "restart", "--all"]);
    ran.is_refused(1, &["1 of 3 apps failed"]);
    assert!(ran.stderr.contains(" !     one: ") && ran.stderr.contains("lib/config/ps/one/scale"), "{ran:?}");
    assert_ne!(home.pids("two"), before);
}

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
    let supervisor = home.processes().into_iter().find(|(_, words)| words.contains("ps-supervise"));
    let (pid, _) = supervisor.expect("there is one");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it lives");
    home.does(&["ps-lifecycle", "start", "one"]);
    assert_eq!(home.pids("one"), before);
    home.does(&["ps-lifecycle", "stop", "one"]);
    home.is_silent();
}
