//! `restore`: what comes back after a reboot, or after the death of a supervisor.

use std::fs;

use rustix::process::Pid;

use crate::all::{PROCFILE, states, three};
use crate::home::{Home, eventually, table};

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
fn what_is_about_to_be_started_again_is_waited_for_and_what_stays_down_is_named() {
    let home = Home::new();
    let flag = home.write("flag", "");
    let worker = format!("test -e {} || exit 1; exec sleep 1000", flag.display());
    let source = home.source("shop", &format!("worker: {worker}\n"));
    let formation = r#"{"worker": {"quantity": 1, "restart_delay": "1s", "restart_delay_max": "1s"}}"#;
    home.write("shop/app.json", &format!(r#"{{"formation": {formation}}}"#));
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    fs::remove_file(&flag).expect("it is there");
    let pid = i32::try_from(home.pids("shop")["worker.1"]).expect("a pid");
    let pid = Pid::from_raw(pid).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it lives");
    eventually("it waits", || match home.states("shop")["worker.1"].as_str() {
        "backoff" => Ok(()),
        state => Err(state.to_owned()),
    });
    let ran = home.run(&["ps-lifecycle", "restore", "--all"]);
    assert!(ran.status == Some(1) && ran.stderr.contains("shop: worker.1 is backoff"), "{ran:?}");
    home.write("flag", "");
    home.does(&["ps-lifecycle", "restore", "--all"]);
    assert_eq!(home.states("shop"), table(&[("worker.1", "running")]));
}

#[test]
fn what_fails_right_after_a_boot_and_comes_up_a_moment_later_is_restored() {
    let home = Home::new();
    let flag = home.write("flag", "");
    // What it needs is there at its second start.
    let flag = flag.display().to_string();
    let worker = format!("test -e {flag} && exec sleep 1000; touch {flag}; exit 1");
    for app in ["shop", "box"] {
        let source =
            home.source(app, &format!("worker: {worker}\n").replace(&flag, &format!("{flag}-{app}")));
        home.write(&format!("flag-{app}"), "");
        home.does(&["ps-lifecycle", "deploy", app, "--dir", &source, "--scale", "worker=1"]);
    }
    let remove = |app: &str| fs::remove_file(home.path(&format!("flag-{app}"))).expect("it is there");
    home.power_cut();
    ["shop", "box"].into_iter().for_each(remove);
    let ran = home.run(&["ps-lifecycle", "restore", "--all"]);
    assert!(ran.status == Some(0) && ran.stderr.contains("2 of 2 apps restored"), "{ran:?}");
    assert_eq!(home.states("shop"), table(&[("worker.1", "running")]));
    home.power_cut();
    remove("shop");
    home.does(&["ps-lifecycle", "restore", "shop"]);
    assert_eq!(home.states("shop"), table(&[("worker.1", "running")]));
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

/// So many apps, all of them deployed at once.
fn many(home: &Home, apps: usize) -> Vec<String> {
    let source = home.source("source", PROCFILE);
    // Each is up when all may go on.
    let startup = r#"[{"type": "startup", "command": ["test", "-e", "go"], "wait": 1, "attempts": 1000}]"#;
    home.write("source/app.json", &format!(r#"{{"healthchecks": {{"web": {startup}}}}}"#));
    home.write("source/go", "");
    let names: Vec<String> = (1..=apps).map(|n| format!("app{n:02}")).collect();
    for some in names.chunks(10) {
        let deploys = some.iter().map(|app| home.start(&["ps-lifecycle", "deploy", app, "--dir", &source]));
        for deploy in deploys.collect::<Vec<_>>() {
            let ran = deploy.ended();
            assert_eq!(ran.status, Some(0), "{ran:?}");
        }
    }
    names
}

#[test]
fn all_apps_start_at_once_and_are_waited_for_together() {
    let home = Home::new();
    let names = many(&home, 30);
    home.power_cut();
    fs::remove_file(home.path("source/go")).expect("it was there");
    let restore = home.start(&["ps-lifecycle", "restore", "--all"]);
    eventually("all of them have started before the first is up", || {
        let started = home.processes().iter().filter(|(_, words)| words.starts_with("faultapp ")).count();
        if started == names.len() { Ok(()) } else { Err(format!("{started}")) }
    });
    home.write("source/go", "");
    let ran = restore.ended();
    assert_eq!(ran.status, Some(0), "{ran:?}");
    for app in &names {
        assert!(ran.stderr.contains(&format!("       {app}: 1 of 1 up\n")), "{ran:?}");
    }
    assert!(ran.stderr.contains("=====> 30 of 30 apps restored, 0 stopped before\n"), "{ran:?}");
    assert_eq!(states(&home).iter().filter(|state| state.ends_with(" running")).count(), 30);
}

#[test]
fn one_bad_app_stops_nobody_and_what_is_missing_is_named() {
    let home = three(&[]);
    let lost = home.source("lost", PROCFILE);
    home.does(&["ps-lifecycle", "deploy", "lost", "--dir", &lost]);
    home.does(&["ps-lifecycle", "stop", "three"]);
    home.power_cut();
    home.write("lib/config/ps/one/scale", "no such line\n");
    fs::rename(home.path("lost"), home.path("moved")).expect("renamed");
    let ran = home.run(&["ps-lifecycle", "restore", "--all"]);
    ran.is_refused(1, &["2 of 3 apps failed"]);
    for line in [
        " !     one: ",
        " !     lost: ",
        "       two: 1 of 1 up",
        "       three: stays stopped",
        "=====> 1 of 3 apps restored, 1 stopped before",
    ] {
        assert!(ran.stderr.contains(line), "{line}: {ran:?}");
    }
    let states = states(&home);
    for state in ["two.1 running", "three.1 stopped"] {
        assert!(states.contains(&state.to_owned()), "{state}: {states:?}");
    }
    // What waits to be started again comes up by itself once that is mended.
    fs::write(home.path("lib/config/ps/one/scale"), "web=1\n").expect("written");
    fs::rename(home.path("moved"), home.path("lost")).expect("renamed");
    eventually("lost is found", || match home.states("lost")["web.1"].as_str() {
        "running" => Ok(()),
        other => Err(other.to_owned()),
    });
    home.does(&["ps-lifecycle", "restore", "--all"]);
}

#[test]
fn an_app_that_does_not_come_up_in_its_time_is_missing_and_the_others_are_there() {
    let home = Home::as_installed();
    let slow = home.source("slow", "web: exec sleep 600\n");
    home.write("slow/app.json", "{\"formation\": {\"web\": {\"ready\": \"alive\"}}}");
    home.does(&["ps-lifecycle", "deploy", "slow", "--dir", &slow]);
    let quick = home.source("quick", "web: exec sleep 601\n");
    home.write("quick/app.json", "{\"formation\": {\"web\": {\"ready\": \"alive\"}}}");
    home.does(&["ps-lifecycle", "deploy", "quick", "--dir", &quick]);
    home.does(&["ps-lifecycle", "deploy", "idle", "--dir", &quick]);
    home.does(&["ps-lifecycle", "stop", "idle"]);
    home.power_cut();
    home.hook("other/pre-start", "#!/bin/sh\n[ \"$1\" != slow ] || exec sleep 600\n");
    let ran = home.run(&["ps-lifecycle", "restore", "--all", "--json", "--deadline", "10"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let rows = ran.rows();
    let of = |row: &serde_json::Value| format!("{} {}", row["app"], row["outcome"]).replace('"', "");
    assert_eq!(rows.iter().map(of).collect::<Vec<_>>(), ["idle stopped", "quick done", "slow failed"]);
    assert_eq!((&rows[1]["up"], &rows[1]["wanted"]), (&1.into(), &1.into()));
    assert_eq!(rows[2]["error"], "not up within 10 s");
    assert!(ran.stderr.contains(" !     slow: not up within 10 s"), "{ran:?}");
}
