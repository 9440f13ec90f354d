//! What people wanted, and what is well.

use crate::home::Home;
use crate::world::{breakable, is_explained};

#[test]
fn an_app_that_runs_is_well() {
    let home = breakable("on-failure:2");
    let row = is_explained(&home, &["shop"], "healthy");
    assert!(row["cure"].is_null() && row["instance"].is_null(), "{row:#}");
    // What was changed and not read yet is no fault.
    home.write("shop/.env", "A=b\n");
    is_explained(&home, &["shop", "web"], "healthy");
    home.does(&["ps-lifecycle", "restart", "shop"]);
    is_explained(&home, &["shop", "web.1"], "healthy");
}

#[test]
fn what_was_stopped_by_hand_says_by_whom() {
    let home = breakable("on-failure:2");
    let mut command = home.command(&["ps-lifecycle", "stop", "shop"]);
    assert!(command.env("SUDO_USER", "alice").status().expect("it runs").success());
    let row = is_explained(&home, &["shop"], "stopped-by-hand");
    let says = row["reasons"][0]["says"].as_str().expect("text");
    assert!(says.contains("alice") && says.contains("stop shop"), "{says}");
    assert_eq!(row["cure"], "ps-lifecycle start shop");
    home.does(&["ps-lifecycle", "start", "shop"]);
    is_explained(&home, &["shop"], "healthy");
}

#[test]
fn one_instance_that_was_stopped_by_hand_is_the_one_that_is_explained() {
    let home = breakable("on-failure:2");
    home.does(&["ps-scale", "shop", "web=2"]);
    home.does(&["ps-lifecycle", "stop", "shop", "web.2"]);
    let row = is_explained(&home, &["shop"], "stopped-by-hand");
    assert_eq!(row["instance"], "web.2", "{row:#}");
    is_explained(&home, &["shop", "web.1"], "healthy");
}

#[test]
fn an_app_without_instances_was_scaled_to_zero() {
    let home = breakable("on-failure:2");
    home.does(&["ps-scale", "shop", "web=0"]);
    let row = is_explained(&home, &["shop"], "scaled-to-zero");
    assert!(row["reasons"][0]["says"].as_str().is_some_and(|says| says.contains("web=0")), "{row:#}");
}

#[test]
fn a_type_without_instances_is_what_is_explained_and_scaled() {
    let home = Home::running("shop", "web: exec sleep 600\nworker: exec sleep 600\n", &[]);
    let row = is_explained(&home, &["shop", "worker"], "scaled-to-zero");
    assert_eq!(row["situation"], "worker of shop does not run", "{row:#}");
    assert_eq!(row["cure"], "ps-scale shop worker=1");
    home.does(&["ps-scale", "shop", "worker=2"]);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    let row = is_explained(&home, &["shop"], "stopped-by-hand");
    let situation = row["situation"].as_str().expect("text");
    assert!(situation.starts_with("shop is stopped since "), "{situation}");
    home.does(&["ps-lifecycle", "start", "shop", "web"]);
    let row = is_explained(&home, &["shop"], "stopped-by-hand");
    let situation = row["situation"].as_str().expect("text");
    assert!(situation.ends_with("; one more of its instances is not well"), "{situation}");
}

#[test]
fn an_app_that_was_never_deployed() {
    let home = Home::new();
    std::fs::create_dir_all(home.path("home/shop")).expect("made");
    is_explained(&home, &["shop"], "never-deployed");
}

#[test]
fn an_app_that_does_not_exist_is_refused_and_so_is_an_instance() {
    let home = breakable("on-failure:2");
    let ran = home.run(&["ps-explain", "nobody"]);
    assert!(ran.status == Some(20) && ran.stdout.is_empty() && ran.stderr.contains("nobody"), "{ran:?}");
    let ran = home.run(&["ps-explain", "shop", "worker.1"]);
    assert!(ran.status == Some(1) && ran.stdout.is_empty() && ran.stderr.contains("worker.1"), "{ran:?}");
    assert_eq!(home.run(&["ps-explain"]).status, Some(2));
}
