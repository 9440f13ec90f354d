//! The same of containers, with the real engine.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::home::{Home, eventually};
use crate::world::is_explained;

const IMAGE: &str = "formation-test/busybox:latest";

/// An app of this name in containers, running this; `None`: there is no engine, which is noted.
fn deployed(stem: &str, command: &str) -> Option<(Home, String)> {
    let mut docker = Command::new("docker");
    docker.args(["image", "inspect", IMAGE]).stdout(Stdio::null()).stderr(Stdio::null());
    if !docker.status().is_ok_and(|status| status.success()) {
        skipped::skip(format_args!("no engine has {IMAGE}: scripts/setup makes it"));
        return None;
    }
    let (home, app) = (Home::new(), format!("explain-{stem}-{}", std::process::id()));
    let source = home.source(&app, &format!("web: {command}\n"));
    // No other app's build shares a step with it, whose image might be removed meanwhile.
    home.write(&format!("{app}/Dockerfile"), &format!("FROM {IMAGE}\nENV BUILT_FOR={app}\n"));
    home.does(&["ps-lifecycle", "deploy", &app, "--dir", &source, "--scheduler", "docker-local"]);
    Some((home, app))
}

fn docker(words: &[&str]) -> String {
    let ran = Command::new("docker").args(words).output().expect("docker runs");
    assert!(ran.status.success(), "{ran:?}");
    String::from_utf8(ran.stdout).expect("text").trim().to_owned()
}

fn container(home: &Home, app: &str) -> String {
    home.status(app)[0]["container_id"].as_str().expect("it has one").to_owned()
}

/// Waits until web.1 of the app is in one of these states.
fn comes_to(home: &Home, app: &str, wanted: &[&str]) -> Value {
    eventually("it comes to that", || {
        let row = home.status(app).remove(0);
        if wanted.iter().any(|wanted| row["state"] == *wanted) { Ok(row) } else { Err(row.to_string()) }
    })
}

#[test]
fn a_container_that_runs_is_well_and_one_that_was_stopped_says_so() {
    let Some((home, app)) = deployed("well", "exec sleep 600") else { return };
    is_explained(&home, &[&app], "healthy");
    home.does(&["ps-lifecycle", "stop", &app]);
    is_explained(&home, &[&app], "stopped-by-hand");
}

#[test]
fn a_container_that_ends_by_itself_is_explained_by_its_status_and_what_it_wrote() {
    let command = "while [ ! -f /bad ]; do sleep 0.1; done; echo no luck; exit 6";
    let Some((home, app)) = deployed("ends", command) else { return };
    home.does(&["ps-set", &app, "restart-policy", "on-failure:1"]);
    home.does(&["ps-lifecycle", "restart", &app]);
    docker(&["exec", &container(&home, &app), "touch", "/bad"]);
    comes_to(&home, &app, &["crashed"]);
    let row = is_explained(&home, &[&app], "exit-status");
    let says: Vec<&str> = row["reasons"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|reason| reason["says"].as_str())
        .collect();
    assert!(says[0].contains("exit status 6") && says.iter().any(|says| says.contains("no luck")), "{row:#}");
}

#[test]
fn a_container_that_somebody_killed_is_not_called_one_without_memory() {
    let Some((home, app)) = deployed("killed", "exec sleep 600") else { return };
    docker(&["kill", &container(&home, &app)]);
    comes_to(&home, &app, &["crashed", "stopped"]);
    is_explained(&home, &[&app], "killed-from-outside");
}

#[test]
fn a_container_without_memory_was_killed_by_the_kernel() {
    let command = "while [ ! -f /bad ]; do sleep 0.1; done; exec tail /dev/zero";
    let Some((home, app)) = deployed("oom", command) else { return };
    home.does(&["ps-set", &app, "web.memory-max", "16m"]);
    home.does(&["ps-set", &app, "restart-policy", "no"]);
    home.does(&["ps-lifecycle", "restart", &app]);
    let id = container(&home, &app);
    docker(&["exec", &id, "touch", "/bad"]);
    comes_to(&home, &app, &["crashed", "stopped"]);
    is_explained(&home, &[&app], "out-of-memory");
}

#[test]
fn a_container_that_somebody_removed_is_gone() {
    let Some((home, app)) = deployed("gone", "exec sleep 600") else { return };
    docker(&["rm", "-f", &container(&home, &app)]);
    comes_to(&home, &app, &["missing"]);
    is_explained(&home, &[&app], "container-gone");
}

#[test]
fn an_engine_that_does_not_answer_is_the_cause_of_all() {
    let Some((home, app)) = deployed("away", "exec sleep 600") else { return };
    let nowhere = format!("unix://{}", home.path("no.sock").display());
    let mut command = home.command(&["ps-explain", &app, "--json"]);
    let ran = command.env("DOCKER_HOST", &nowhere).output().expect("it runs");
    let row: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!((ran.status.code(), &row["cause"]), (Some(0), &"engine-away".into()), "{row:#}");
    is_explained(&home, &[&app], "healthy");
}
