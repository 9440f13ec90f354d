//! The scripts of app.json that belong to a deploy, natively: each runs once, in the directory.

use std::fs;

use crate::home::{Home, table};

const WEB: &str = "web: exec sleep 600\n";

/// An app whose scripts write their names into a file, and so does `release`.
fn telling(home: &Home) -> String {
    let told = home.path("told");
    let tell = |name: &str| format!("echo {name} $GREETING in $(basename $PWD) >>{}", told.display());
    let source = home.source("shop", &format!("{WEB}release: {}\n", tell("release")));
    let scripts = serde_json::json!({"scripts": {
        "dokku": {"predeploy": tell("predeploy"), "postdeploy": tell("postdeploy")},
        "postdeploy": tell("first"),
    }});
    home.write("shop/app.json", &scripts.to_string());
    home.write("shop/.env", "GREETING=hello\n");
    source
}

fn told(home: &Home) -> Vec<String> {
    let told = fs::read_to_string(home.path("told")).unwrap_or_default();
    fs::remove_file(home.path("told")).expect("it was written");
    told.lines().map(str::to_owned).collect()
}

#[test]
fn each_script_runs_once_in_each_deploy_in_dokkus_order_and_one_in_the_first_alone() {
    let home = Home::new();
    let source = telling(&home);
    let of = |names: &[&str]| names.iter().map(|name| format!("{name} hello in shop")).collect::<Vec<_>>();
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    assert_eq!(told(&home), of(&["predeploy", "release", "first", "postdeploy"]));
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    assert_eq!(told(&home), of(&["predeploy", "release", "postdeploy"]));
    home.does(&["ps-lifecycle", "restart", "shop"]);
    assert!(!home.path("told").exists(), "a restart is no deploy");
}

#[test]
fn a_dry_run_says_which_tasks_would_run_in_their_order_and_runs_none() {
    let home = Home::new();
    let source = telling(&home);
    let mut app_json: serde_json::Value =
        serde_json::from_slice(&fs::read(home.path("shop/app.json")).expect("written")).expect("JSON");
    app_json["cron"] = serde_json::json!([{"command": "echo tick", "schedule": "7 3 * * *"}]);
    home.write("shop/app.json", &app_json.to_string());
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source];
    let plan = || -> Vec<String> {
        let text = home.does(&[&deploy[..], &["--dry-run"]].concat());
        text.lines().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect()
    };
    let tasks = ["predeploy run", "release run", "first-postdeploy run"];
    assert_eq!(plan(), [&tasks[..], &["cron-1.1 keep", "web.1 start", "postdeploy run"]].concat());
    let rows = home.run(&[&deploy[..], &["--dry-run", "--json"]].concat()).rows();
    assert_eq!((&rows[0]["task"], &rows[5]["task"]), (&"predeploy".into(), &"postdeploy".into()));
    assert_eq!(rows[5]["reason"], "once, when the new release runs");
    assert!(rows[1]["command"].as_str().is_some_and(|command| command.starts_with("echo release ")));
    assert_eq!((&rows[3]["process_type"], &rows[3]["schedule"]), (&"cron-1".into(), &"7 3 * * *".into()));
    assert!(rows[4].get("schedule").is_none() && rows[4].get("task").is_none(), "{rows:?}");
    assert!(!home.path("told").exists() && !home.path("home/shop").exists(), "a dry run does nothing");
    home.does(&deploy);
    assert_eq!(told(&home).len(), 4);
    assert_eq!(plan(), ["predeploy run", "release run", "cron-1.1 keep", "web.1 replace", "postdeploy run"]);
}

#[test]
fn where_a_script_fails_before_the_instances_start_what_ran_runs_on() {
    let home = Home::running("shop", WEB, &[]);
    let (before, settings) = (home.pids("shop"), home.settings());
    let source = home.source("next", &format!("{WEB}release: echo never >&2\n"));
    home.write(
        "next/app.json",
        r#"{"scripts": {"dokku": {"predeploy": "echo half; echo done >&2; exit 3"}}}"#,
    );
    for app in ["shop", "fresh"] {
        let says = format!(
            "predeploy.1 of {app} failed (exit status: 3): it ran `echo half; echo done >&2; exit 3`; nothing was changed; the last it wrote:"
        );
        let ran = home.refuses(&["ps-lifecycle", "deploy", app, "--dir", &source], 1, &[&says]);
        assert!(ran.stderr.ends_with("wrote:\n    half\n    done\n"), "{ran:?}");
        assert!(!ran.stderr.contains("never"), "{ran:?}");
    }
    assert_eq!(home.pids("shop"), before);
    crate::home::assert_same(&settings, &home.settings());
    home.refuses(&["ps-lifecycle", "status", "fresh"], 20, &["fresh"]);
}

#[test]
fn where_postdeploy_fails_the_new_release_runs_and_is_recorded() {
    let home = Home::running("shop", WEB, &[]);
    let before = home.pids("shop");
    home.write("shop/app.json", r#"{"scripts": {"dokku": {"postdeploy": "exit 4"}}}"#);
    home.hook("late/post-deploy", "#!/bin/sh\ntouch \"$HOME/called\"\n");
    let source = home.path("shop");
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", source.to_str().expect("text")];
    home.run(&deploy)
        .is_refused(1, &["postdeploy.1 of shop failed (exit status: 4)", "the new release runs"]);
    assert_ne!(home.pids("shop"), before);
    assert_eq!(home.states("shop"), table(&[("web.1", "running")]));
    assert!(!home.path("called").exists(), "as in Dokku, what would come after it does not");
    assert!(home.does(&["ps-lifecycle", "releases", "shop"]).lines().count() > 2);
}

#[test]
fn the_script_of_the_first_deploy_never_runs_twice_although_it_failed() {
    let home = Home::new();
    let (source, told) = (home.source("shop", WEB), home.path("told"));
    fs::create_dir_all(home.path("home/shop")).expect("an app that was made before");
    let script = format!("echo first >>{}; exit 1", told.display());
    home.write("shop/app.json", &serde_json::json!({"scripts": {"postdeploy": script}}).to_string());
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source];
    home.run(&deploy).is_refused(1, &["first-postdeploy.1 of shop failed"]);
    home.does(&deploy);
    assert_eq!(fs::read_to_string(told).expect("it ran"), "first\n");
    home.does(&["ps-lifecycle", "destroy", "shop"]);
    // Whoever made the app may have it elsewhere.
    fs::remove_dir_all(home.path("home/shop")).expect("it is left");
}

#[test]
fn a_script_that_takes_too_long_is_ended_with_all_that_it_started() {
    let home = Home::new();
    let source = home.source("shop", WEB);
    home.write("shop/app.json", r#"{"scripts": {"dokku": {"predeploy": "sleep 2997 & sleep 2998"}}}"#);
    fs::create_dir_all(home.path("home/shop")).expect("an app that was made before");
    home.does(&["ps-set", "shop", "run-timeout", "1s"]);
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source];
    home.refuses(&deploy, 1, &["predeploy.1 of shop took longer than 1s", "nothing was changed"]);
    let left = home.processes().into_iter().filter(|(_, words)| words.contains("sleep 299")).count();
    assert_eq!(left, 0);
}
