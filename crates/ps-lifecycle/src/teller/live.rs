//! The lines on the terminal, one for each instance that is changed, at one moment.

use std::time::{Duration, Instant};

use formation::AppName;
use ps_scheduler::Change;

use super::board::{Board, Coming, Place};

/// The longest name that is not cut, in characters.
const LONGEST_NAME: usize = 20;

/// The lines of these boards, in columns. `is_over`: the verb has ended, so nothing will change any more.
pub(super) fn lines<'a>(
    boards: impl Iterator<Item = (&'a AppName, &'a Board)>,
    names_apps: bool,
    is_over: bool,
    now: Instant,
) -> Vec<String> {
    let mut rows = Vec::new();
    for (app, board) in boards {
        rows.extend(board.places().map(|(slot, place)| {
            let name = if names_apps { format!("{app} {slot}") } else { slot.to_string() };
            let (words, time) = state(place, is_over, now);
            (name.chars().take(LONGEST_NAME).collect::<String>(), words, time)
        }));
    }
    let width = rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
    let line = |(name, words, time): (String, &str, String)| {
        format!("       {name:<width$}  {words}{}{time}", if time.is_empty() { "" } else { "  " })
    };
    rows.into_iter().map(line).collect()
}

/// The state of an instance in words, and since when.
fn state(place: &Place, is_over: bool, now: Instant) -> (&'static str, String) {
    let is_new = matches!(place.change, Some(Change::Start | Change::Replace));
    let going_on = |since: &Instant| seconds(now - *since);
    let going = place.going.since.values().min().filter(|_| !is_over);
    match (place.coming, place.result) {
        (Coming::Failed(took), Some("kept")) => ("failed, the earlier runs on", tenths(took)),
        (Coming::Failed(took), _) => ("failed", tenths(took)),
        (_, Some("kept" | "empty")) if is_new => ("put back", String::new()),
        (_, Some(word @ ("cancelled" | "unknown"))) => (word, String::new()),
        (_, Some("restarted")) => ("the earlier release again", String::new()),
        (_, Some("stopped")) => ("stopped by hand", String::new()),
        (_, Some("lost")) => ("lost", String::new()),
        (Coming::Since(since), _) => ("starting", going_on(&since)),
        (Coming::Ready(took), _) => match going {
            Some(since) => ("up, the earlier ends", going_on(since)),
            None => ("up", tenths(took)),
        },
        (Coming::Nothing, _) if place.going.stays => ("does not end", String::new()),
        (Coming::Nothing, result) => match (going, place.going.over, result) {
            (Some(since), ..) => ("stopping", going_on(since)),
            (None, Some(took), _) if is_over || !is_new => ("ended", tenths(took)),
            (None, _, Some(word)) => (word, String::new()),
            (None, _, None) => (if is_over { "untouched" } else { "waiting" }, String::new()),
        },
    }
}

/// A time in whole seconds from one second on: a line that changes ten times a second cannot be read.
fn seconds(time: Duration) -> String {
    match time.as_secs() {
        0 => String::new(),
        seconds => format!("{seconds} s"),
    }
}

fn tenths(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
