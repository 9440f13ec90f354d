//! `deploy` without a Procfile: a command, an interpreter, arguments behind `--`, and counts by CPUs.

use std::thread;

use crate::home::{Home, eventually};

/// Says its arguments, each on a line of its own, and stays.
const SCRIPT: &str = "for word in \"$@\"; do echo \"got $word\"; done\nexec sleep 600\n";

fn says(home: &Home, app: &str, lines: &[&str]) {
    eventually("it says what it got", || {
        let logs = home.does(&["ps-lifecycle", "logs", app, "web.1"]);
        let said: Vec<&str> = logs.lines().filter_map(|line| line.strip_prefix("web.1 | ")).collect();
        if said.ends_with(lines) { Ok(()) } else { Err(format!("{said:?}")) }
    });
}

#[test]
fn an_interpreter_runs_the_script_with_every_argument_and_so_it_does_after_a_rebuild() {
    let home = Home::new();
    home.write("bot/bot.script", SCRIPT);
    let source = home.path("bot").to_str().expect("text").to_owned();
    let got = ["got -v", "got a # b", "got $HOME", "got it's"];
    home.does(&[
        "ps-lifecycle",
        "deploy",
        "bot",
        "--dir",
        &source,
        "--interpreter",
        "sh",
        "--command",
        "bot.script",
        "--",
        "-v",
        "a # b",
        "$HOME",
        "it's",
    ]);
    says(&home, "bot", &got);
    home.write("bot/bot.script", &SCRIPT.replace("got", "now"));
    home.does(&["ps-lifecycle", "rebuild", "bot"]);
    says(&home, "bot", &["now -v", "now a # b", "now $HOME", "now it's"]);
    // A deploy that says nothing is of the same source.
    home.write("bot/bot.script", SCRIPT);
    home.does(&["ps-lifecycle", "deploy", "bot"]);
    says(&home, "bot", &got);
}

#[test]
fn without_a_command_the_words_behind_the_dashes_are_the_command_and_no_procfile_is_asked() {
    let home = Home::new();
    let source = home.source("api", "web: false\n");
    home.write("api/say", SCRIPT);
    let cpus = thread::available_parallelism().expect("CPUs").get();
    home.does(&[
        "ps-lifecycle",
        "deploy",
        "api",
        "--dir",
        &source,
        "--scale",
        "web=max",
        "--",
        "sh",
        "say",
        "x;y",
    ]);
    says(&home, "api", &["got x;y"]);
    assert_eq!(home.pids("api").len(), cpus);
    let half = (cpus / 2).max(1);
    home.does(&["ps-lifecycle", "deploy", "api", "--scale", "web=50%"]);
    assert_eq!(home.pids("api").len(), half);
    assert_eq!(home.processes().iter().filter(|(_, words)| words.starts_with("sh -c")).count(), 0);
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_made() {
    let home = Home::new();
    let deploy = |words: &[&str], status, says: &[&str]| {
        home.refuses(&[&["ps-lifecycle", "deploy", "api"][..], words].concat(), status, says);
    };
    deploy(&["--command", "a && b", "--interpreter", "sh"], 1, &["\"a && b\"", "a script for a shell"]);
    deploy(&["--", "echo", "a\nb"], 1, &["line end"]);
    deploy(&["--interpreter", "sh"], 2, &[]);
    deploy(&["--image", "box:1", "--interpreter", "sh", "--", "x"], 2, &[]);
    deploy(&["--image", "box:1", "--", "x\ny"], 1, &["line end"]);
    deploy(&["--image", "box:1", "--command", "x\ny"], 1, &["one command on one line"]);
    deploy(
        &["--command", "sleep 600", "--scale", "web=0%"],
        1,
        &["process type web", "0% is no part of the CPUs"],
    );
    deploy(
        &["--command", "sleep 600", "--scale", "web=-9999"],
        1,
        &["process type web", "this process may use"],
    );
    deploy(&["--command", "bot.py", "--interpreter", "./no/python"], 1, &["./no/python"]);
    home.is_silent();
}
