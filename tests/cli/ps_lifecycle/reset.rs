//! `reset`: counters begin anew, and nothing else changes.

use crate::home::{Home, eventually};

#[test]
fn restarts_are_counted_from_0_again_and_what_runs_is_left_alone() {
    let home = Home::running("hit", "web: sleep 600\nworker: sleep 600\n", &["--scale", "web=1", "worker=1"]);
    let before = home.pids("hit");
    home.does(&["ps-lifecycle", "signal", "KILL", "hit"]);
    let restarts = || home.status("hit").iter().map(|row| row["restarts"].clone()).collect::<Vec<_>>();
    eventually("both are started again", || {
        let now = home.pids("hit");
        let is_another = |(slot, pid): (&String, &u64)| before[slot] != *pid;
        if now.len() == 2 && now.iter().all(is_another) { Ok(()) } else { Err(format!("{now:?}")) }
    });
    let pids = home.pids("hit");
    assert_eq!(restarts(), [1, 1]);
    home.does(&["ps-lifecycle", "reset", "hit", "web"]);
    assert_eq!((restarts(), home.pids("hit")), (vec![0.into(), 1.into()], pids.clone()));
    home.does(&["ps-lifecycle", "reset", "hit"]);
    assert_eq!((restarts(), home.pids("hit")), (vec![0.into(), 0.into()], pids));
    home.refuses(&["ps-lifecycle", "reset", "hit", "clock"], 1, &["clock", "web=1"]);
}

#[test]
fn what_was_given_up_has_no_restarts_any_more_and_stays_given_up() {
    let home = Home::new();
    let source = home.source("sad", "web: sleep 600\nworker: sleep 600\n");
    home.does(&["ps-lifecycle", "deploy", "sad", "--dir", &source, "--scale", "web=1", "worker=1"]);
    home.does(&["ps-set", "sad", "restart-policy", "on-failure:1"]);
    home.does(&["ps-lifecycle", "restart", "sad"]);
    for deaths in 1..=2 {
        let pid = home.pids("sad")["web.1"];
        home.does(&["ps-lifecycle", "signal", "KILL", "sad", "web.1"]);
        eventually("it has another process or is given up", || {
            let (pids, states) = (home.pids("sad"), home.states("sad"));
            let is_over = if deaths == 2 {
                states["web.1"] == "crashed"
            } else {
                pids.get("web.1").is_some_and(|now| *now != pid)
            };
            if is_over { Ok(()) } else { Err(format!("{pids:?} {states:?}")) }
        });
    }
    home.does(&["ps-lifecycle", "reset", "sad", "web.1"]);
    let rows = home.status("sad");
    assert_eq!((&rows[0]["restarts"], &rows[0]["state"]), (&0.into(), &"crashed".into()));
    home.does(&["ps-lifecycle", "stop", "sad"]);
    home.does(&["ps-lifecycle", "reset", "sad"]);
    home.is_silent();
}
