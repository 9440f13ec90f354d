//! `rollback` and `releases`: an earlier release runs again as it was, or it is refused.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::engine::{IMAGE, has_engine, inspect, name};
use crate::home::Home;

/// Releases below `srv`.
fn released(releases: &[&str]) -> Home {
    let home = Home::new();
    for release in releases {
        home.write(&format!("srv/{release}/Procfile"), "web: exec sleep 600\n");
        home.write(&format!("srv/{release}/NAME"), release);
    }
    home
}

fn flip(home: &Home, release: &str) {
    let (link, staged) = (home.path("srv/current"), home.path("srv/.current"));
    symlink(release, &staged).expect("a link");
    fs::rename(staged, link).expect("it is put in place");
}

/// Deploys one after the other by the link `current`.
fn deployed(releases: &[&str]) -> Home {
    let home = released(releases);
    let current = home.path("srv/current").to_str().expect("text").to_owned();
    for release in releases {
        flip(&home, release);
        home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &current]);
    }
    home
}

/// Where `web.1` runs.
fn place(home: &Home) -> PathBuf {
    let pid = home.pids("shop")["web.1"];
    fs::read_link(format!("/proc/{pid}/cwd")).expect("it runs")
}

fn runs_in(home: &Home, release: &str) {
    assert_eq!(place(home), home.path("srv").join(release));
}

#[test]
fn a_release_runs_again_where_it_ran_and_every_verb_goes_on_from_there() {
    let home = deployed(&["r1", "r2"]);
    runs_in(&home, "r2");
    let ran = home.run(&["ps-lifecycle", "rollback", "shop"]);
    assert!(ran.stderr.contains("-----> Rolling shop back to release 1, of 20"), "{ran:?}");
    runs_in(&home, "r1");
    for verb in ["restart", "rebuild", "stop", "start"] {
        home.does(&["ps-lifecycle", verb, "shop"]);
        if verb != "stop" {
            runs_in(&home, "r1");
        }
    }
    home.power_cut();
    home.does(&["ps-lifecycle", "restore", "shop"]);
    runs_in(&home, "r1");
}

#[test]
fn each_rollback_leads_further_back_and_a_number_leads_anywhere() {
    let home = deployed(&["r1", "r2", "r3"]);
    for (words, release) in [(&[][..], "r2"), (&[], "r1"), (&["--to", "3"], "r3")] {
        home.does(&[&["ps-lifecycle", "rollback", "shop"], words].concat());
        runs_in(&home, release);
    }
    home.does(&["ps-lifecycle", "rollback", "shop", "--to", "1"]);
    let refuses = |words: &[&str], says: &[&str]| {
        home.refuses(&[&["ps-lifecycle", "rollback", "shop"], words].concat(), 1, says);
    };
    refuses(&[], &["no release of shop is kept from before the one that runs"]);
    refuses(&["--to", "99"], &["shop has no release 99 yet", "kept are 7, 6, 5, 4, 3, 2, 1"]);
    refuses(&["--to", "0"], &["release 0 of shop is not kept"]);
    runs_in(&home, "r1");
}

#[test]
fn a_directory_that_holds_something_else_now_or_is_gone_is_refused_and_what_runs_runs_on() {
    let home = deployed(&["r1", "r2"]);
    let pids = home.pids("shop");
    let refused = |says: &[&str]| {
        home.refuses(&["ps-lifecycle", "rollback", "shop"], 1, says);
        assert_eq!(home.pids("shop"), pids, "what runs runs on");
    };
    let procfile = home.path("srv/r1/Procfile");
    let was = fs::read_to_string(&procfile).expect("a file");
    fs::write(&procfile, "web: sleep 1\n").expect("written");
    refused(&[
        "release 1 cannot come back",
        "srv/r1 does not hold what was deployed then (Procfile was changed",
    ]);
    fs::write(&procfile, was).expect("written");
    home.write("srv/r1/new", "");
    refused(&["release 1 cannot come back"]);
    fs::remove_file(home.path("srv/r1/new")).expect("removed");
    fs::rename(home.path("srv/r1"), home.path("srv/away")).expect("renamed");
    refused(&["release 1 cannot come back", "which is not there any more"]);
    // It is what it was, though its times are other ones.
    fs::rename(home.path("srv/away"), home.path("srv/r1")).expect("renamed");
    home.does(&["ps-lifecycle", "rollback", "shop"]);
    runs_in(&home, "r1");
}

#[test]
fn a_release_that_does_not_come_up_again_is_no_rollback() {
    let home = Home::new();
    let source = home.source("r1", "web: test -e \"$HOME/stamp\" && exec sleep 600\n");
    home.write("stamp", "");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    let other = home.source("r2", "web: exec sleep 600\n");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &other]);
    let pids = home.pids("shop");
    fs::remove_file(home.path("stamp")).expect("it is there");
    let ran = home.run(&["ps-lifecycle", "rollback", "shop"]);
    ran.is_refused(1, &["web.1"]);
    assert_eq!(home.pids("shop"), pids);
    let rows = home.run(&["ps-lifecycle", "releases", "shop", "--json"]).rows();
    assert_eq!(rows[0]["release"], 2, "it is no release");
}

#[test]
fn counts_stay_as_they_are_and_a_type_of_then_comes_back_with_its_count() {
    let home = Home::new();
    let one = home.source("r1", "web: exec sleep 600\nold: exec sleep 600\n");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &one, "--scale", "web=1", "old=2"]);
    let two = home.source("r2", "web: exec sleep 600\n");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &two]);
    home.does(&["ps-scale", "shop", "web=3"]);
    home.does(&["ps-lifecycle", "rollback", "shop"]);
    let mut slots: Vec<String> = home.pids("shop").into_keys().collect();
    slots.sort();
    assert_eq!(slots, ["old.1", "old.2", "web.1", "web.2", "web.3"]);
}

#[test]
fn releases_are_listed_for_people_and_for_scripts() {
    let home = deployed(&["r1", "r2"]);
    home.does(&["ps-lifecycle", "rollback", "shop"]);
    let rows = home.run(&["ps-lifecycle", "releases", "shop", "--json"]).rows();
    let schema = include_str!("../../../docs/schemas/ps-lifecycle-releases.json");
    let schema = serde_json::from_str(schema).expect("JSON");
    for row in &rows {
        assert_eq!(crate::schema::complaints(&schema, row), [""; 0]);
    }
    let numbers: Vec<_> = rows.iter().map(|row| (row["release"].as_u64(), row["newest"] == true)).collect();
    assert_eq!(numbers, [(Some(3), true), (Some(2), false), (Some(1), false)]);
    assert_eq!((&rows[0]["restores"], &rows[1]["restores"]), (&1.into(), &serde_json::Value::Null));
    assert_eq!(rows[0]["directory"], home.path("srv/r1").to_str().expect("text"));
    assert_eq!(rows[0]["content"], rows[2]["content"]);
    let text = home.does(&["ps-lifecycle", "releases", "shop"]);
    let first = text.lines().nth(1).expect("a row");
    assert!(first.contains("3*") && first.ends_with("srv/r1, release 1 again"), "{text}");
    home.write("lib/data/formation/shop/releases/2.json", "{");
    let ran = home.run(&["ps-lifecycle", "releases", "shop"]);
    assert!(ran.status == Some(1) && ran.stderr.contains("2.json"), "{ran:?}");
    home.refuses(&["ps-lifecycle", "rollback", "shop", "--to", "2"], 1, &["2.json"]);
    home.refuses(&["ps-lifecycle", "releases", "nope"], 20, &["nope"]);
}

fn docker(words: &[&str]) {
    let done = Command::new("docker").args(words).output().expect("docker runs");
    assert!(done.status.success(), "{words:?}: {done:?}");
}

/// An image like the usual one, with a label that makes it another one.
fn build(home: &Home, tag: &str, label: &str) {
    let directory: &Path = &home.path("image");
    home.write("image/Dockerfile", &format!("FROM {IMAGE}\nLABEL formation-test={label}\n"));
    docker(&["build", "-q", "-t", tag, directory.to_str().expect("text")]);
}

#[test]
fn an_image_comes_back_by_its_id_though_its_name_means_another_one_now() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("again"));
    let tag = format!("formation-test/{app}:latest");
    for label in ["one", "two"] {
        build(&home, &tag, label);
        home.does(&["ps-lifecycle", "deploy", &app, "--image", &tag]);
    }
    let label = |home: &Home| inspect(home, &app)[0]["Config"]["Labels"]["formation-test"].clone();
    assert_eq!(label(&home), "two");
    home.does(&["ps-lifecycle", "rollback", &app]);
    assert_eq!(label(&home), "one");
    for verb in ["restart", "rebuild"] {
        home.does(&["ps-lifecycle", verb, &app]);
        assert_eq!(label(&home), "one", "{verb} goes on from there");
    }
    home.does(&["ps-lifecycle", "deploy", &app, "--image", &tag]);
    assert_eq!(label(&home), "two");
    // Its image is gone: no container of it is left, and no name.
    let rows = home.run(&["ps-lifecycle", "releases", &app, "--json"]).rows();
    let id = rows.last().expect("the first release")["image"].as_str().expect("an id").to_owned();
    docker(&["image", "rm", "-f", &id]);
    let refused = home.run(&["ps-lifecycle", "rollback", &app, "--to", "1"]);
    refused.is_refused(1, &["release 1", "is not here any more"]);
    assert_eq!(label(&home), "two");
    home.does(&["ps-lifecycle", "destroy", &app]);
    docker(&["image", "rm", "-f", &tag]);
}
