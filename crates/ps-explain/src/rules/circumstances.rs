//! The circumstances: facts that are added to the cause. All rules of this table that apply are printed.

use formation::{EndCause, State};

use crate::case::{Case, Rule};
use crate::facts::ClockJump;
use crate::finding::{Evidence, Finding, Said};
use crate::words::time;

/// The name of the finding that quotes the last line of output.
const LAST_LINE: &str = "last-line";

/// The circumstances.
const CIRCUMSTANCES: &[Rule] = &[
    ("restart-count", restart_count),
    (LAST_LINE, last_line),
    ("files-changed", files_changed),
    ("disk-full", disk_is_full),
    ("clock-jump", clock_jump),
    ("no-supervisor", unsupervised),
];

/// What else there is to know, which is not the cause. The last line says nothing new where the cause quotes what was written.
pub(crate) fn circumstances(case: Case<'_>, cause: &Finding) -> Vec<Finding> {
    let is_quoted = cause.evidence.iter().any(|one| matches!(one, Evidence::Output(_)));
    let is_said = |name: &str| name == cause.cause || (is_quoted && name == LAST_LINE);
    let others = CIRCUMSTANCES.iter().filter(|(name, _)| !is_said(name));
    others.filter_map(|(name, rule)| rule(case).map(|said| said.of(name))).collect()
}

fn restart_count(case: Case<'_>) -> Option<Said> {
    let it = case.it?;
    if let Some((given_up, deaths, reason)) = &it.given_up
        && it.state == State::Crashed
    {
        let deaths = deaths.filter(|deaths| *deaths > 1);
        let times = deaths.map(|deaths| format!(" after ending {deaths} times in a row")).unwrap_or_default();
        let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let says = format!("it was given up{times} {}{reason}", time(*given_up));
        return Some(Said::new(says, [Evidence::Journal(*given_up)]));
    }
    let says = format!("it was started again {} times by itself", it.restarts);
    (it.restarts > 1).then(|| Said::new(says, [Evidence::Status]))
}

fn last_line(case: Case<'_>) -> Option<Said> {
    let it = case.it?;
    it.end.as_ref().filter(|end| !matches!(end.cause, Some(EndCause::Asked)))?;
    let line = it.output.iter().rfind(|line| !line.text.trim().is_empty())?;
    Some(Said::new(
        format!("the last line that it wrote is \"{}\"", line.text.trim()),
        [Evidence::Output(line.clone())],
    ))
}

fn files_changed(case: Case<'_>) -> Option<Said> {
    case.it?;
    let changed = &case.facts.changed;
    let (path, at) = changed.first()?;
    let more = if changed.len() > 1 { format!(", and {} more", changed.len() - 1) } else { String::new() };
    let says = format!("{} was changed {}{more}, after it had been read", path.display(), time(*at));
    Some(Said::new(says, [Evidence::File(path.clone())]))
}

fn disk_is_full(case: Case<'_>) -> Option<Said> {
    let full = case.facts.full.first()?;
    let what = if full.is_of_inodes { "no file can be made" } else { "there is no room" };
    let said = Said::new(format!("{what} in {}", full.path.display()), [Evidence::File(full.path.clone())]);
    Some(said.cause(if full.is_of_inodes { "inodes-full" } else { "disk-full" }))
}

fn clock_jump(case: Case<'_>) -> Option<Said> {
    let ClockJump { at, seconds, is_since } = case.facts.clock?;
    let where_to = if seconds > 0 { "forward" } else { "back" };
    let when = time(at);
    let when = when.trim_start_matches("at ");
    let when = if is_since { format!("after {when}") } else { format!("before {when}") };
    let says = format!("the clock was set {where_to} by {} s {when}: times here may mislead", seconds.abs());
    Some(Said::new(says, [Evidence::Journal(at)]))
}

fn unsupervised(case: Case<'_>) -> Option<Said> {
    let says = "no supervisor keeps it alive and takes its output";
    let is_left = case.facts.is_unsupervised && case.it.is_some();
    is_left
        .then(|| Said::new(says, [Evidence::Status]).cure(format!("ps-lifecycle start {}", case.facts.app)))
}
