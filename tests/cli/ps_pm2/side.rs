//! What scripts that were run beside a real pm2 0.7.2 found other here: pid files, counts, and what a command line may hold.

use std::fs;
use std::path::Path;

use crate::home::{Home, eventually};

/// The pid that a file holds; `None` if there is no such file.
fn held(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok().map(|text| text.trim().parse().expect("a pid"))
}

fn until_gone(file: &Path) {
    eventually(|| if file.exists() { Err(format!("{} is still there", file.display())) } else { Ok(()) });
}

fn until_errored(home: &Home, id: u64) {
    eventually(|| match home.status(id).as_str() {
        "errored" => Ok(()),
        other => Err(other.to_owned()),
    });
}

#[test]
fn the_pid_of_an_app_in_fork_mode_is_in_both_files_and_leaves_them_when_it_ends() {
    let home = Home::new();
    home.done(&["start", "say.sh"]);
    let files = ["say.sh.pid", "say.sh.pid0.pid"].map(|name| home.pm2("pids").join(name));
    let pid = home.pid(0);
    eventually(|| match files.each_ref().map(|file| held(file)) {
        both if both == [Some(pid); 2] => Ok(()),
        other => Err(format!("{other:?}")),
    });
    // The second instance overwrites the file that both have.
    home.done(&["start", "say.sh", "-f"]);
    let second = home.pid(1);
    eventually(|| match held(&files[0]) {
        Some(held) if held == second => Ok(()),
        other => Err(format!("{other:?}")),
    });
    home.done(&["stop", "0"]);
    until_gone(&files[1]);
    assert_eq!(held(&files[0]), Some(second), "it is of the one that runs on");
    home.done(&["delete", "all"]);
    until_gone(&files[0]);
}

#[test]
fn what_was_given_up_has_no_pid_file() {
    let home = Home::new();
    fs::write(home.app("soon.js"), "process.exit(3)\n").expect("a script");
    home.done(&["start", "early.sh"]);
    home.done(&["start", "soon.js"]);
    for id in [0, 1] {
        until_errored(&home, id);
    }
    let left: Vec<_> = fs::read_dir(home.pm2("pids")).expect("it is there").flatten().collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!((home.pid(0), home.pid(1)), (0, 0));
}

#[test]
fn the_id_follows_the_name_of_a_pid_file_whatever_that_ends_in() {
    let home = Home::new();
    home.done(&["start", "tick.js", "-p", "mine"]);
    eventually(|| if home.app("mine0.pid").exists() { Ok(()) } else { Err("no mine0.pid".to_owned()) });
    assert!(home.done(&["list", "-m"]).contains("/app/mine0.pid\n"));
}

#[test]
fn the_instance_with_the_lowest_id_says_whether_a_script_is_launched() {
    let home = Home::new();
    home.done(&["start", "tick.js", "-i", "2"]);
    home.done(&["stop", "0"]);
    let running = home.pid(1);
    let out = home.done(&["start", "tick.js"]);
    assert!(out.starts_with("PM2 Process successfully started\n"), "{out}");
    assert_eq!((home.status(0), home.pid(1)), ("online".to_owned(), running));
    home.done(&["stop", "1"]);
    let ran = home.say(&["start", "tick.js"]);
    assert!(ran.status == 1 && ran.stderr.contains("Script already launched"), "{ran:?}");
    assert_eq!(home.status(1), "stopped");
}

#[test]
fn a_file_starts_no_app_with_the_port_of_one_that_runs() {
    let home = Home::new();
    let file = |name: &str, port: &str| {
        let text = format!(r#"{{"name":"{name}","script":"say.sh","port":{port}}}"#);
        fs::write(home.app(&format!("{name}.json")), text).expect("a file");
        format!("{name}.json")
    };
    home.done(&["start", &file("one", "8123")]);
    let other = file("other", "\"8123\"");
    let ran = home.say(&["start", &other]);
    assert!(ran.status == 0 && ran.stderr.contains("other: Script already launched, add -f"), "{ran:?}");
    assert_eq!(home.list().len(), 1);
    home.done(&["stop", "one"]);
    home.done(&["start", &other]);
    assert_eq!(home.status(1), "online", "nothing has the port any more");
}

#[test]
fn variables_of_a_file_are_listed_as_they_were_written() {
    let home = Home::new();
    let text = r#"{"script":"say.sh","env":{"LEVEL":3,"LOUD":true,"COLOUR":"red"}}"#;
    fs::write(home.app("env.json"), text).expect("a file");
    home.done(&["start", "env.json"]);
    let env = &home.one(0)["pm2_env"]["env"];
    assert_eq!((&env["LEVEL"], &env["LOUD"], &env["COLOUR"]), (&3.into(), &true.into(), &"red".into()));
    home.done(&["dump"]);
    let dumped = fs::read_to_string(home.pm2("dump.pm2")).expect("written");
    assert!(dumped.contains(r#""LEVEL":3"#), "{dumped}");
    home.done(&["kill"]);
    home.done(&["resurrect"]);
    home.log("say.sh-out-0.log", |text| text.matches("LEVEL=3\n").count() == 2);
}

#[test]
fn the_last_of_an_option_that_is_given_twice_counts() {
    let home = Home::new();
    home.done(&["start", "tick.js", "--name", "a", "-i", "3", "--name", "b", "-i", "2"]);
    let names: Vec<_> = home.list().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["b", "b"]);
}

#[test]
fn w_writes_a_schedule_where_pm2_does() {
    let home = Home::new();
    home.done(&["start", "tick.js", "-w", "-c", "0 0 3 * * *", "-o", "o.log"]);
    let written = fs::read_to_string(home.app("tick-pm2.json")).expect("written");
    let order = r#""out_file":"o.log","cron_restart":"0 0 3 * * *","exec_mode":"cluster_mode""#;
    assert!(written.contains(order), "{written}");
}

#[test]
fn restarts_go_on_being_counted_over_a_reload_and_changed_files_count() {
    let home = Home::new();
    let text = r#"{"script":"tick.js","exec_mode":"fork_mode","watch":["page.html"]}"#;
    fs::write(home.app("page.html"), "1").expect("a file");
    fs::write(home.app("tick.json"), text).expect("a file");
    home.done(&["start", "tick.json"]);
    let restarts = || home.one(0)["pm2_env"]["restart_time"].as_u64().expect("a number");
    let before = home.pid(0);
    let mut content = String::new();
    eventually(|| {
        // Whoever watches may not have begun yet.
        content += "x";
        fs::write(home.app("page.html"), &content).expect("a file");
        let one = home.one(0);
        if one["pid"] == before { Err(one.to_string()) } else { Ok(()) }
    });
    let counted = eventually(|| match restarts() {
        0 => Err("a changed file is not counted".to_owned()),
        counted => Ok(counted),
    });
    home.done(&["reload", "tick.js"]);
    assert_eq!(restarts(), counted + 1);
}

#[test]
fn a_startup_that_fails_dumps_nothing() {
    let home = Home::new();
    home.done(&["start", "tick.js"]);
    let ran = home.say(&["startup", "-u", "nosuchuser"]);
    assert!(ran.status == 1 && !home.pm2("dump.pm2").exists(), "{ran:?}");
}
