//! Who follows is told of each line once, whatever happens to the logs and to who writes them.

use std::fs;
use std::os::unix::process::CommandExt;

use faults::{count, note};
use rustix::process::{Signal, kill_process};

use crate::home::{Home, eventually};
use crate::program::Running;
use crate::ticks::{follow, followed, more_ticks, ticks};

/// An app that counts, with segments so small that they are rotated by themselves as well, and all of them kept.
fn counting() -> Home {
    let home = Home::new();
    fs::create_dir_all(home.path("home/shop")).expect("an app");
    home.does(&["ps-set", "shop", "log-max-size", "4k"]);
    home.does(&["ps-set", "shop", "log-max-files", "10000"]);
    let source = home.source("shop", "web: faultapp --tick 0.005\n");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "web=1", "--quiet"]);
    home
}

/// Two apps that each say one word and no more.
fn quiet() -> Home {
    let home = Home::new();
    for app in ["shop", "blog"] {
        let source = home.source(app, "web: echo up; exec sleep 600\n");
        home.does(&["ps-lifecycle", "deploy", app, "--dir", &source]);
        eventually("it has said something", || {
            let said = home.does(&["ps-logs", app]);
            if said.contains("up") { Ok(()) } else { Err(said) }
        });
    }
    home
}

#[test]
fn who_follows_ends_with_its_reader_though_nothing_more_is_written() {
    let home = quiet();
    let followers: [(&[&str], &str); 7] = [
        (&["ps-logs", "shop", "-f"], "up"),
        (&["ps-logs", "-f"], "up"),
        (&["ps-logs", "shop", "-f", "--json"], "up"),
        (&["ps-logs", "shop", "-f", "--save-cursor", "cursor"], "up"),
        (&["ps-logs", "shop", "-f", "--all-worlds"], "up"),
        (&["ps-lifecycle", "logs", "shop", "-f"], "up"),
        (&["ps-lifecycle", "events", "shop", "-f"], "deploy"),
    ];
    for (words, word) in followers {
        let mut follower = home.start(words);
        // That closes the pipe, as `head -1` does when it has its line.
        follower.until_stdout_says(word);
        let ran = follower.ended();
        assert_eq!((ran.status, ran.stderr.as_str()), (Some(0), ""), "{words:?}");
    }
}

#[test]
fn who_follows_goes_on_while_its_output_is_a_file() {
    let home = quiet();
    let mut command = home.command(&["ps-logs", "shop", "-f"]);
    let path = home.path("followed");
    command.process_group(0).stdout(fs::File::create(&path).expect("a file"));
    let mut follower = Running::begin(command);
    eventually("it prints", || {
        let text = fs::read_to_string(&path).expect("it is there");
        if text.contains("up") { Ok(()) } else { Err(text) }
    });
    home.does(&["ps-lifecycle", "restart", "shop"]);
    eventually("it prints what comes", || {
        let text = fs::read_to_string(&path).expect("it is there");
        if text.matches("up").count() >= 2 { Ok(()) } else { Err(text) }
    });
    assert!(follower.is_running());
}

/// Kills the supervisor of the app; the root starts another one.
fn kill_supervisor(home: &Home) {
    let pid = eventually("one app has one supervisor", || match home.supervisors()[..] {
        [pid] => Ok(pid),
        ref several => Err(format!("{several:?}")),
    });
    kill_process(pid, Signal::KILL).expect("it lives");
}

#[test]
fn of_what_is_followed_rotations_and_dead_supervisors_lose_nothing_and_double_nothing() {
    let (rotations, kills) = (count(10, 100), count(3, 20));
    let home = counting();
    let (_following, read) = follow(&home);
    for rotation in 1..=rotations {
        more_ticks(&read, 3);
        // Where no supervisor lives at the moment, the program does it itself.
        home.does(&["ps-logs", "shop", "--rotate"]);
        if rotation * kills / rotations > (rotation - 1) * kills / rotations {
            kill_supervisor(&home);
        }
    }
    more_ticks(&read, 10);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    let all = ticks(&home.does(&["ps-logs", "shop", "-n", "1000000"]));
    assert!(all.iter().copied().eq(1..=all.len() as u64), "{all:?}");
    eventually("all of it was followed", || {
        let followed = followed(&read);
        if followed.len() >= all.len() { Ok(()) } else { Err(format!("{} of {}", followed.len(), all.len())) }
    });
    assert_eq!(followed(&read), all);
    note(&format!(
        "followed through {rotations} rotations and {kills} killed supervisors: {} lines",
        all.len()
    ));
}
