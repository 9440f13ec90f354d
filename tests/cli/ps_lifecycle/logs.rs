//! `logs`: told apart by slot, and followed.

use crate::home::{Home, eventually};

#[test]
fn logs_are_told_apart_by_slot_and_followed_as_they_come() {
    let procfile = "web: faultapp --say from-web --tick 0.2\nworker: faultapp --say from-worker --log-stderr --tick 60\n";
    let home = Home::running("chat", procfile, &["--scale", "worker=1"]);
    let all = home.does(&["ps-lifecycle", "logs", "chat"]);
    assert!(all.contains("web.1 | from-web\n") && all.contains("worker.1 | from-worker\n"), "{all}");
    let web = home.does(&["ps-lifecycle", "logs", "chat", "web", "-n", "50"]);
    assert!(web.contains("web.1 | from-web\n") && !web.contains("worker"), "{web}");
    assert_eq!(home.does(&["ps-lifecycle", "logs", "chat", "worker.1", "-n", "0"]), "");
    let mut following = home.start(&["ps-lifecycle", "logs", "chat", "web", "-n", "0", "-f"]);
    let next = web.matches("tick").count() + 5;
    following.until_stdout_says(&format!("web.1 | web.1: tick {next}\n"));
}

#[test]
fn logs_are_followed_through_a_rotation() {
    let home = Home::running("turn", "web: faultapp --tick 0.5\n", &[]);
    let log = home.log_file("turn", "web.1");
    let followed = home.path("followed");
    let mut command = home.command(&["ps-lifecycle", "logs", "turn", "-f"]);
    let mut following =
        command.stdout(std::fs::File::create(&followed).expect("made")).spawn().expect("it starts");
    let await_ticks = |last: usize| {
        eventually("each tick is told once", || {
            let text = std::fs::read_to_string(&followed).unwrap_or_default();
            let ticks = text.lines().filter_map(|line| line.strip_prefix("web.1 | web.1: tick "));
            let ticks: Vec<usize> = ticks.filter_map(|tick| tick.parse().ok()).collect();
            let is_right = ticks.len() >= last && ticks.iter().copied().eq(1..=ticks.len());
            if is_right { Ok(ticks.len()) } else { Err(text) }
        })
    };
    let seen = await_ticks(2);
    std::fs::rename(&log, log.with_file_name("stdout.1")).expect("it can be renamed");
    // What is cut before it was read is gone: it is cut just after a tick was read.
    await_ticks(seen + 2);
    let seen = await_ticks(seen + 3);
    std::fs::File::create(&log).expect("it can be cut");
    await_ticks(seen + 2);
    following.kill().and_then(|()| following.wait()).expect("it is ours");
}
