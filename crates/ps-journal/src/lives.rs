//! Sums up the lives of instances: the state of each slot after the last entry.

use std::collections::{BTreeMap, BTreeSet};

use formation::{EndCause, Exit, LifeEvent, LifeStep, Slot, State};
use jiff::Timestamp;

use crate::event::{Entry, Event};

/// The state of a slot after the last entry of its journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lived {
    /// The run that fills it, or filled it last.
    pub run: u64,
    /// The state of that run.
    pub state: State,
    /// When that state began.
    pub since: Timestamp,
    /// How the last process of the slot ended.
    pub last_exit: Option<Exit>,
    /// How often the restart policy has started it again, as far back as the journal goes.
    pub restarts: u32,
}

/// The states of the slots of an app after these entries. A slot whose run was told to end, and has ended, is stopped. For the states at an
/// earlier time, pass only the entries up to that time. A run that has no check is running as soon as it was started; one whose checks passed later, or failed, is starting until then.
pub fn lives_at(entries: &[Entry]) -> BTreeMap<Slot, Lived> {
    let checked: BTreeSet<(&Slot, u64)> = lives(entries)
        .filter(|(_, _, life)| matches!(life.step, LifeStep::Ready | LifeStep::CheckFailed))
        .map(|(_, slot, life)| (slot, life.run))
        .collect();
    let mut slots: BTreeMap<Slot, Lived> = BTreeMap::new();
    let mut boot = None;
    for (entry, slot, life) in lives(entries) {
        if boot.replace(&entry.boot).is_some_and(|before| *before != entry.boot) {
            lose_all(&mut slots, entry.at);
        }
        let is_checked = checked.contains(&(slot, life.run));
        let before = slots.get(slot);
        if let Some(lived) = step(before, life, entry.at, is_checked) {
            slots.insert(slot.clone(), lived);
        }
    }
    slots
}

fn lives(entries: &[Entry]) -> impl Iterator<Item = (&Entry, &Slot, &LifeEvent)> {
    entries.iter().filter_map(|entry| match &entry.event {
        Event::Instance { slot, life } => Some((entry, slot, life)),
        _ => None,
    })
}

/// Ends all runs, because the machine was started anew.
fn lose_all(slots: &mut BTreeMap<Slot, Lived>, at: Timestamp) {
    for lived in slots.values_mut().filter(|lived| lived.state.is_alive() || lived.state == State::Backoff) {
        (lived.state, lived.since) = (State::Missing, at);
    }
}

fn step(before: Option<&Lived>, life: &LifeEvent, at: Timestamp, is_checked: bool) -> Option<Lived> {
    // While a slot has two runs, the end of the earlier one does not change the state of its successor.
    if before.is_some_and(|before| life.run < before.run) {
        return None;
    }
    let state = match life.step {
        LifeStep::Start if is_checked => State::Starting,
        LifeStep::Start | LifeStep::Ready => State::Running,
        LifeStep::Unready => State::Unready,
        LifeStep::CheckFailed => State::Unhealthy,
        LifeStep::Exit if life.cause == Some(EndCause::Asked) => State::Stopped,
        LifeStep::Exit | LifeStep::Refused | LifeStep::Backoff => State::Backoff,
        LifeStep::Crashed => State::Crashed,
        LifeStep::Done => State::Stopped,
        LifeStep::Unknown => return None,
    };
    let before = before.cloned();
    let since = before.as_ref().filter(|before| before.state == state && before.run == life.run);
    Some(Lived {
        run: life.run,
        state,
        since: since.map_or(at, |before| before.since),
        last_exit: life.exit.or(before.as_ref().and_then(|before| before.last_exit)),
        restarts: before.map_or(0, |before| before.restarts) + u32::from(life.step == LifeStep::Backoff),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(second: i64, boot: &str, slot: &str, life: LifeEvent) -> Entry {
        Entry {
            format: 1,
            at: Timestamp::from_second(second).expect("a time"),
            monotonic_ms: 0,
            boot: boot.to_owned(),
            act: "1".to_owned(),
            event: Event::Instance { slot: slot.parse().expect("a slot"), life },
        }
    }

    fn state(entries: &[Entry], slot: &str) -> Option<(State, u64, i64)> {
        let lived = lives_at(entries).remove(&slot.parse().expect("a slot"))?;
        Some((lived.state, lived.run, lived.since.as_second()))
    }

    #[test]
    fn the_steps_of_a_crash_loop_add_up_to_its_state_at_each_time() {
        let exit = |run| LifeEvent {
            exit: Some(Exit::Code(1)),
            cause: Some(EndCause::Itself),
            ..LifeEvent::new(LifeStep::Exit, run)
        };
        let entries = [
            entry(1, "a", "web.1", LifeEvent::new(LifeStep::Start, 1)),
            entry(2, "a", "web.1", LifeEvent::new(LifeStep::Ready, 1)),
            entry(3, "a", "web.1", exit(1)),
            entry(3, "a", "web.1", LifeEvent::new(LifeStep::Backoff, 1)),
            entry(4, "a", "web.1", LifeEvent::new(LifeStep::Start, 2)),
            entry(5, "a", "web.1", exit(2)),
            entry(5, "a", "web.1", LifeEvent::new(LifeStep::Crashed, 2)),
        ];
        assert_eq!(state(&entries[..2], "web.1"), Some((State::Running, 1, 2)));
        assert_eq!(state(&entries[..4], "web.1"), Some((State::Backoff, 1, 3)));
        assert_eq!(state(&entries[..5], "web.1"), Some((State::Running, 2, 4)), "this run has no check");
        assert_eq!(state(&entries, "web.1"), Some((State::Crashed, 2, 5)));
        let lived = lives_at(&entries).remove(&"web.1".parse().expect("a slot")).expect("it is there");
        assert_eq!((lived.restarts, lived.last_exit), (1, Some(Exit::Code(1))));
    }

    #[test]
    fn the_end_of_what_was_replaced_says_nothing_of_its_successor_and_a_boot_ends_all() {
        let asked = LifeEvent { cause: Some(EndCause::Asked), ..LifeEvent::new(LifeStep::Exit, 1) };
        let entries = [
            entry(1, "a", "web.1", LifeEvent::new(LifeStep::Start, 1)),
            entry(2, "a", "web.1", LifeEvent::new(LifeStep::Start, 2)),
            entry(3, "a", "web.1", asked),
            entry(9, "b", "job.1", LifeEvent::new(LifeStep::Start, 3)),
        ];
        assert_eq!(state(&entries[..3], "web.1"), Some((State::Running, 2, 2)));
        assert_eq!(state(&entries, "web.1"), Some((State::Missing, 2, 9)));
    }
}
