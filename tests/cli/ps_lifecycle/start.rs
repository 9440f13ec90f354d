//! `start`.

use rustix::process::Signal;

use crate::home::{Home, eventually};

#[test]
fn one_instance_that_cannot_start_does_not_keep_the_others_down() {
    let home = Home::new();
    let flag = home.write("flag", "");
    let worker = format!("test -f {} || exit 5; exec faultapp --tick 60", flag.display());
    let source = home.source("shop", &format!("web: faultapp --tick 60\nworker: {worker}\n"));
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "worker=1"]);
    std::fs::remove_file(&flag).expect("it is there");
    home.does(&["ps-lifecycle", "stop", "shop"]);
    let ran = home.run(&["ps-lifecycle", "start", "shop"]);
    ran.is_refused(1, &["worker.1", "exit status 5"]);
    assert!(ran.stderr.contains("What came up runs on"), "{ran:?}");
    let is_up = |home: &Home| match home.states("shop") {
        states if states["web.1"] == "running" => Ok(()),
        states => Err(format!("{states:?}")),
    };
    eventually("web runs", || is_up(&home));
    home.power_cut();
    home.run(&["ps-lifecycle", "restore", "--all"]);
    eventually("web is brought back", || is_up(&home));
    home.write("flag", "");
    eventually("the worker is tried again", || match home.states("shop") {
        states if states["worker.1"] == "running" => Ok(()),
        states => Err(format!("{states:?}")),
    });
}

/// The stop was killed, and what it told to end is still ending.
#[test]
fn what_is_still_ending_is_started_again_before_it_is_said_to_be_up() {
    let home = Home::running("shop", "web: exec faultapp --ignore-term --tick 60\n", &[]);
    home.does(&["ps-set", "shop", "stop-timeout-seconds", "3"]);
    let before = home.pids("shop");
    let mut stop = home.start(&["ps-lifecycle", "stop", "shop", "web.1"]);
    eventually("it is ending", || match home.states("shop") {
        states if states["web.1"] == "stopping" => Ok(()),
        states => Err(format!("{states:?}")),
    });
    stop.signal(Signal::KILL);
    stop.ended();
    home.does(&["ps-lifecycle", "start", "shop"]);
    assert_eq!(home.states("shop")["web.1"], "running");
    assert_ne!(home.pids("shop"), before);
}

/// Root and supervisor are dead, and an instance that keeps dying has died once more meanwhile.
#[test]
fn a_start_that_brings_back_the_supervisor_does_not_wait_for_the_delay_of_a_restart() {
    let home = Home::new();
    let die = home.path("die");
    let worker = format!("while ! test -e {}; do sleep 0.05; done; exit 5", die.display());
    let source = home.source("shop", &format!("web: faultapp --tick 60\nworker: {worker}\n"));
    let delays = r#"{"quantity": 1, "restart_delay": "50s", "restart_delay_max": "50s"}"#;
    let web = r#"{"quantity": 1}"#;
    home.write("shop/app.json", &format!(r#"{{"formation": {{"web": {web}, "worker": {delays}}}}}"#));
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    let web = home.pids("shop")["web.1"];
    home.without_root();
    let supervisor = home.supervisors()[0];
    rustix::process::kill_process(supervisor, Signal::KILL).expect("it lives");
    home.write("die", "");
    eventually("the worker is dead", || match home.pids("shop") {
        pids if pids.contains_key("worker.1") => Err(format!("{pids:?}")),
        _ => Ok(()),
    });
    let ran = home.run(&["ps-lifecycle", "start", "shop"]);
    assert!(ran.status == Some(0) && ran.took.as_secs() < 45, "{ran:?}");
    assert_eq!(home.states("shop")["worker.1"], "backoff");
    assert_eq!(home.pids("shop")["web.1"], web);
}
