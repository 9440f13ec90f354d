//! What is seen: instances, what they wrote before, a change of scale, a crash, a deploy.

use rustix::process::{Pid, Signal};

use crate::home::Home;
use crate::pane::Pane;

const SPEAKS: &str = "web: echo it has begun; exec sleep 600\n";

#[test]
fn a_scale_a_crash_and_a_deploy_are_seen_and_lines_from_before() {
    let home = Home::running("shop", SPEAKS, &[]);
    let Some(pane) = Pane::run(&home, "ps-top") else { return };
    pane.has_line(&["shop", "running", "native"]);
    pane.has_line(&["web.1", "running"]);
    pane.shows(&["logs of shop", "| it has begun"]);

    home.does(&["ps-scale", "shop", "web=2"]);
    pane.has_line(&["web.2", "running"]);

    let pid = i32::try_from(home.pids("shop")["web.2"]).ok().and_then(Pid::from_raw).expect("a pid");
    rustix::process::kill_process(pid, Signal::KILL).expect("ours");
    pane.types(&["e"]);
    pane.shows(&["events of shop", "signal 9"]);

    pane.types(&["Enter"]);
    let source = home.path("shop").to_str().expect("text").to_owned();
    let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    pane.shows(&["deploy goes on", "to replace web.1-2"]);
    pane.has_line(&["incoming", "starting"]);
    assert_eq!(deploy.ended().status, Some(0));
    pane.is_as("the end of the deploy", |text| !text.contains("incoming") && !text.contains("goes on"));
    pane.types(&["q"]);
}

#[test]
fn an_app_that_comes_or_goes_is_in_the_list_or_not() {
    let home = Home::new();
    let Some(pane) = Pane::run(&home, "ps-top") else { return };
    pane.shows(&["there are no apps"]);
    let source = home.source("shop", SPEAKS);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    pane.has_line(&["web.1", "running"]);
    pane.shows(&["it has begun"]);
    home.does(&["ps-lifecycle", "destroy", "shop"]);
    pane.shows(&["there are no apps"]);
}

#[test]
fn details_have_the_last_exits_and_what_ps_explain_says() {
    let home = Home::new();
    home.write("shop/app.json", r#"{"formation": {"web": {"restart_policy": "no"}}}"#);
    let source = home.source("shop", "web: sleep 2; echo no such table >&2; exit 7\n");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    let Some(pane) = Pane::run(&home, "ps-top shop") else { return };
    pane.has_line(&["web.1", "crashed"]);
    pane.types(&["j", "Enter"]);
    pane.shows(&["web.1 of shop is down", "What to do", "last exit", "code 7"]);
}

#[test]
fn a_small_terminal_and_one_that_changes_its_size() {
    let home = Home::running("shop", SPEAKS, &[]);
    let Some(pane) = Pane::run(&home, "ps-top") else { return };
    pane.shows(&["AGAIN", "logs of shop"]);
    pane.resize(40, 12);
    pane.is_as("the list alone", |text| {
        !text.contains("AGAIN") && text.contains("web.1") && !text.contains("logs of")
    });
    pane.types(&["l"]);
    pane.is_as("the logs alone", |text| text.contains("logs of shop") && text.contains("it has begun"));
    pane.resize(120, 40);
    pane.shows(&["AGAIN", "web.1", "logs of shop"]);
}

#[test]
fn without_colours_words_say_all() {
    let home = Home::running("shop", SPEAKS, &[]);
    let Some(pane) = Pane::run(&home, "ps-top") else { return };
    pane.has_line(&["web.1", "running"]);
    let is_colour = |text: &str| text.contains("\x1b[32m") || text.contains("\x1b[38;5;2m");
    assert!(is_colour(&pane.coloured()), "{:?}", pane.coloured());
    drop(pane);
    let Some(pane) = Pane::run_with(&home, "ps-top", &[("NO_COLOR", "1")]) else { return };
    pane.has_line(&["web.1", "running"]);
    assert!(!is_colour(&pane.coloured()), "{:?}", pane.coloured());
}
