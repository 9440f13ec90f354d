//! `ps-scale --dry-run` says what `converge` then does, and does not guess. What it says of containers stands in `engine.rs`.

use std::collections::BTreeMap;

use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::dry_run::actions;
use crate::home::{Home, eventually, table};

const PROCFILE: &str = "web: exec sleep 1000\nworker: exec sleep 1000\njob: exit 3\n";

fn dry_run(home: &Home, words: &[&str]) -> BTreeMap<String, String> {
    let before = home.settings();
    let ran = home.run(&[&["ps-scale", "shop", "--dry-run", "--json"], words].concat());
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(home.settings(), before, "a dry run changes nothing");
    actions(&ran)
}

#[test]
fn a_dry_run_says_keep_of_what_runs_and_start_of_what_does_not() {
    let home = Home::running("shop", PROCFILE, &["--scale", "web=2", "worker=1"]);
    let pids = home.pids("shop");
    let plan = dry_run(&home, &["web=3", "worker=0"]);
    assert_eq!(
        plan,
        table(&[("web.1", "keep"), ("web.2", "keep"), ("web.3", "start"), ("worker.1", "stop")])
    );
    assert_eq!(home.pids("shop"), pids);
    let text = home.does(&["ps-scale", "shop", "--dry-run", "web=1"]);
    let expected = "web.1            keep     already as wanted\nweb.2            stop     not in the formation\n\
                    worker.1         keep     already as wanted\n";
    assert_eq!(text, expected);
    home.does(&["ps-scale", "shop", "web=3", "worker=0"]);
    assert_eq!(home.pids("shop").into_keys().collect::<Vec<_>>(), ["web.1", "web.2", "web.3"]);
}

#[test]
fn an_instance_that_died_with_its_supervisor_does_not_count_as_running() {
    let home = Home::running("shop", PROCFILE, &[]);
    home.without_root();
    rustix::process::kill_process(home.supervisors()[0], Signal::KILL).expect("it is ours");
    let web = home.pids("shop")["web.1"];
    let web = Pid::from_raw(i32::try_from(web).expect("a pid")).expect("a pid");
    rustix::process::kill_process(web, Signal::KILL).expect("it is ours");
    eventually("nobody runs", || {
        let left = home.pids("shop");
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
    assert_eq!(dry_run(&home, &["web=2"]), table(&[("web.1", "start"), ("web.2", "start")]));
}

#[test]
fn of_an_app_that_was_stopped_nothing_is_said_to_run() {
    let home = Home::running("shop", PROCFILE, &["--scale", "web=2"]);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    let text = home.does(&["ps-scale", "shop", "--dry-run", "web=1"]);
    assert!(
        text.starts_with("web.1            start    the app is stopped: starts when it is started\n"),
        "{text}"
    );
}

#[test]
fn a_plan_can_be_asked_for_by_itself_and_is_what_converge_does() {
    let home = Home::running("shop", PROCFILE, &[]);
    home.does(&["ps-scale", "shop", "web=2", "worker=1", "--skip-deploy"]);
    let rows = home.run(&["ps-lifecycle", "converge", "shop", "--dry-run", "--json"]).rows();
    let action = |row: &Value| {
        (format!("{}.{}", row["process_type"].as_str().expect("text"), row["index"]), row["action"].clone())
    };
    let plan: BTreeMap<String, Value> = rows.iter().map(action).collect();
    assert_eq!(
        plan,
        [("web.1", "keep"), ("web.2", "start"), ("worker.1", "start")]
            .map(|(slot, action)| (slot.to_owned(), Value::from(action)))
            .into()
    );
    home.does(&["ps-lifecycle", "converge", "shop"]);
    assert_eq!(home.pids("shop").into_keys().collect::<Vec<_>>(), ["web.1", "web.2", "worker.1"]);
}

/// The rows that `converge` says it would carry out; `ps-scale` says the same ones, with the same exit status.
fn plan_of_both(home: &Home) -> Vec<String> {
    let before = home.settings();
    let converge = home.run(&["ps-lifecycle", "converge", "shop", "--dry-run", "--json"]);
    let scale = home.run(&["ps-scale", "shop", "--dry-run", "--json"]);
    assert_eq!(home.settings(), before, "a dry run changes nothing");
    let plan: Value = serde_json::from_str(&scale.stdout).unwrap_or_else(|why| panic!("{why}: {scale:?}"));
    let rows = converge.rows();
    assert_eq!((plan["instances"].as_array(), scale.status), (Some(&rows), converge.status), "{converge:?}");
    let row = |row: &Value| {
        let word = |key: &str| row[key].as_str().expect("text").to_owned();
        format!("{} {}.{}: {}", word("action"), word("process_type"), row["index"], word("reason"))
    };
    rows.iter().map(row).collect()
}

#[test]
fn a_dry_run_of_ps_scale_is_the_plan_of_converge_whatever_state_the_app_is_in() {
    let home = Home::new();
    std::fs::create_dir(home.path("home/shop")).expect("an app");
    home.does(&["ps-scale", "shop", "web=1"]);
    assert_eq!(plan_of_both(&home), ["start web.1: the app is not deployed: starts with its first deploy"]);

    home.does(&["ps-set", "shop", "restart-policy", "on-failure:1"]);
    let web = "web: exec sleep 1000\n";
    let source = home.source("src", &format!("{web}job: sleep 1.5\nflaky: sleep 3; exit 3\n"));
    let formation = r#"{"web": {"quantity": 3}, "job": {"quantity": 1}, "flaky": {"quantity": 1}}"#;
    home.write("src/app.json", &format!(r#"{{"formation": {formation}}}"#));
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    eventually("what ends by itself is over", || {
        let states = home.states("shop");
        let is_over = states["job.1"] == "stopped" && states["flaky.1"] == "crashed";
        if is_over { Ok(()) } else { Err(format!("{states:?}")) }
    });
    let over = ["keep flaky.1: it was given up", "keep job.1: it has finished"];
    let web = |n: u16| format!("keep web.{n}: already as wanted");
    assert_eq!(plan_of_both(&home), [over[0], over[1], &web(1), &web(2), &web(3)]);

    home.does(&["ps-lifecycle", "stop", "shop", "web.2"]);
    assert_eq!(plan_of_both(&home), [over[0], over[1], &web(1), &web(3)]);
    let before = home.pids("shop");
    home.does(&["ps-lifecycle", "converge", "shop"]);
    assert_eq!(home.pids("shop"), before, "what it said it keeps it kept, and no more");

    let status = home.path("lib/data/scheduler-native/shop/web.1/status.json");
    for file in [status, home.path("lib/data/scheduler-native/shop/state")] {
        std::fs::write(&file, "not JSON").expect("it can be damaged");
    }
    let unknown = "unknown web.1: its scheduler did not say whether it runs";
    assert_eq!(plan_of_both(&home), [over[0], over[1], unknown, &web(3)]);

    home.does(&["ps-lifecycle", "restart", "shop", "web"]);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    let start = |slot: &str| format!("start {slot}: the app is stopped: starts when it is started");
    let stopped = ["flaky.1", "job.1", "web.1", "web.2", "web.3"].map(start);
    assert_eq!(plan_of_both(&home), stopped);
}

#[test]
fn a_dry_run_of_a_deploy_says_what_it_would_do_and_how_and_does_nothing() {
    let home = Home::new();
    let source = home.source("src", "web: exec sleep 1000\nworker: exec sleep 1000\n");
    let dry_run = ["ps-lifecycle", "deploy", "shop", "--dir", &source, "--dry-run"];
    let before = home.settings();
    let text = home.does(&[&dry_run[..], &["--scale", "web=1"]].concat());
    assert_eq!(text, "web.1            start    wanted, but not running\n");
    assert_eq!(home.settings(), before, "a dry run makes no app");

    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "web=2", "worker=1"]);
    let formation = r#"{"web": {"quantity": 1}, "worker": {"quantity": 2, "strategy": "stop-first"}}"#;
    home.write("src/app.json", &format!(r#"{{"formation": {formation}}}"#));
    let (settings, pids) = (home.settings(), home.pids("shop"));
    let ran = home.run(&[&dry_run[..], &["--json"]].concat());
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!((home.settings(), home.pids("shop")), (settings, pids), "a dry run does nothing");
    let rows = ran.rows();
    let words = |row: &Value| {
        let slot = format!("{}.{}", row["process_type"].as_str().expect("text"), row["index"]);
        let how = row.get("strategy").and_then(Value::as_str).unwrap_or("none");
        format!("{} {slot} {how}", row["action"].as_str().expect("text"))
    };
    assert_eq!(
        rows.iter().map(words).collect::<Vec<_>>(),
        [
            "replace web.1 one-by-one",
            "stop web.2 none",
            "replace worker.1 stop-first",
            "start worker.2 stop-first"
        ]
    );
    assert_eq!((&rows[2]["max_parallel"], &rows[2]["deadline_seconds"]), (&2.into(), &30.into()));
}

#[test]
fn a_dry_run_of_a_deploy_that_would_be_refused_says_so_after_its_rows() {
    let home = Home::new();
    let source = home.source("src", "web: exec sleep 1000\n");
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source];
    home.does(&[&deploy[..], &["--listen", "none"]].concat());
    home.write("lib/config/shop/ENV", &format!("BIG={}\n", "x".repeat(200_000)));
    let ran = home.run(&[&deploy[..], &["--dry-run"]].concat());
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stdout.starts_with("web.1            replace "), "{ran:?}");
    assert!(ran.stderr.contains("this plan would be refused: ") && ran.stderr.contains("BIG"), "{ran:?}");
    // It says what the deploy says.
    let refused = home.run(&deploy);
    assert_eq!(refused.status, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("BIG"), "{refused:?}");
}

/// The supervisor takes the earlier release that is put back for a new one; what had ended for good in it is not run again.
#[test]
fn a_deploy_that_is_rolled_back_runs_no_job_of_the_earlier_release_again() {
    let home = Home::new();
    let runs = home.path("runs");
    let runs_of = || std::fs::read_to_string(&runs).unwrap_or_default();
    let job = |release: &str| format!("job: echo {release} >>{}; sleep 1.5\n", runs.display());
    let web = "web: exec sleep 1000\n";
    let source = home.source("src", &format!("{web}{}", job("first")));
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "job=1"]);
    eventually("the job has finished", || match home.states("shop")["job.1"].as_str() {
        "stopped" => Ok(()),
        other => Err(other.to_owned()),
    });
    let web_before = home.pids("shop");
    home.source("src", &format!("{web}{}bad: exit 3\n", job("second")));
    let failed = home.run(&["ps-lifecycle", "deploy", "shop", "--scale", "bad=1"]);
    assert_ne!(failed.status, Some(0), "{failed:?}");
    eventually("the earlier release runs", || {
        let now = home.pids("shop");
        if now.keys().eq(web_before.keys()) { Ok(()) } else { Err(format!("{now:?}")) }
    });
    assert!(!runs_of().trim_start_matches("first\n").contains("first"), "{:?}", runs_of());
    assert_eq!(home.states("shop")["job.1"], "stopped");
}

/// Its supervisor is new and starts the job on its own, so that the job may have ended when the verb asks for it.
#[test]
fn a_job_that_ends_at_once_is_run_once_where_no_supervisor_lived() {
    let home = Home::new();
    let runs = home.path("runs");
    let source = home.source("once", &format!("job: echo ran >>{}\n", runs.display()));
    home.does(&["ps-lifecycle", "deploy", "once", "--dir", &source, "--scale", "job=0"]);
    home.does(&["ps-set", "once", "restart-policy", "no"]);
    for (turn, words) in [["ps-scale", "once", "job=1"], ["ps-lifecycle", "start", "once"]].iter().enumerate()
    {
        eventually("no supervisor lives", || match home.supervisors()[..] {
            [] => Ok(()),
            ref some => Err(format!("{some:?}")),
        });
        home.does(words);
        eventually("the job has finished", || match home.states("once")["job.1"].as_str() {
            "stopped" => Ok(()),
            other => Err(other.to_owned()),
        });
        let ran = std::fs::read_to_string(&runs).expect("it ran");
        assert_eq!(ran.lines().count(), turn + 1, "{words:?}: {ran}");
        home.does(&["ps-lifecycle", "stop", "once"]);
    }
}

#[test]
fn a_dry_run_of_a_deploy_warns_as_the_deploy_does() {
    let home = Home::new();
    let source = home.source("shop", "web: exec sleep 600\n");
    home.write(
        "shop/app.json",
        r#"{"formation": {"web": {"ready": "alive", "stop_timeout_secnds": 3}}, "scriptz": {}}"#,
    );
    let warnings = |words: &[&str]| {
        let ran = home.run(&[&["ps-lifecycle", "deploy", "shop", "--dir", &source][..], words].concat());
        assert_eq!(ran.status, Some(0), "{ran:?}");
        let lines = ran.stderr.lines().filter(|line| line.contains("did you mean"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let before = warnings(&["--dry-run"]);
    assert_eq!(before.len(), 2, "{before:?}");
    assert_eq!(warnings(&[]), before);
}
