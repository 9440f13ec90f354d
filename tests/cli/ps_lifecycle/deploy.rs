//! `deploy`: a release that fails, a process that ends at once, a command that is not there: what ran before runs on.

use crate::home::{Home, eventually, table};

const GOOD: &str = "web: faultapp --tick 60\nworker: faultapp --tick 60\n";

/// Procfiles whose web cannot run, and what is said of it.
const BAD: [(&str, &[&str]); 4] = [
    (
        "web: faultapp --say last-words --exit-after 100 --exit-code 4\n",
        &["web.1", "ended within its first second", "4"],
    ),
    ("web: true\n", &["web.1", "ended within its first second"]),
    ("web: no-such-program --flag\n", &["web.1", "127"]),
    ("web: kill -9 $$\n", &["web.1", "9"]),
];

#[test]
fn a_first_deploy_whose_process_ends_at_once_leaves_nothing() {
    let home = Home::new();
    for (procfile, says) in BAD {
        let source = home.source("app", procfile);
        let ran = home.refuses(&["ps-lifecycle", "deploy", "fresh", "--dir", &source], 1, says);
        if procfile.contains("last-words") {
            assert!(ran.stderr.ends_with("last-words\n"), "its last lines: {ran:?}");
        }
        home.is_silent();
        home.run(&["ps-lifecycle", "status", "fresh"]).is_refused(20, &["fresh"]);
    }
}

#[test]
fn what_is_not_started_again_is_done_when_it_ends_with_success_however_soon() {
    let home = Home::new();
    let source = home.source("shop", "once: echo done\nweb: exec sleep 1000\n");
    let app_json = |once: &str| {
        format!(r#"{{"formation": {{"web": {{"quantity": 1}}, "once": {{"quantity": 1, {once}}}}}}}"#)
    };
    home.write("shop/app.json", &app_json(r#""restart_policy": "no""#));
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    assert_eq!(home.states("shop"), table(&[("once.1", "stopped"), ("web.1", "running")]));
    let first = home.pids("shop");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    assert_ne!(home.pids("shop"), first, "it is a deploy like any other");
    home.does(&["ps-lifecycle", "start", "shop", "once"]);
    let written = home.does(&["ps-lifecycle", "logs", "shop", "once"]);
    assert_eq!(written.matches("done").count(), 3, "{written}");
    let before = home.pids("shop");
    for (once, procfile, ready) in [
        (r#""restart_policy": "no""#, "once: exit 3\nweb: exec sleep 1000\n", "alive"),
        (r#""restart_policy": "on-failure""#, "once: true\nweb: exec sleep 1000\n", "alive"),
        (r#""restart_policy": "no""#, "once: true\nweb: exec sleep 1000\n", "listening"),
    ] {
        home.write("shop/app.json", &app_json(once));
        home.write("shop/Procfile", procfile);
        home.does(&["ps-set", "shop", "once.ready", ready]);
        home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]).is_refused(1, &["once.1"]);
        assert_eq!(home.pids("shop"), before, "{once} {procfile} {ready}");
    }
}

#[test]
fn a_deploy_whose_process_ends_at_once_leaves_the_very_processes_of_the_old_release() {
    let home = Home::running("shop", GOOD, &["--scale", "worker=1"]);
    let (before, settings) = (home.pids("shop"), home.settings());
    for (procfile, says) in BAD {
        let source = home.source("bad", procfile);
        let env = home.write("env", "CHANGED=1\n");
        let env = env.to_str().expect("text");
        let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--env-file", env]);
        ran.is_refused(1, says);
        let says_so = ["       what ran of shop before runs on\n", "; what ran runs on\n"];
        assert!(says_so.iter().any(|line| ran.stderr.contains(line)), "{ran:?}");
        crate::home::assert_same(&settings, &home.settings());
        assert_eq!(home.states("shop"), table(&[("web.1", "running"), ("worker.1", "running")]));
        assert_eq!(home.pids("shop"), before);
    }
    let commands: Vec<String> = home.processes().into_iter().map(|(_, words)| words).collect();
    assert_eq!(
        commands.iter().filter(|words| words.contains("faultapp --tick 60")).count(),
        2,
        "{commands:?}"
    );
    home.does(&["ps-lifecycle", "restart", "shop"]);
}

#[test]
fn where_only_the_release_fails_the_same_processes_run_on() {
    let home = Home::running("shop", GOOD, &["--scale", "worker=1"]);
    let before = home.pids("shop");
    for release in ["echo half-done; exit 3", "no-such-program", "kill -9 $$"] {
        let source = home.source("bad", &format!("{GOOD}release: {release}\n"));
        let ran =
            home.refuses(&["ps-lifecycle", "deploy", "shop", "--dir", &source], 1, &["release.1", "shop"]);
        assert!(!release.starts_with("echo") || ran.stderr.contains("       half-done\n"), "{ran:?}");
        assert_eq!(home.pids("shop"), before);
        home.refuses(&["ps-lifecycle", "deploy", "fresh", "--dir", &source], 1, &["release.1", "fresh"]);
    }
}

#[test]
fn a_startup_check_that_does_not_hold_fails_the_deploy() {
    let _listening = crate::home::listening();
    let home = Home::running("shop", GOOD, &[]);
    let (settings, before) = (home.settings(), home.pids("shop"));
    let source = home.source("bad", "web: faultapp --listen $PORT --answer 500\n");
    let check = r#"{"type": "startup", "path": "/health", "attempts": 1, "wait": 1, "timeout": 1}"#;
    home.write("bad/app.json", &format!(r#"{{"healthchecks": {{"web": [{check}]}}}}"#));
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source];
    home.run(&deploy).is_refused(1, &["web.1", "GET /health", "500"]);
    crate::home::assert_same(&settings, &home.settings());
    assert_eq!(home.pids("shop"), before, "the old release never noticed");
    home.does(&["ps-lifecycle", "destroy", "shop"]);
    home.refuses(&["ps-lifecycle", "deploy", "shop", "--dir", &source], 1, &["GET /health"]);
    home.is_silent();
}

#[test]
fn a_hook_that_fails_before_the_deploy_keeps_it_from_happening() {
    let home = Home::running("shop", GOOD, &[]);
    let before = home.pids("shop");
    home.hook("guard/pre-start", "#!/bin/sh\necho not today >&2\nexit 7\n");
    let source = home.path("shop");
    let source = source.to_str().expect("text");
    home.refuses(&["ps-lifecycle", "deploy", "shop", "--dir", source], 1, &["pre-start", "guard"]);
    home.refuses(&["ps-lifecycle", "deploy", "fresh", "--dir", source], 1, &["pre-start", "guard"]);
    assert_eq!(home.pids("shop"), before);
}

#[test]
fn an_app_whose_hook_fails_after_its_first_deploy_is_deployed_and_known() {
    let home = Home::new();
    home.hook("guard/post-deploy", "#!/bin/sh\nexit 7\n");
    let source = home.source("shop", GOOD);
    home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]).is_refused(1, &["post-deploy", "guard"]);
    assert_eq!(home.states("shop"), table(&[("web.1", "running")]), "what runs is not forgotten");
}

#[test]
fn a_deploy_that_could_not_be_written_down_is_refused_before_anything_is_touched() {
    let home = Home::running("shop", "web: exec faultapp --tick 60\n", &[]);
    let pids = home.pids("shop");
    let releases = home.path("lib/data/formation/shop/releases");
    std::fs::remove_dir_all(&releases).expect("a release was kept");
    std::fs::write(&releases, "not a directory").expect("written");
    home.run(&["ps-lifecycle", "deploy", "shop"]).is_refused(1, &["data/formation/shop/releases"]);
    assert_eq!(home.pids("shop"), pids);
}

#[test]
fn a_release_whose_types_have_other_names_ends_what_ran_and_says_that_nothing_is_wanted_any_more() {
    let home = Home::running("shop", GOOD, &["--scale", "worker=1"]);
    let source = home.source("next", "worker: faultapp --tick 50\napi: faultapp --tick 50\n");
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source];
    let ran = home.run(&deploy);
    assert!(ran.status == Some(0) && !ran.stderr.contains("is wanted"), "{ran:?}");
    assert_eq!(home.states("shop"), table(&[("worker.1", "running")]));
    home.source("next", "api: faultapp --tick 50\n");
    let ran = home.run(&deploy);
    let says = " !     no instance of shop is wanted: ps-scale shop api=1 starts one\n";
    assert!(ran.status == Some(0) && ran.stderr.contains(says), "{ran:?}");
    assert_eq!(home.states("shop"), table(&[]));
    home.does(&["ps-scale", "shop", "api=1"]);
    assert_eq!(home.states("shop"), table(&[("api.1", "running")]));
}

#[test]
fn a_first_deploy_says_of_each_instance_since_when_it_is_up() {
    let home = Home::new();
    let source = home.source("shop", "web: exec sleep 600\nslow: exec sleep 600\n");
    let checks = r#"{"healthchecks": {"slow": [{"type": "startup", "command": ["test", "-e", "go"], "wait": 1, "attempts": 100}]}}"#;
    home.write("shop/app.json", checks);
    let since = |slot: &str| {
        let rows = home.status("shop").into_iter();
        let row = rows.into_iter().find(|row| crate::home::slot(row) == slot && row["state"] == "running");
        row.map(|row| row["since"].as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time"))
    };
    let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "slow=1"]);
    let early = eventually("web is up", || {
        if home.path("home/shop").exists() {
            since("web.1").ok_or_else(String::new)
        } else {
            Err(String::new())
        }
    });
    home.write("shop/go", "");
    assert_eq!(deploy.ended().status, Some(0));
    let [web, slow] = ["web.1", "slow.1"].map(|slot| since(slot).expect("it is up"));
    assert!(web == early && web < slow, "{early} {web} {slow}");
    // A supervisor that takes over has not seen it come up, and changes nothing of that.
    home.does(&["ps-set", "shop", "slow.schedule", "0 0 29 2 *"]);
    home.does(&["ps-lifecycle", "converge", "shop"]);
    let of_slow = || home.status("shop").into_iter().find(|row| crate::home::slot(row) == "slow.1");
    let waits = eventually("it waits for its time", || match of_slow() {
        Some(row) if row["state"] == "scheduled" => Ok(row["since"].clone()),
        row => Err(format!("{row:?}")),
    });
    for supervisor in home.supervisors() {
        rustix::process::kill_process(supervisor, rustix::process::Signal::KILL).expect("it is ours");
    }
    home.does(&["ps-lifecycle", "start", "shop", "web"]);
    assert_eq!(since("web.1"), Some(web));
    assert_eq!(of_slow().map(|row| row["since"].clone()), Some(waits));
}
