//! The answer: what is wrong, the cause, further facts, and what to do.

use formation::{EndCause, State};
use ps_rows::{EvidenceRow, ExplanationRow, ReasonRow};
use ps_scheduler::Over;

use crate::case::Case;
use crate::facts::{Facts, Known};
use crate::finding::{Evidence, Finding};
use crate::rules;
use crate::words::{ago, time};

/// An answer.
pub(crate) struct Answer<'a> {
    facts: &'a Facts,
    /// The instance that is worst off.
    it: Option<&'a Known>,
    /// What is wrong, in a sentence.
    situation: String,
    /// Why: the cause first, then the circumstances.
    findings: Vec<Finding>,
    /// The world that commands have to name, if it is not the one that they find by themselves.
    world: Option<String>,
}

/// The word for an app of which nothing is wrong.
const HEALTHY: &str = "healthy";
/// The word where no rule holds.
const UNKNOWN: &str = "unknown";

/// Judges the facts.
pub(crate) fn answer(facts: &Facts) -> Answer<'_> {
    let it = facts.instances.iter().filter(|known| !known.is_well()).max_by_key(|known| badness(known));
    // If no instance is unwell, an app that is meant to be idle is explained by its first one.
    let it = it.or_else(|| facts.instances.first().filter(|_| is_idle(facts)));
    let case = Case { facts, it };
    let is_quiet = facts.silent.is_none() && facts.is_deployed && facts.wanted > 0;
    let is_tended = !facts.is_unsupervised && facts.stopped_supervisor.is_none();
    let is_well = it.is_none()
        && is_quiet
        && is_tended
        && rules::failed_deploy(facts).is_none()
        && !facts.instances.is_empty();
    let mut findings = Vec::new();
    if is_well {
        findings.push(healthy(facts));
    } else {
        findings.push(rules::cause(case).unwrap_or_else(|| unknown(facts, it)));
    }
    if !is_well {
        let others = rules::circumstances(case, &findings[0]);
        findings.extend(others);
    }
    findings.extend(rules::strains(facts));
    Answer { facts, it, situation: situation(facts, it, is_well), findings, world: None }
}

/// Whether all of its instances wait for their time.
fn is_idle(facts: &Facts) -> bool {
    facts.instances.iter().all(|known| known.state == State::Scheduled)
}

/// What an instance does, in words.
fn state(it: &Known) -> &'static str {
    match it.state {
        _ if it.suspended.is_some() => "lives, but does nothing",
        _ if it.waits_for_room() => "lives, but waits until it can write",
        State::Running if it.end.as_ref().is_some_and(|end| end.cause == Some(EndCause::Check)) => {
            "runs again after a check that it did not pass had ended it"
        }
        State::Running => "runs again after it had ended by itself",
        State::Crashed if it.is_of_deploy => {
            "did not come up in the last deploy, and what ran before runs on"
        }
        State::Crashed => "is down, and given up (crashed)",
        State::Backoff => "is down, and waits to be started again",
        State::Missing => "is gone (missing)",
        State::Unhealthy => "runs, but is unhealthy",
        State::Unready => "runs, but is not ready any more",
        State::Unknown => "is in a state that is not known",
        State::Stopped => "is stopped",
        State::Starting => "is not ready yet",
        State::Waiting => "waits",
        State::Stopping => "is stopping",
        State::Scheduled => "waits for its time",
    }
}

/// How bad a state is: the worst is explained.
fn badness(known: &Known) -> u8 {
    match known.state {
        State::Crashed => 9,
        State::Backoff | State::Missing => 8,
        State::Unhealthy => 7,
        State::Unready => 6,
        State::Unknown => 5,
        State::Stopped => 4,
        State::Starting => 3,
        State::Waiting | State::Stopping => 2,
        State::Running | State::Scheduled => 1,
    }
}

fn situation(facts: &Facts, it: Option<&Known>, is_well: bool) -> String {
    let app = facts.subject();
    let Some(it) = it else {
        let running = facts.instances.iter().filter(|known| known.state.is_alive()).count();
        if is_well {
            let s = if running == 1 { "" } else { "s" };
            return format!(
                "{app} is well: {running} instance{s} run{}",
                if running == 1 { "s" } else { "" }
            );
        }
        return match rules::failed_deploy(facts) {
            Some(verb) if running > 0 => format!(
                "{app} runs, but the last {} ({}, by {}) failed, and what ran before runs on",
                verb.name,
                time(verb.at),
                verb.by
            ),
            Some(verb) => {
                format!("{app} does not run: the {} ({}, by {}) failed", verb.name, time(verb.at), verb.by)
            }
            None if facts.silent.is_some() => format!("nothing is known of {app}"),
            None if facts.begins.is_some() => format!("nothing is known of {app} at that time"),
            None if running > 0 => format!("{app} runs, but nobody looks after it"),
            None => format!("{app} does not run"),
        };
    };
    let since = it
        .since
        .map(|since| format!(" since {}", ago(facts, since).trim_start_matches("at ")))
        .unwrap_or_default();
    let state = state(it);
    if is_stopped_as_a_whole(facts) {
        return format!("{app} {state}{since}");
    }
    let more = match facts.instances.iter().filter(|known| !known.is_well()).count() {
        0 | 1 => String::new(),
        2 => "; one more of its instances is not well".to_owned(),
        count => format!("; {} more of its instances are not well", count - 1),
    };
    format!("{} of {} {state}{since}{more}", it.slot, facts.app)
}

/// Whether somebody has stopped all of several instances.
fn is_stopped_as_a_whole(facts: &Facts) -> bool {
    let is_stopped = |known: &Known| known.over == Some(Over::StoppedByHand);
    facts.instances.len() > 1 && facts.instances.iter().all(is_stopped)
}

fn healthy(facts: &Facts) -> Finding {
    let note = facts
        .instances
        .iter()
        .find_map(|known| Some(format!("{} says: {}", known.slot, known.note.as_ref()?)));
    Finding {
        cause: HEALTHY,
        says: note.unwrap_or_else(|| "its checks, if it has any, pass".to_owned()),
        evidence: vec![Evidence::Status],
        cure: None,
    }
}

fn unknown(facts: &Facts, it: Option<&Known>) -> Finding {
    let note = it
        .and_then(|it| it.note.as_ref())
        .map(|note| format!("; its scheduler says: {note}"))
        .unwrap_or_default();
    let failed = rules::failed_deploy(facts).filter(|_| it.is_none());
    if let Some(begins) = facts.begins {
        return Finding {
            cause: UNKNOWN,
            says: format!(
                "its journal begins only {}: before that there was no such app, or what was written down then is not kept any more",
                time(begins)
            ),
            evidence: vec![Evidence::Journal(begins)],
            cure: Some(format!("ps-lifecycle events {} shows what is written down", facts.app)),
        };
    }
    if let Some((verb, error)) = failed.and_then(|verb| Some((verb, verb.failure()?))) {
        return Finding {
            cause: "deploy-failed",
            says: format!("the {} says: {error}", verb.name),
            evidence: vec![Evidence::Journal(verb.at)],
            cure: Some(format!("ps-logs {} --since {}", facts.app, verb.at)),
        };
    }
    Finding {
        cause: UNKNOWN,
        says: format!("why is unknown: nothing that is written down here tells{note}"),
        evidence: vec![Evidence::Status],
        cure: Some(format!("ps-logs {0}; ps-lifecycle events {0}; ps-lifecycle doctor", facts.app)),
    }
}

/// The beginning of what a cure offers beside the repair, which needs an earlier release.
const GO_BACK: &str = ", or go back";
/// The programs that a cure may tell to run.
const PROGRAMS: [&str; 4] = ["ps-lifecycle ", "ps-logs ", "ps-scale ", "ps-set "];

impl Answer<'_> {
    /// The same for somebody who has named the world.
    pub(crate) fn in_world(self, world: Option<String>) -> Self {
        Self { world, ..self }
    }

    /// One paragraph: each sentence with what it rests on in brackets, what to do last.
    pub(crate) fn paragraph(&self) -> String {
        let mut text = format!("{}.", self.situation);
        for finding in &self.findings {
            let evidence: Vec<String> =
                finding.evidence.iter().map(|one| in_words(one, self.facts)).collect();
            let mut letters = finding.says.chars();
            let first = letters.next().into_iter().flat_map(char::to_uppercase);
            let says: String = first.chain(letters).collect();
            text.extend([" ", &says, " [", &evidence.join("; "), "]."]);
        }
        if let Some(cure) = self.cure() {
            text.extend([" What to do: ", &cure, "."]);
        }
        text
    }

    /// What to do: about the cause, or else about a circumstance.
    fn cure(&self) -> Option<String> {
        let mut cure = self.findings.iter().find_map(|finding| finding.cure.clone())?;
        if self.facts.earlier_releases == 0 {
            cure.truncate(cure.find(GO_BACK).unwrap_or(cure.len()));
        }
        let Some(world) = &self.world else { return Some(cure) };
        let mark = if world.contains(char::is_whitespace) { "'" } else { "" };
        let named = |cure: String, program: &&str| {
            cure.replace(program, &format!("{program}--world {mark}{world}{mark} "))
        };
        Some(PROGRAMS.iter().fold(cure, named))
    }

    /// The same as a row.
    pub(crate) fn row(&self) -> ExplanationRow {
        let row = |finding: &Finding| ReasonRow {
            cause: finding.cause,
            says: finding.says.clone(),
            evidence: finding.evidence.iter().map(|one| evidence(one, self.facts)).collect(),
        };
        ExplanationRow {
            app: self.facts.app.clone(),
            instance: self.it.map(|it| it.slot.clone()),
            state: self.it.map(|it| it.state.as_str()),
            at: self.facts.now,
            cause: self.findings[0].cause,
            situation: self.situation.clone(),
            reasons: self.findings.iter().map(row).collect(),
            cure: self.cure(),
        }
    }
}

/// The text in lines of at most `width` columns, as far as its words allow; `None` for one line.
pub(crate) fn wrapped(text: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return text.to_owned() };
    let (mut lines, mut column) = (String::new(), 0);
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            lines.push('\n');
            column = 0;
        } else if column > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines
}

fn in_words(evidence: &Evidence, facts: &Facts) -> String {
    match evidence {
        Evidence::Journal(at) => format!("journal of {}, {}", facts.app, time(*at).trim_start_matches("at ")),
        Evidence::Output(line) => match (&line.place, line.at) {
            (Some((path, offset)), _) => format!("{}, byte {offset}", path.display()),
            (None, Some(at)) => format!("its output, {}", time(at).trim_start_matches("at ")),
            (None, None) => "its output".to_owned(),
        },
        Evidence::Status => "ps-lifecycle status".to_owned(),
        Evidence::File(path) => path.display().to_string(),
        Evidence::Process(pid) => format!("/proc/{pid}"),
        Evidence::Sockets => "/proc/net/tcp".to_owned(),
        Evidence::Engine => "the engine".to_owned(),
    }
}

fn evidence(evidence: &Evidence, facts: &Facts) -> EvidenceRow {
    let row = |source| EvidenceRow { source, file: None, offset: None, at: None };
    match evidence {
        Evidence::Journal(at) => EvidenceRow { at: Some(*at), ..row("journal") },
        Evidence::Output(line) => EvidenceRow {
            file: line.place.as_ref().map(|(path, _)| path.display().to_string()),
            offset: line.place.as_ref().map(|(_, offset)| *offset),
            at: line.at,
            ..row("output")
        },
        Evidence::Status => EvidenceRow { at: Some(facts.now), ..row("status") },
        Evidence::File(path) => EvidenceRow { file: Some(path.display().to_string()), ..row("file") },
        Evidence::Process(pid) => EvidenceRow { file: Some(format!("/proc/{pid}")), ..row("file") },
        Evidence::Sockets => row("sockets"),
        Evidence::Engine => row("engine"),
    }
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn a_paragraph_is_one_line_in_a_pipe_and_fits_a_terminal() {
        assert_eq!(wrapped("aa bb cc", None), "aa bb cc");
        assert_eq!(wrapped("aa bb cc", Some(5)), "aa bb\ncc");
        assert_eq!(wrapped("aaaaaaa b", Some(3)), "aaaaaaa\nb", "a word is not cut");
    }
}
