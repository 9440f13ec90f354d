//! What one line, and one error report, is a sign of.

use crate::facts::Line;
use crate::patterns::{self, Pattern};
use crate::rules::headline::{is_headline, is_of_report, is_request, place_of_panic};
use crate::rules::shells::not_found;

/// A line, and what it is a sign of.
#[derive(Clone, Copy)]
pub(crate) struct Sign<'a> {
    pub(crate) line: &'a Line,
    pub(crate) pattern: &'static Pattern,
    /// Whether an error report tells it, and not only a line.
    pub(crate) is_report: bool,
    /// The error that the program met before, and while it handled that one the error of the line.
    pub(crate) behind: Option<&'a Line>,
}

impl<'a> Sign<'a> {
    pub(super) fn of(line: &'a Line, pattern: &'static Pattern) -> Self {
        Self { line, pattern, is_report: false, behind: None }
    }
}

/// Whether the trouble of a pattern can be seen now, whatever a program says of it.
pub(crate) type IsSeen<'a> = &'a dyn Fn(&Pattern) -> bool;

/// What a line is a sign of, if it is not a mere claim.
pub(super) fn of_line(line: &str, is_seen: IsSeen<'_>) -> Option<&'static Pattern> {
    let is_believed = |pattern: &&Pattern| !patterns::is_mere_claim(line, pattern) || is_seen(pattern);
    if is_request(line) {
        return None;
    }
    let found = if is_headline(line) { patterns::of_line(line) } else { patterns::of_message(line) };
    let found = found.and_then(|pattern| not_found(line, pattern)).filter(is_believed);
    if found.is_some_and(|pattern| !pattern.is_wide()) || !patterns::may_be_of_full_disk(line) {
        return found;
    }
    patterns::named("disk-full").filter(|pattern| is_seen(pattern)).or(found)
}

/// What the report says whose headline this is.
pub(super) fn of_headline<'a>(lines: &[&'a Line], index: usize, is_seen: IsSeen<'_>) -> Sign<'a> {
    let mut sign = of_report(&lines[index..], is_seen);
    if sign.pattern.cause == "variable-missing" && !is_of_environment(&lines[index].written, &lines[..index])
    {
        sign.pattern = patterns::exception();
    }
    sign
}

/// What a report says, which begins with its headline: the narrowest of what its lines are signs of, else that it is one.
fn of_report<'a>(lines: &[&'a Line], is_seen: IsSeen<'_>) -> Sign<'a> {
    let is_panic = place_of_panic(&lines[0].written).is_some();
    // What a panic of Rust says stands in the lines behind its headline.
    let skipped = usize::from(is_panic && lines.len() > 1);
    let headline: &'a Line = lines[skipped];
    let belong = lines[skipped..].iter().skip(1).take_while(|line| is_of_report(&line.written));
    let all = std::iter::once(&headline).chain(belong.clone());
    let signs = all.filter_map(|line| Some(Sign::of(line, of_line(&line.written, is_seen)?)));
    let narrow = signs.into_iter().find(|sign| !sign.pattern.is_wide());
    // Node tells the cause of an error among the fields of it.
    let cause = belong.copied().find(|line| line.written.trim_start().starts_with("[cause]: "));
    narrow.unwrap_or(Sign { behind: cause, ..Sign::of(headline, patterns::exception()) })
}

/// Whether the frames above a KeyError of Python say that it is of the environment. Other errors need not say so.
fn is_of_environment(headline: &str, above: &[&Line]) -> bool {
    let mut frames = above.iter().rev().take_while(|line| is_of_report(&line.written));
    !headline.starts_with("KeyError") || frames.any(|line| patterns::is_of_environment(&line.written))
}
