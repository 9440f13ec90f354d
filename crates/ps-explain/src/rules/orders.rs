//! What somebody wanted: counts, stops, signals, schedules.

use formation::{EndCause, Exit, State, Which};
use ps_scheduler::{Over, cluster};

use super::ends::of_end;
use crate::case::Case;
use crate::facts::{Facts, Verb};
use crate::finding::{Evidence, Said};
use crate::words::{ago, signal, time};

/// The last thing that somebody asked for has not ended, and nothing lives yet.
pub(super) fn deploying(case: Case<'_>) -> Option<Said> {
    const STARTING: [&str; 6] = ["deploy", "rebuild", "rollback", "apply", "start", "restart"];
    let verb = case.facts.verbs.last().filter(|verb| verb.ended.is_none())?;
    if !STARTING.contains(&verb.name.as_str()) || case.it.is_some() {
        return None;
    }
    let says = format!(
        "the {} of {} ({}) has not ended: it goes on, or somebody killed it before it could say so",
        verb.name,
        verb.by,
        ago(case.facts, verb.at)
    );
    let cure = format!("wait for it; ps-lifecycle events {} -f shows what it does", case.facts.app);
    Some(Said::new(says, [Evidence::Journal(verb.at)]).cure(cure))
}

pub(super) fn never_deployed(case: Case<'_>) -> Option<Said> {
    let facts = case.facts;
    if facts.is_deployed || !facts.instances.is_empty() || case.it.is_some() {
        return None;
    }
    let said = Said::new("it was never deployed", [Evidence::Status]);
    Some(said.cure(format!("ps-lifecycle deploy {} --dir PATH", facts.app)))
}

pub(super) fn scaled_to_zero(case: Case<'_>) -> Option<Said> {
    let facts = case.facts;
    if facts.wanted > 0 || case.it.is_some_and(|it| it.state.is_alive() || it.state == State::Crashed) {
        return None;
    }
    let scaled = facts.verbs.iter().rfind(|verb| matches!(verb.name.as_str(), "scale" | "deploy"));
    let by = scaled.map(|verb| format!(": {} by {} ({})", ago(facts, verb.at), verb.by, verb.words));
    let evidence = scaled.map(|verb| Evidence::Journal(verb.at));
    let says = format!("no instance of it is wanted{}", by.unwrap_or_default());
    let process_type = match &facts.asked {
        Which::All => "web",
        Which::Type(asked) => asked.as_str(),
        Which::Slot(slot) => slot.process_type.as_str(),
    };
    Some(Said::new(says, evidence).cure(format!("ps-scale {} {process_type}=1", facts.app)))
}

pub(super) fn stopped_by_hand(case: Case<'_>) -> Option<Said> {
    let (facts, it) = (case.facts, case.it?);
    let was_told = it.end.as_ref().is_some_and(|end| end.cause == Some(EndCause::Asked));
    let is_stopped = it.state == State::Stopped && it.over != Some(Over::Finished) && was_told;
    if it.over != Some(Over::StoppedByHand) && !is_stopped {
        return None;
    }
    let cure = format!("ps-lifecycle start {}", facts.app);
    let at = it.end.as_ref().and_then(|end| end.at).or(it.since);
    let stop = stopping(facts, at);
    Some(match stop {
        Some(verb) => {
            let says = format!("it was stopped {} by {} ({})", time(verb.at), verb.by, verb.words);
            Said::new(says, [Evidence::Journal(verb.at)]).cure(cure)
        }
        None => {
            Said::new("it was stopped on purpose; who asked for that is not written down", [Evidence::Status])
                .cure(cure)
        }
    })
}

/// The verb that stopped it then: the one that was under way at that moment, else the last one before. The clock of an
/// engine or a node may be a little behind.
fn stopping(facts: &Facts, at: Option<jiff::Timestamp>) -> Option<&Verb> {
    const STOPPING: [&str; 5] = ["stop", "scale", "retire", "destroy", "converge"];
    let ends = |verb: &&Verb| STOPPING.contains(&verb.name.as_str());
    let is_before = |verb: &&Verb| at.is_none_or(|at| verb.at.as_millisecond() <= at.as_millisecond() + 1000);
    let is_under_way = |verb: &&Verb| {
        at.is_some_and(|at| verb.at <= at && verb.ended.as_ref().is_none_or(|(ended, _)| at <= *ended))
    };
    let under_way = facts.verbs.iter().filter(ends).rfind(is_under_way);
    under_way.or_else(|| facts.verbs.iter().filter(ends).rfind(is_before))
}

pub(super) fn killed_by_operator(case: Case<'_>) -> Option<Said> {
    let (facts, it) = (case.facts, case.it?);
    let end = it.end.as_ref().filter(|end| !matches!(end.cause, Some(EndCause::Asked | EndCause::Check)))?;
    let at = end.at?.as_millisecond();
    let is_near =
        |verb: &&Verb| verb.name == "signal" && (0..=5000).contains(&(at - verb.at.as_millisecond()));
    let verb = facts.verbs.iter().rfind(is_near)?;
    let sent = match end.exit? {
        Exit::Signal(number) => signal(number),
        // It has a handler for that signal, and ended in order.
        Exit::Code(_) => ending_signal(&verb.words)?,
    };
    let says = format!("it was sent {sent} {} by {} ({})", time(verb.at), verb.by, verb.words);
    Some(Said::new(says, [Evidence::Journal(verb.at)].into_iter().chain(of_end(end))))
}

/// The signal of `signal TERM shop`, if programs end in order when they get it.
fn ending_signal(words: &str) -> Option<String> {
    const ENDING: [&str; 4] = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"];
    let named = words.split(' ').filter_map(|word| word.parse::<formation::SignalName>().ok());
    named.map(|name| name.to_string()).find(|name| ENDING.contains(&name.as_str()))
}

pub(super) fn waiting(case: Case<'_>) -> Option<Said> {
    let it = case.it.filter(|it| !it.state.is_alive())?;
    if let Some(note) = it.note.as_ref().filter(|note| cluster::keeps_from_running(note)) {
        return Some(Said::new(format!("the swarm says: {note}"), [Evidence::Status]));
    }
    if !matches!(it.state, State::Waiting | State::Scheduled) {
        return None;
    }
    if it.state == State::Scheduled {
        let next = it.next.map(|next| format!(", and is due {}", time(next))).unwrap_or_default();
        let note = it.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        let says = format!("it runs by a schedule{next}{note}");
        return Some(Said::new(says, [Evidence::Status]).cause("scheduled"));
    }
    let what = it.note.clone().unwrap_or_else(|| "its time has not come".to_owned());
    Some(Said::new(format!("it is not to run yet: {what}"), [Evidence::Status]))
}

pub(super) fn starting(case: Case<'_>) -> Option<Said> {
    let it = case.it.filter(|it| matches!(it.state, State::Starting | State::Stopping))?;
    let waits = it.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
    let (cause, does) =
        if it.state == State::Starting { ("starting", "is coming up") } else { ("stopping", "is ending") };
    let since = it
        .since
        .map(|since| format!(" since {}", time(since).trim_start_matches("at ").trim_start_matches("on ")))
        .unwrap_or_default();
    let asked = case.facts.verbs.last().filter(|verb| it.state == State::Stopping && verb.ended.is_none());
    let Some(verb) = asked else {
        return Some(Said::new(format!("it {does}{since}{waits}"), [Evidence::Status]).cause(cause));
    };
    let says = format!(
        "it {does}{since}{waits}: {} asked for that {} ({}), and its process has not ended yet; if it does not end by itself on the signal that \
         asks it to (SIGTERM), it is killed when its time for that is over (stop-timeout-seconds)",
        verb.by,
        time(verb.at),
        verb.words
    );
    Some(Said::new(says, [Evidence::Status, Evidence::Journal(verb.at)]).cause(cause))
}

pub(super) fn finished(case: Case<'_>) -> Option<Said> {
    case.it.filter(|it| it.over == Some(Over::Finished))?;
    Some(Said::new("it has done what it was started for", [Evidence::Status]))
}
