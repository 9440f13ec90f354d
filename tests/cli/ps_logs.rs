//! `ps-logs` as a shell sees it, with real supervisors: each test has a world of its own, and leaves nothing of it.

#[expect(dead_code, reason = "the tests of ps-lifecycle need more of it")]
#[path = "ps_lifecycle/home.rs"]
mod home;
#[expect(dead_code, reason = "the tests of ps-lifecycle need more of it")]
#[path = "ps_lifecycle/program.rs"]
mod program;

#[path = "ps_logs/cursor.rs"]
mod cursor;
#[path = "ps_logs/follow.rs"]
mod follow;
#[path = "ps_logs/lines.rs"]
mod lines;
#[path = "ps_logs/terminal.rs"]
mod terminal;
#[path = "ps_logs/ticks.rs"]
mod ticks;
#[path = "ps_logs/upkeep.rs"]
mod upkeep;

/// The program ends with that status, prints nothing, and says this on stderr.
fn refused(home: &home::Home, words: &[&str], status: i32, says: &str) {
    let ran = home.run(words);
    assert!(ran.status == Some(status) && ran.stdout.is_empty() && ran.stderr.contains(says), "{ran:?}");
}
