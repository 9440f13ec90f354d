//! The path of a deploy counts as it was typed: a link in it is followed anew by each verb that starts something.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::home::{Home, eventually};

const PROCFILE: &str = "web: faultapp --tick 60\nworker: faultapp --tick 60\n";

/// A home with two releases below `srv`, of which `r1` is the one that `current` leads to.
fn released() -> Home {
    let home = Home::new();
    for release in ["r1", "r2"] {
        home.write(&format!("srv/{release}/app/Procfile"), PROCFILE);
        home.write(&format!("srv/{release}/Procfile"), PROCFILE);
    }
    flip(&home, "r1");
    home
}

fn flip(home: &Home, release: &str) {
    let (link, staged) = (home.path("srv/current"), home.path("srv/.current"));
    symlink(release, &staged).expect("a link");
    fs::rename(staged, link).expect("it is put in place");
}

/// Where an instance runs.
fn place(home: &Home, app: &str, slot: &str) -> PathBuf {
    let pid = home.pids(app)[slot];
    fs::read_link(format!("/proc/{pid}/cwd")).expect("it runs")
}

fn kill(home: &Home, app: &str, slot: &str) {
    let pid = home.pids(app)[slot];
    let raw = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
    rustix::process::kill_process(raw, rustix::process::Signal::KILL).expect("it runs");
    eventually("it is started again", || match home.pids(app).get(slot) {
        Some(now) if *now != pid => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn a_link_that_was_flipped_is_a_new_release_for_every_verb_that_starts_one() {
    for verb in ["rebuild", "restart", "deploy"] {
        let home = released();
        let current = home.path("srv/current");
        home.does(&["ps-lifecycle", "deploy", "shop", "--dir", current.to_str().expect("text")]);
        assert_eq!(place(&home, "shop", "web.1"), home.path("srv/r1"));
        flip(&home, "r2");
        fs::remove_dir_all(home.path("srv/r1")).expect("pruned");
        home.does(&["ps-lifecycle", verb, "shop"]);
        assert_eq!(place(&home, "shop", "web.1"), home.path("srv/r2"), "{verb}");
    }
}

#[test]
fn links_in_the_middle_of_a_path_relative_paths_and_the_shells_own_directory_count() {
    let typed = [("srv", "current/app"), ("", "./srv/../srv/current/app/"), ("srv/current/app", ".")];
    for (here, directory) in typed {
        let home = released();
        let mut deploy = home.command(&["ps-lifecycle", "deploy", "shop", "--dir", directory]);
        deploy.current_dir(home.path(here)).env("PWD", home.path(here));
        let ran = crate::program::run(deploy);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        flip(&home, "r2");
        home.does(&["ps-lifecycle", "restart", "shop"]);
        assert_eq!(place(&home, "shop", "web.1"), home.path("srv/r2/app"), "{here} {directory}");
    }
}

#[test]
fn a_crash_restarts_where_the_run_was_and_where_the_path_leads_once_that_is_gone() {
    let home = released();
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", "srv/current"]);
    flip(&home, "r2");
    kill(&home, "shop", "web.1");
    assert_eq!(place(&home, "shop", "web.1"), home.path("srv/r1"), "nobody asked for the new release");
    home.does(&["ps-lifecycle", "restart", "shop", "web"]);
    home.does(&["ps-scale", "shop", "worker=1"]);
    assert_eq!(place(&home, "shop", "web.1"), home.path("srv/r2"));
    flip(&home, "r1");
    fs::remove_dir_all(home.path("srv/r2")).expect("pruned");
    kill(&home, "shop", "web.1");
    assert_eq!(place(&home, "shop", "web.1"), home.path("srv/r1"));
}

#[test]
fn what_starts_beside_a_run_of_an_older_release_leaves_that_run_alone() {
    let home = released();
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", "srv/current", "--scale", "worker=0"]);
    let before = home.pids("shop")["web.1"];
    flip(&home, "r2");
    home.does(&["ps-scale", "shop", "web=2"]);
    assert_eq!(home.pids("shop")["web.1"], before);
    assert_eq!(place(&home, "shop", "web.1"), home.path("srv/r1"));
    assert_eq!(place(&home, "shop", "web.2"), home.path("srv/r2"));
    kill(&home, "shop", "web.1");
    assert_eq!(place(&home, "shop", "web.1"), home.path("srv/r1"), "a crash brings no new release");
}

#[test]
fn status_shows_both_paths_where_they_differ_and_neither_where_they_do_not() {
    let home = released();
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", "srv/current"]);
    let row = &home.status("shop")[0];
    let is = |key: &str, path: &Path| assert_eq!(row[key].as_str().map(Path::new), Some(path), "{row}");
    is("typed_directory", &home.path("srv/current"));
    is("directory", &home.path("srv/r1"));
    let text = home.does(&["ps-lifecycle", "status", "shop"]);
    let line = format!(
        "shop was deployed from {} and runs in {}\n",
        home.path("srv/current").display(),
        home.path("srv/r1").display()
    );
    assert!(text.ends_with(&line), "{text}");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", "srv/r2"]);
    let row = &home.status("shop")[0];
    assert!(row.get("directory").is_none() && row.get("typed_directory").is_none(), "{row}");
}

#[test]
fn an_app_that_an_earlier_version_recorded_goes_on_and_is_not_replaced() {
    let home = Home::running("shop", PROCFILE, &[]);
    let spec = home.path("lib/data/scheduler-native/shop/spec2.json");
    let text = fs::read_to_string(&spec).expect("a spec");
    let mut value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let fields = value.as_object_mut().expect("an object");
    assert!(fields.remove("typed").is_some() && fields.remove("port_is_set").is_some());
    fs::write(&spec, value.to_string()).expect("written");
    let before = home.pids("shop");
    home.does(&["ps-lifecycle", "start", "shop"]);
    home.does(&["ps-scale", "shop", "worker=1"]);
    assert_eq!(home.pids("shop")["web.1"], before["web.1"]);
    home.does(&["ps-lifecycle", "restart", "shop"]);
}
