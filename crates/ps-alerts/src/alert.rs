//! An alert: the name of an event, a sentence, and the entry of the journal that caused it (docs/alerts.md#events).

use std::collections::BTreeMap;

use formation::{AppName, EndCause, LifeEvent, LifeStep};
use jiff::Timestamp;
use ps_journal::{Entry, Event, Outcome};
use serde::Serialize;

/// The number of this format.
const FORMAT: u32 = 1;
/// The origin of journal entries about alerts themselves. There is no alert about them.
pub const ORIGIN: &str = "alerts";
/// The verbs after which another release runs.
const DEPLOYS: [&str; 3] = ["deploy", "rebuild", "rollback"];

/// The document that a hook reads on stdin and that the webhook receives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alert {
    format: u32,
    /// The id, which stays the same if the alert is sent again.
    id: String,
    app: String,
    /// The name of the event.
    pub event: &'static str,
    /// When it happened; for several events, the time of the last one.
    at: Timestamp,
    host: String,
    /// One sentence for people.
    pub text: String,
    /// The events.
    #[serde(flatten)]
    body: Body,
}

/// The events of an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Body {
    /// One event.
    One {
        /// The entry as it is in the journal.
        entry: Box<Entry>,
    },
    /// Several events that came too fast for an alert each.
    More {
        /// The number of events by name.
        events: BTreeMap<String, u64>,
    },
    /// A test alert without an event.
    Nothing {},
}

impl Alert {
    /// The alert about an entry; `None` if such an entry causes no alert.
    pub fn of(app: &AppName, entry: &Entry) -> Option<Self> {
        let event = name(&entry.event)?;
        let text = format!("{app}: {}", entry.event);
        let id = format!("{}-{}", entry.act, entry.at.as_nanosecond());
        let body = Body::One { entry: Box::new(entry.clone()) };
        Some(Self { id, ..Self::new(app, event, entry.at, text, body) })
    }

    /// The alert that replaces those that were not sent one by one; `last` is the time of the last event.
    pub fn of_more(app: &AppName, events: &BTreeMap<String, u64>, last: Timestamp) -> Self {
        let count: u64 = events.values().sum();
        let listed: Vec<String> = events.iter().map(|(event, count)| format!("{count} {event}")).collect();
        let text = format!("{app}: and {count} more: {}", listed.join(", "));
        Self::new(app, "more", last, text, Body::More { events: events.clone() })
    }

    /// A test alert.
    pub fn of_trial(app: &AppName, now: Timestamp) -> Self {
        Self::new(app, "test", now, format!("{app}: alerts arrive here"), Body::Nothing {})
    }

    /// When the event happened.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    fn new(app: &AppName, event: &'static str, at: Timestamp, text: String, body: Body) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let id = format!("{event}-{}", at.as_nanosecond());
        Self { format: FORMAT, id, app: app.to_string(), event, at, host, text, body }
    }
}

/// Whether there is an alert about the end of this verb.
pub fn is_told_of_verb(verb: &str) -> bool {
    DEPLOYS.contains(&verb)
}

/// Whether there is an alert about this step.
pub fn is_told_of_life(life: &LifeEvent) -> bool {
    of_life(life).is_some()
}

fn name(event: &Event) -> Option<&'static str> {
    match event {
        Event::Ended { verb, outcome, .. } if is_told_of_verb(verb) => match outcome {
            Outcome::Done => Some("deploy-finished"),
            Outcome::Failed => Some("deploy-failed"),
            Outcome::Unknown => None,
        },
        Event::Happened { outcome: Outcome::Failed, origin, .. } if origin != ORIGIN => Some("incident"),
        Event::Instance { life, .. } => of_life(life),
        Event::Asked { .. }
        | Event::Planned { .. }
        | Event::Done { .. }
        | Event::Receipt { .. }
        | Event::Canary { .. }
        | Event::Ended { .. }
        | Event::Happened { .. }
        | Event::Unknown => None,
    }
}

fn of_life(life: &LifeEvent) -> Option<&'static str> {
    match life.step {
        LifeStep::Crashed => Some("process-crashed"),
        LifeStep::CheckFailed | LifeStep::Unready => Some("process-unhealthy"),
        LifeStep::Exit if is_unwanted(life) => Some("process-exited"),
        LifeStep::Exit
        | LifeStep::Start
        | LifeStep::Refused
        | LifeStep::Ready
        | LifeStep::Backoff
        | LifeStep::Done
        | LifeStep::Unknown => None,
    }
}

/// Whether a process has failed: it ended with an exit status other than 0, and was not ended by a request. A failed
/// check has its own alert.
fn is_unwanted(life: &LifeEvent) -> bool {
    let is_success = life.exit.is_some_and(formation::Exit::is_success);
    match life.cause {
        Some(EndCause::Itself | EndCause::Memory | EndCause::Signal | EndCause::Unseen) => !is_success,
        Some(EndCause::Asked | EndCause::Check | EndCause::Unknown) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use formation::Exit;

    use super::*;

    #[test]
    fn an_end_is_told_that_nobody_asked_for_and_that_is_no_success() {
        let ended = |exit, cause| {
            let life =
                LifeEvent { exit: Some(exit), cause: Some(cause), ..LifeEvent::new(LifeStep::Exit, 1) };
            is_told_of_life(&life)
        };
        assert!(ended(Exit::Code(1), EndCause::Itself) && ended(Exit::Signal(9), EndCause::Signal));
        assert!(ended(Exit::Signal(9), EndCause::Memory));
        assert!(!ended(Exit::Code(0), EndCause::Itself) && !ended(Exit::Signal(15), EndCause::Asked));
        assert!(!ended(Exit::Signal(9), EndCause::Check));
        assert!(is_told_of_life(&LifeEvent::new(LifeStep::Crashed, 1)));
        assert!(!is_told_of_life(&LifeEvent::new(LifeStep::Backoff, 1)));
    }

    #[test]
    fn of_more_the_counts_are_told() {
        let events = BTreeMap::from([("process-crashed".to_owned(), 2), ("process-exited".to_owned(), 35)]);
        let alert = Alert::of_more(&"shop".parse().expect("a name"), &events, Timestamp::UNIX_EPOCH);
        assert_eq!(alert.text, "shop: and 37 more: 2 process-crashed, 35 process-exited");
        let json = serde_json::to_value(&alert).expect("plain data");
        assert_eq!((&json["event"], &json["events"]["process-exited"]), (&"more".into(), &35.into()));
    }
}
