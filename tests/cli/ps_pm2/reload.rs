use std::fs;

use crate::home::{Home, eventually, lives};

#[test]
fn a_reload_replaces_each_process_and_counts_and_leaves_what_is_stopped() {
    let home = Home::new();
    home.done(&["start", "tick.js", "-i", "2"]);
    home.done(&["stop", "1"]);
    let zero = home.pid(0);
    let ran = home.say(&["reload", "tick"]);
    let said = "Processing......\nPM2 Reloading process by name tick\n\
                PM2 Process tick succesfully reloaded\nPM2 Process tick succesfully reloaded\nPM2 All processes reloaded\n";
    assert!(ran.status == 0 && ran.stdout.starts_with(said), "{ran:?}");
    assert_eq!(
        ran.stderr,
        "PM2 [WARN] tick (1) is stopped, and a reload starts nothing: ps-pm2 restart 1 does\n"
    );
    assert!(!lives(zero) && home.pid(0) != zero);
    assert_eq!(
        (home.one(0)["pm2_env"]["restart_time"].as_u64(), home.status(1).as_str()),
        (Some(1), "stopped")
    );
    assert_eq!(home.done(&["gracefulReload", "nobody"]).lines().nth(2), Some("PM2 All processes reloaded"));
}

#[test]
fn a_reload_starts_what_was_given_up() {
    let home = Home::new();
    home.done(&["start", "early.sh"]);
    eventually(|| match home.status(0).as_str() {
        "errored" => Ok(()),
        other => Err(other.to_owned()),
    });
    fs::copy(home.app("say.sh"), home.app("early.sh")).expect("it is ours");
    let out = home.done(&["reload", "all"]);
    assert!(out.contains("PM2 Process early.sh succesfully reloaded\n"), "{out}");
    assert_eq!(home.status(0), "online");
}

#[test]
fn a_version_that_fails_leaves_the_old_process_and_the_status_says_so() {
    let home = Home::new();
    home.done(&["start", "tick.js"]);
    let pid = home.pid(0);
    home.log("tick-out-0.log", |text| text.contains("tick"));
    fs::write(home.app("tick.js"), "process.exit(1)\n").expect("it is ours");
    let ran = home.say(&["reload", "tick"]);
    assert!(ran.status == 1 && ran.stderr.contains("tick is not reloaded, and runs on as it was"), "{ran:?}");
    assert_eq!(home.pid(0), pid);
}

#[test]
fn what_the_shell_has_set_since_comes_with_update_env_alone() {
    let home = Home::new();
    home.done(&["start", "say.sh"]);
    let say = |words: &[&str], colour: &str| {
        let ran = home.command(words).env("COLOUR", colour).output().expect("it runs");
        assert!(ran.status.success(), "{ran:?}");
    };
    say(&["restart", "say.sh"], "red");
    say(&["restart", "say.sh", "--update-env"], "blue");
    let log = home.log("say.sh-out-0.log", |text| text.contains("COLOUR=blue"));
    assert!(!log.contains("COLOUR=red"), "{log}");
    say(&["reload", "say.sh", "--update-env"], "green");
    home.log("say.sh-out-0.log", |text| text.contains("COLOUR=green"));
}
