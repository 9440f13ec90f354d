//! `restart`.

use crate::home::{Home, table};

#[test]
fn restart_of_a_type_leaves_the_others_alone() {
    let home = Home::running(
        "duo",
        "web: faultapp --tick 5\nworker: faultapp --tick 5\n",
        &["--scale", "web=2", "worker=1"],
    );
    let before = home.pids("duo");
    home.does(&["ps-lifecycle", "restart", "duo", "web"]);
    let after = home.pids("duo");
    assert_eq!(before["worker.1"], after["worker.1"]);
    assert!(before["web.1"] != after["web.1"] && before["web.2"] != after["web.2"], "{before:?} {after:?}");
    home.does(&["ps-lifecycle", "restart", "duo", "web.2"]);
    let last = home.pids("duo");
    assert_eq!(after["web.1"], last["web.1"]);
    assert_ne!(after["web.2"], last["web.2"]);
}

#[test]
fn an_app_that_was_stopped_and_is_restarted_is_one_that_a_boot_brings_back() {
    let home = Home::running("solo", "web: faultapp --tick 60\n", &[]);
    home.does(&["ps-lifecycle", "stop", "solo"]);
    home.does(&["ps-lifecycle", "restart", "solo"]);
    home.power_cut();
    home.does(&["ps-lifecycle", "restore", "--all"]);
    assert_eq!(home.states("solo"), table(&[("web.1", "running")]));
}
