//! `signal`: to a whole tree or its main process, by name or number, and to nobody else.

use std::fs;

use crate::home::{Home, eventually};

/// Parent and child say which of them heard what. Both wait in `read`, which a signal interrupts, and have no other processes.
const FAMILY: &str = r#"listen() { trap "echo $1 heard HUP" HUP; trap "echo $1 heard USR1" USR1; echo "$1 listens"; while :; do read line <>"$1"; done; }
mkfifo parent child 2>/dev/null
(listen child) &
listen parent
"#;

fn family(app: &str) -> Home {
    let home = Home::new();
    let source = home.source(app, "web: exec sh ./family\n");
    home.write(&format!("{app}/family"), FAMILY);
    home.does(&["ps-lifecycle", "deploy", app, "--dir", &source]);
    says(&home, app, &["child listens", "parent listens"]);
    home
}

/// Waits until the app has said all of these, and nothing else.
fn says(home: &Home, app: &str, lines: &[&str]) {
    eventually("they say so", || {
        let log = fs::read_to_string(home.log_file(app, "web.1")).map_err(|error| error.to_string())?;
        let mut said: Vec<&str> = log.lines().collect();
        said.sort_unstable();
        if said == lines { Ok(()) } else { Err(format!("{said:?}")) }
    });
}

#[test]
fn the_whole_tree_hears_a_signal_and_with_main_the_main_process_alone() {
    let home = family("kin");
    let before = home.pids("kin");
    let told = home.run(&["ps-lifecycle", "signal", "SIGUSR1", "kin"]).stderr;
    assert!(told.contains("web.1: SIGUSR1 sent to 2 processes"), "{told}");
    says(&home, "kin", &["child heard USR1", "child listens", "parent heard USR1", "parent listens"]);
    for (signal, times) in [("hup", 1), ("1", 2)] {
        let told = home.run(&["ps-lifecycle", "signal", signal, "kin", "web.1", "--main"]).stderr;
        assert!(told.contains("web.1: SIGHUP sent to 1 process"), "{told}");
        let heard = vec!["parent heard HUP"; times];
        let all =
            [&["child heard USR1", "child listens"][..], &heard, &["parent heard USR1", "parent listens"]];
        says(&home, "kin", &all.concat());
    }
    assert_eq!(home.pids("kin"), before, "nobody ended");
}

#[test]
fn what_is_no_signal_is_refused_with_the_nearest_and_nobody_hears_anything() {
    let home = Home::running("calm", "web: sleep 600\n", &[]);
    let before = home.pids("calm");
    let first = "\"calm\" is no signal: the signal comes first, ps-lifecycle signal HUP calm";
    home.refuses(&["ps-lifecycle", "signal", "calm", "HUP"], 1, &[first]);
    home.refuses(&["ps-lifecycle", "signal", "SIGHUPP", "calm"], 1, &["SIGHUPP", "did you mean SIGHUP?"]);
    home.refuses(&["ps-lifecycle", "signal", "0", "calm"], 1, &["numbers go from 1 to 31"]);
    home.refuses(&["ps-lifecycle", "signal", "TERM", "calm", "worker"], 1, &["worker", "web=1"]);
    home.refuses(&["ps-lifecycle", "signal", "TERM", "nope"], 20, &["nope"]);
    home.refuses(&["ps-lifecycle", "signal", "TERM"], 2, &[]);
    assert_eq!(home.pids("calm"), before);
}

#[test]
fn an_instance_that_does_not_run_is_named_and_the_others_get_the_signal() {
    let home = Home::running("duo", "web: exec sleep 600\n", &["--scale", "web=2"]);
    home.does(&["ps-lifecycle", "stop", "duo", "web.2"]);
    let before = home.pids("duo");
    let ran = home.run(&["ps-lifecycle", "signal", "CONT", "duo", "web.2"]);
    ran.is_refused(1, &["1 of 1 instances did not get SIGCONT"]);
    assert!(ran.stderr.contains("web.2 of duo is stopped, not running: nothing was sent to it"), "{ran:?}");
    let ran = home.run(&["ps-lifecycle", "signal", "CONT", "duo"]);
    ran.is_refused(1, &["1 of 2 instances did not get SIGCONT"]);
    assert!(ran.stderr.contains("web.1: SIGCONT sent to 1 process"), "{ran:?}");
    assert_eq!(home.pids("duo"), before);
    home.does(&["ps-lifecycle", "stop", "duo"]);
    home.run(&["ps-lifecycle", "signal", "CONT", "duo"]).is_refused(1, &["did not get SIGCONT"]);
}

#[test]
fn what_a_signal_ends_is_started_again_by_its_restart_policy_and_the_journal_says_who_asked() {
    let home = Home::running("hit", "web: sleep 600\n", &[]);
    let before = home.pids("hit");
    home.does(&["ps-lifecycle", "signal", "KILL", "hit"]);
    eventually("another process runs", || {
        let now = home.pids("hit");
        if now.get("web.1").is_some_and(|pid| *pid != before["web.1"]) {
            Ok(())
        } else {
            Err(format!("{now:?}"))
        }
    });
    assert_eq!(home.status("hit")[0]["restarts"], 1);
    let journal = fs::read_to_string(home.path("lib/data/formation/hit/journal")).expect("a journal");
    assert!(journal.contains("\"signal\",\"KILL\",\"hit\""), "{journal}");
}

#[test]
fn a_type_without_instances_is_what_the_refusal_names() {
    let home = Home::running("lone", "web: exec sleep 600\nworker: exec sleep 600\n", &[]);
    let none = "no process of worker of lone runs: SIGCONT was sent to none";
    home.refuses(&["ps-lifecycle", "signal", "CONT", "lone", "worker"], 1, &[none]);
}
