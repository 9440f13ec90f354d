use std::fs;
use std::process::Command;

use crate::home::{Home, eventually, lives};

#[test]
fn a_restart_replaces_the_process_and_is_counted() {
    let home = Home::new();
    home.done(&["start", "tick.js", "-i", "2"]);
    let (zero, one) = (home.pid(0), home.pid(1));
    let out = home.done(&["restart", "0"]);
    let said = "Processing......\nPM2 Restarting process by id 0\nPM2 Process 0 restarted\n";
    assert!(out.starts_with(said), "{out}");
    assert!(!lives(zero) && home.pid(0) != zero && home.pid(1) == one);
    let counts = |home: &Home| [0, 1].map(|id| home.one(id)["pm2_env"]["restart_time"].as_u64());
    assert_eq!(counts(&home), [Some(1), Some(0)]);
    home.done(&["stop", "1"]);
    let out = home.done(&["restart", "all"]);
    let said = "Processing......\nPM2 Process tick restarted\nPM2 Process tick restarted\nPM2 Process restarted...\n";
    assert!(out.starts_with(said), "{out}");
    assert_eq!(counts(&home), [Some(2), Some(0)], "a start of what was stopped is no restart");
}

#[test]
fn a_process_that_is_killed_comes_back_and_one_that_always_dies_at_once_is_errored() {
    let home = Home::new();
    home.done(&["start", "tick.js"]);
    let pid = home.pid(0);
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().expect("kill runs").success());
    eventually(|| {
        let now = home.one(0);
        let is_back = now["pid"].as_u64().is_some_and(|now| now != pid && now != 0);
        if is_back && now["pm2_env"]["restart_time"] == 1 { Ok(()) } else { Err(now.to_string()) }
    });
    home.done(&["start", "early.sh"]);
    eventually(|| {
        let now = home.one(1);
        if now["pm2_env"]["status"] == "errored" { Ok(()) } else { Err(now.to_string()) }
    });
    assert_eq!(home.one(1)["pm2_env"]["restart_time"], 15);
    let lines = home.log("early.sh-out-1.log", |text| text.lines().count() >= 15).lines().count();
    assert_eq!(lines, 15);
    assert_eq!(home.say(&["start", "early.sh"]).status, 1, "it is launched already");
    home.done(&["stop", "1"]);
    home.done(&["delete", "1"]);
    assert_eq!(home.list().len(), 1);
}

#[test]
fn a_restart_of_a_script_that_is_gone_leaves_the_old_process() {
    let home = Home::new();
    home.done(&["start", "tick.js"]);
    let pid = home.pid(0);
    // Node has read it.
    home.log("tick-out-0.log", |text| !text.is_empty());
    std::fs::remove_file(home.app("tick.js")).expect("it was there");
    let ran = home.say(&["restart", "tick"]);
    assert!(ran.status == 1 && ran.stderr.contains("script not found : "), "{ran:?}");
    assert_eq!(home.pid(0), pid);
}

#[test]
fn the_uptime_of_what_ends_again_and_again_is_that_of_its_process() {
    let home = Home::new();
    // The fourth process stays.
    let script = "n=$(ls started.* 2>/dev/null | wc -l)\ntouch started.$n\n[ $n -ge 3 ] || { sleep 0.2; exit 1; }\nexec sleep 1000\n";
    fs::write(home.app("again.sh"), script).expect("a script");
    home.done(&["start", "again.sh"]);
    // Its file is there a moment before the list shows it.
    eventually(|| {
        let one = home.one(0);
        let is_last = one["pid"] != 0 && one["pm2_env"]["restart_time"] == 3;
        if is_last && home.app("started.3").exists() { Ok(()) } else { Err(one.to_string()) }
    });
    let one = home.one(0);
    let before = home.app("started.2").metadata().and_then(|file| file.modified()).expect("a time");
    let before = before.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis();
    let uptime = u128::from(one["pm2_env"]["pm_uptime"].as_u64().expect("a number"));
    assert!(uptime > before && one["pm2_env"]["restart_time"] == 3, "{before}: {one}");
}

#[test]
fn the_statuses_of_stop_exit_codes_end_an_app_and_no_other_does_not_even_0() {
    let home = Home::new();
    let script = "#!/bin/sh\necho life >> lives\n[ \"$(wc -l < lives)\" -lt 3 ] && exit 0\nexit 3\n";
    fs::write(home.app("thrice.sh"), script).expect("a script");
    let ran = home.say(&["start", "thrice.sh", "--stop-exit-codes", "3"]);
    assert_eq!((ran.status, &*ran.stderr), (0, ""), "{ran:?}");
    eventually(|| {
        let now = home.one(0);
        if now["pm2_env"]["status"] == "stopped" { Ok(()) } else { Err(now.to_string()) }
    });
    let lives = fs::read_to_string(home.app("lives")).expect("it has lived");
    assert_eq!(lives.lines().count(), 3, "two ends with 0 and one with 3");
}

#[test]
fn without_treekill_the_stop_signal_goes_to_the_main_process_alone() {
    let home = Home::new();
    // The child says what it gets; the main process waits for a while before it ends.
    let script = "#!/bin/sh\n(trap 'echo told' TERM; echo up; while :; do sleep 0.05; done) &\n\
                  trap 'sleep 1; echo bye; exit 0' TERM\nwhile :; do sleep 0.05; done\n";
    for (id, name, option) in [(0, "whole.sh", None), (1, "main.sh", Some("--no-treekill"))] {
        fs::write(home.app(name), script).expect("a script");
        let mut words = vec!["start", name];
        words.extend(option);
        home.done(&words);
        let log = format!("{name}-out-{id}.log");
        home.log(&log, |text| text.contains("up"));
        home.done(&["stop", &id.to_string()]);
        let said = home.log(&log, |text| text.contains("bye"));
        assert_eq!(said.contains("told"), option.is_none(), "{name}: {said}");
    }
}

#[test]
fn a_restart_and_a_reload_are_done_while_a_changed_file_has_an_app_restarted() {
    let home = Home::new();
    // It takes its time to end.
    let script = "#!/bin/sh\ntrap 'sleep 1; exit 0' TERM\nwhile :; do sleep 0.05; done\n";
    fs::write(home.app("slow.sh"), script).expect("a script");
    home.done(&["start", "slow.sh", "--watch", "--watch-delay", "100"]);
    for (at, verb) in ["restart", "reload"].into_iter().enumerate() {
        eventually(|| {
            // Whoever watches may not have begun yet.
            fs::write(home.app("page.html"), format!("{at}")).expect("a file");
            let status = home.status(0);
            if status == "online" { Err(status) } else { Ok(()) }
        });
        let ran = home.say(&[verb, "slow.sh"]);
        assert_eq!((ran.status, &*ran.stderr), (0, ""), "{verb}: {ran:?}");
        eventually(|| {
            let status = home.status(0);
            if status == "online" { Ok(()) } else { Err(status) }
        });
    }
    assert_eq!(home.list().len(), 1);
}
