//! Formats an event as one line for people.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use ps_rollout::Verdict;

use crate::event::{Asker, Change, Event, Outcome};

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked { verb, asker, arguments } => {
                write!(f, "{verb} asked for by {asker}: {}", arguments.join(" "))
            }
            Self::Planned { changes } => write!(f, "planned: {}", listed(changes)),
            Self::Done { changes } => write!(f, "done: {}", listed(changes)),
            Self::Receipt { receipt } => write!(f, "clients: {receipt}"),
            Self::Canary { verdict, canary, control } => write!(
                f,
                "canary: {}: {} of {} failed, and {} of {} to the control",
                of_canary(*verdict),
                canary.failed,
                canary.asked,
                control.failed,
                control.asked
            ),
            Self::Ended { verb, outcome, error, took_ms } => {
                let how = match outcome {
                    Outcome::Done => "succeeded",
                    Outcome::Failed => "failed",
                    Outcome::Unknown => "ended",
                };
                write!(f, "{verb} {how} after {:.1} s", Duration::from_millis(*took_ms).as_secs_f64())?;
                error.as_ref().map_or(Ok(()), |error| write!(f, ": {error}"))
            }
            Self::Happened { origin, slots, run, what, .. } => {
                f.write_str(origin)?;
                if !slots.is_empty() {
                    write!(f, ": {}", slots.join(" "))?;
                }
                run.map_or(Ok(()), |run| write!(f, "@{run}"))?;
                write!(f, ": {what}")
            }
            Self::Instance { slot, life } => write!(f, "{slot}@{}: {life}", life.run),
            Self::Unknown => f.write_str("something that only a later version knows"),
        }
    }
}

/// `root (alice)`: the user, and the person behind it if that is another name.
impl Display for Asker {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.on_behalf_of {
            Some(person) if *person != self.user => write!(f, "{} ({person})", self.user),
            Some(_) | None => f.write_str(&self.user),
        }
    }
}

fn of_canary(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "the new release is no worse",
        Verdict::Worse => "the new release fails more often",
        Verdict::TooFew => "too little traffic",
        Verdict::Uncounted => "what was counted is not known",
    }
}

fn listed(changes: &[Change]) -> String {
    if changes.is_empty() {
        return "nothing".to_owned();
    }
    let one = |change: &Change| {
        let why = if change.reason.is_empty() { String::new() } else { format!(" ({})", change.reason) };
        format!("{} {}{why}", change.change, change.slots)
    };
    changes.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_for_people() {
        let change = |slots: &str, change: &str, reason: &str| Change {
            slots: slots.to_owned(),
            change: change.to_owned(),
            reason: reason.to_owned(),
        };
        let asker = Asker { user: "root".to_owned(), on_behalf_of: Some("alice".to_owned()) };
        let arguments = vec!["deploy".to_owned(), "shop".to_owned()];
        let asked = Event::Asked { verb: "deploy".to_owned(), asker, arguments };
        assert_eq!(asked.to_string(), "deploy asked for by root (alice): deploy shop");
        let changes = vec![change("web.1-3", "start", "missing"), change("job.1", "keep", "")];
        assert_eq!(Event::Planned { changes }.to_string(), "planned: start web.1-3 (missing), keep job.1");
        let error = Some("no room".to_owned());
        let ended = Event::Ended { verb: "stop".to_owned(), outcome: Outcome::Failed, error, took_ms: 1500 };
        assert_eq!(ended.to_string(), "stop failed after 1.5 s: no room");
    }
}
