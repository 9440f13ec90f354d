//! What is done from the screen: only after a question, and as the command line that is shown.

use crate::home::{Home, table};
use crate::pane::Pane;

fn home() -> Home {
    Home::running("shop", "web: exec sleep 600\njob: exec sleep 600\n", &["--scale", "web=1", "job=1"])
}

#[test]
fn a_stop_is_asked_for_and_a_no_is_a_no() {
    let home = home();
    let Some(pane) = Pane::run(&home, "ps-top") else { return };
    pane.has_line(&["job.1", "running"]);
    pane.types(&["j"]);
    pane.has_line(&[">", "job.1"]);
    pane.types(&["x"]);
    pane.shows(&["do this?", "ps-lifecycle stop shop job.1", "y yes"]);
    pane.types(&["n"]);
    pane.is_as("no question", |text| !text.contains("do this?"));
    assert_eq!(home.states("shop"), table(&[("job.1", "running"), ("web.1", "running")]));
    pane.types(&["x", "y"]);
    pane.has_line(&["job.1", "stopped"]);
    pane.shows(&["ps-lifecycle stop shop job.1: done"]);
    assert_eq!(home.states("shop"), table(&[("job.1", "stopped"), ("web.1", "running")]));
    pane.types(&["s", "y"]);
    pane.has_line(&["job.1", "running"]);
}

#[test]
fn a_change_of_scale_shows_its_plan_first() {
    let home = home();
    let Some(pane) = Pane::run(&home, "ps-top") else { return };
    pane.has_line(&["web.1", "running"]);
    pane.types(&["G", "+"]);
    pane.shows(&["ps-scale shop web=2", "web.2"]);
    pane.types(&["+"]);
    pane.shows(&["ps-scale shop web=3", "web.3"]);
    pane.types(&["y"]);
    pane.has_line(&["web.3", "running"]);
    pane.shows(&["ps-scale shop web=3: done"]);
    pane.types(&["o"]);
    pane.shows(&["-- ps-scale shop web=3"]);
}

#[test]
fn a_typed_command_is_run_and_what_fails_says_why() {
    let home = home();
    let Some(pane) = Pane::run(&home, "ps-top") else { return };
    pane.has_line(&["web.1", "running"]);
    pane.types(&[":", "stop web.9", "Enter"]);
    pane.shows(&["ps-lifecycle stop shop web.9"]);
    pane.types(&["y"]);
    pane.has_line(&["stop shop web.9: failed"]);
    pane.types(&["o"]);
    pane.shows(&["shop has no web.9"]);
    pane.types(&[":", "destroy", "Enter"]);
    pane.shows(&["destroy is no command"]);
}

#[test]
fn a_filter_leaves_what_is_looked_for() {
    let home = home();
    let Some(pane) = Pane::run(&home, "ps-top") else { return };
    pane.has_line(&["web.1", "running"]);
    pane.types(&["/", "job", "Enter"]);
    pane.is_as("job alone", |text| text.contains("job.1") && !text.contains("web.1"));
    pane.types(&["Escape"]);
    pane.has_line(&["web.1", "running"]);
}
