//! The events of the selected app, and the verb in progress.

use std::collections::VecDeque;

use formation::{LifeStep, Slot};
use jiff::Timestamp;
use ps_journal::{Change, Entry, Event};

/// How many exits of an instance are shown.
const EXITS: usize = 5;

/// The end of an app's journal.
#[derive(Debug, Default)]
pub(crate) struct Past {
    pub(crate) entries: Vec<Entry>,
    /// How many entries are below the screen.
    pub(crate) back: usize,
}

/// A verb that has begun and not ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Going<'a> {
    pub(crate) verb: &'a str,
    pub(crate) since: Timestamp,
    /// Its plan, once there is one.
    pub(crate) plan: &'a [Change],
}

impl Past {
    /// Sets the entries, because the journal has grown. If earlier entries are visible, they stay in place.
    pub(crate) fn set(&mut self, entries: Vec<Entry>) {
        if self.back > 0 {
            let last = self.entries.last();
            let new = entries.iter().rev().take_while(|entry| Some(*entry) != last).count();
            self.back = (self.back + new).min(entries.len().saturating_sub(1));
        }
        self.entries = entries;
    }

    pub(crate) fn scroll(&mut self, up: isize) {
        self.back = self.back.saturating_add_signed(up).min(self.entries.len().saturating_sub(1));
    }

    /// The verb in progress. A verb that was killed has no end in the journal, so only the last verb counts, and only until the next one
    /// begins.
    pub(crate) fn going(&self) -> Option<Going<'_>> {
        let (at, asked) =
            self.entries.iter().enumerate().rev().find_map(|(at, entry)| match &entry.event {
                Event::Asked { verb, .. } => Some((at, (entry, verb))),
                _ => None,
            })?;
        let (entry, verb) = asked;
        let after = || self.entries[at..].iter().filter(|later| later.act == entry.act);
        if after().any(|later| matches!(later.event, Event::Ended { .. })) {
            return None;
        }
        let plan = after().find_map(|later| match &later.event {
            Event::Planned { changes } => Some(&changes[..]),
            _ => None,
        });
        Some(Going { verb, since: entry.at, plan: plan.unwrap_or_default() })
    }

    /// The last exits of an instance, the newest first.
    pub(crate) fn exits(&self, slot: &Slot) -> VecDeque<&Entry> {
        let is_exit = |entry: &&Entry| match &entry.event {
            Event::Instance { slot: of, life } => of == slot && life.step == LifeStep::Exit,
            _ => false,
        };
        self.entries.iter().rev().filter(is_exit).take(EXITS).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(second: u64, act: &str, event: &str) -> Entry {
        let text = format!(
            r#"{{"format":1,"at":"2026-01-01T00:00:{second:02}Z","monotonic_ms":1,"boot":"b","act":"{act}",{event}}}"#
        );
        serde_json::from_str(&text).expect("an entry")
    }

    fn past(entries: Vec<Entry>) -> Past {
        Past { entries, back: 0 }
    }

    const ASKED: &str = r#""event":"asked","verb":"deploy","user":"root","arguments":[]"#;
    const ENDED: &str = r#""event":"ended","verb":"deploy","outcome":"done","took_ms":1"#;
    const PLANNED: &str =
        r#""event":"planned","changes":[{"slots":"web.1","change":"replace","reason":"new release"}]"#;

    #[test]
    fn a_verb_goes_on_from_when_it_was_asked_for_until_it_has_ended() {
        assert_eq!(past(vec![]).going(), None);
        let begun = past(vec![entry(1, "a", ASKED), entry(2, "a", PLANNED)]);
        let going = begun.going().expect("it goes on");
        assert_eq!((going.verb, going.plan.len()), ("deploy", 1));
        let over = past(vec![entry(1, "a", ASKED), entry(2, "a", PLANNED), entry(3, "a", ENDED)]);
        assert_eq!(over.going(), None);
        let other = past(vec![entry(1, "a", ASKED), entry(2, "b", ENDED)]);
        assert!(other.going().is_some(), "what another program has ended is another thing");
    }

    #[test]
    fn the_exits_of_an_instance_are_its_own() {
        let exit = |slot: &str, run| {
            entry(run, "a", &format!(r#""event":"instance","slot":"{slot}","step":"exit","run":{run}"#))
        };
        let past = past((1..9).map(|run| exit("web.1", run)).chain([exit("web.2", 9)]).collect());
        let exits = past.exits(&"web.1".parse().expect("a slot"));
        let runs: Vec<String> = exits.iter().map(|entry| entry.event.to_string()).collect();
        assert!(runs.len() == EXITS && runs[0].starts_with("web.1@8"), "{runs:?}");
    }

    #[test]
    fn whoever_looks_at_earlier_entries_goes_on_seeing_them() {
        let mut past = past(vec![entry(1, "a", ASKED), entry(2, "a", PLANNED)]);
        past.scroll(1);
        past.set(vec![entry(1, "a", ASKED), entry(2, "a", PLANNED), entry(3, "a", ENDED)]);
        assert_eq!(past.back, 2);
        past.scroll(-9);
        assert_eq!(past.back, 0);
    }
}
