//! Whether what a part of a program told is over: it wrote later that it is well.

use crate::facts::Line;

/// Words of a part of a program that is well again.
const WELL: [&str; 12] = [
    "connected",
    "reconnected",
    "ok",
    "ready",
    "up",
    "again",
    "recovered",
    "resumed",
    "available",
    "succeeded",
    "success",
    "back",
];

/// Words with which it is not, whatever else stands beside them.
const NOT: [&str; 6] = ["not", "no", "error", "failed", "cannot", "try"];

/// Whether the same part of the program wrote later that it is well: `cache: connection refused`, and then `cache: connected`.
pub(super) fn has_recovered(line: &Line, after: &[&Line]) -> bool {
    let Some((part, _)) = line.written.split_once(": ").filter(|(part, _)| !part.contains(' ')) else {
        return false;
    };
    let is_own = |other: &&&Line| other.written.strip_prefix(part).is_some_and(|rest| rest.starts_with(": "));
    let is_well = |other: &&Line| {
        let text = other.written.to_lowercase();
        let has =
            |words: &[&str]| text.split(|c: char| !c.is_alphanumeric()).any(|word| words.contains(&word));
        has(&WELL) && !has(&NOT)
    };
    after.iter().find(is_own).is_some_and(is_well)
}
