//! Facts from the journal: who asked for what and the lives of instances.

use formation::{LifeEvent, LifeStep, Slot, Stream, without_last_words};
use jiff::Timestamp;
use ps_journal::{Asker, Entry, Event, LastWords, Outcome};

use super::look::Look;
use super::plain::Plain;
use super::secrets::Secrets;
use crate::facts::{Line, Verb};

/// Leaves out what was written down after that moment; when the journal begins, if that is later.
pub(super) fn cut(entries: &mut Vec<Entry>, at: Timestamp) -> Option<Timestamp> {
    let begins = entries.first().map(|entry| entry.at).filter(|first| *first > at);
    entries.retain(|entry| entry.at <= at);
    begins
}

/// What people asked for, the oldest first, with how it ended.
pub(super) fn verbs(look: &Look<'_>) -> Vec<Verb> {
    let (entries, secrets) = (&look.entries, &look.secrets);
    let kept = LastWords::kept(look.world, look.app);
    let mut verbs: Vec<(&str, Verb)> = Vec::new();
    for entry in entries {
        match &entry.event {
            Event::Asked { verb, asker, arguments } => {
                let verb = Verb {
                    name: verb.clone(),
                    by: by(asker),
                    words: arguments.join(" "),
                    at: entry.at,
                    ended: None,
                    told: Vec::new(),
                };
                verbs.push((&entry.act, verb));
            }
            Event::Ended { verb, outcome, error, .. } => {
                let is_it = |(act, asked): &&mut (&str, Verb)| *act == entry.act && asked.name == *verb;
                // The journal does not have the lines that the sentence leads to.
                let error = error.as_ref().map(|error| secrets.hide(without_last_words(error).0));
                let failed = (*outcome == Outcome::Failed)
                    .then(|| error.unwrap_or_else(|| "it does not say why".to_owned()));
                if let Some((_, asked)) = verbs.iter_mut().rev().find(is_it) {
                    let told = kept.as_ref().filter(|words| failed.is_some() && words.act == entry.act);
                    asked.told = told.map(|words| said(words, secrets)).unwrap_or_default();
                    asked.ended = Some((entry.at, failed));
                }
            }
            _ => (),
        }
    }
    verbs.into_iter().map(|(_, verb)| verb).collect()
}

/// The lines of a process that is not there any more. On which stream it wrote them is not known.
fn said(words: &LastWords, secrets: &Secrets) -> Vec<Line> {
    let mut plain = Plain::default();
    let line = |written: String| Line {
        text: secrets.hide(&written),
        written,
        stream: Stream::Stderr,
        at: None,
        place: None,
    };
    words.lines.iter().flat_map(|said| plain.of(said)).map(line).collect()
}

fn by(asker: &Asker) -> String {
    match &asker.on_behalf_of {
        Some(person) if *person != asker.user => format!("{person} (as {})", asker.user),
        Some(_) | None => asker.user.clone(),
    }
}

/// Whether somebody has had the app started anew since then, and that succeeded.
pub(super) fn was_started_anew(entries: &[Entry], since: Timestamp) -> bool {
    const STARTING: [&str; 6] = ["deploy", "rebuild", "rollback", "apply", "start", "restart"];
    entries.iter().any(|entry| {
        let is_start = |verb: &str, outcome: Outcome| STARTING.contains(&verb) && outcome == Outcome::Done;
        matches!(&entry.event, Event::Ended { verb, outcome, .. } if entry.at > since && is_start(verb, *outcome))
    })
}

/// The steps in the life of a slot, the oldest first.
pub(super) fn lives<'a>(
    entries: &'a [Entry],
    slot: &'a Slot,
) -> impl DoubleEndedIterator<Item = (Timestamp, &'a LifeEvent)> {
    entries.iter().filter_map(move |entry| match &entry.event {
        Event::Instance { slot: of, life } if of == slot => Some((entry.at, life)),
        _ => None,
    })
}

/// The run that made a deploy fail.
pub(super) fn failed_run(entries: &[Entry], verb: &Verb) -> Option<(Slot, u64)> {
    let until = verb.ended.as_ref().map(|(at, _)| *at)?;
    entries.iter().filter(|entry| (verb.at..=until).contains(&entry.at)).find_map(|entry| {
        match &entry.event {
            Event::Instance { slot, life } if is_failure(life) => Some((slot.clone(), life.run)),
            _ => None,
        }
    })
}

fn is_failure(life: &LifeEvent) -> bool {
    use formation::EndCause;
    let is_bad_end = life.step == LifeStep::Exit && life.cause != Some(EndCause::Asked);
    is_bad_end || matches!(life.step, LifeStep::Refused | LifeStep::CheckFailed | LifeStep::Crashed)
}
