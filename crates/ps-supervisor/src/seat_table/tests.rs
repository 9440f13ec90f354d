use super::*;
use crate::printed::{self, Printed};

const AFTER_DEATHS: [AfterDeath; 4] =
    [AfterDeath::Again, AfterDeath::Await, AfterDeath::Rest, AfterDeath::GiveUp];
const THENS: [Then; 6] = [Then::Off, Then::Fill, Then::Backoff, Then::Scheduled, Then::Done, Then::Crashed];
const BESIDE: [Beside; 3] = [Beside::Nobody, Beside::Incoming, Beside::Leaving];
/// What the world does by itself, in any order, without a person or a rollout.
const BY_ITSELF: [Event; 11] = [
    Event::Want,
    Event::Fire,
    Event::Met,
    Event::Died(AfterDeath::Again),
    Event::Died(AfterDeath::Await),
    Event::Died(AfterDeath::Rest),
    Event::Died(AfterDeath::GiveUp),
    Event::Broke,
    Event::Empty,
    Event::Gone,
    Event::Due,
];
const ROLLED: [Event; 3] = [Event::Replace, Event::Dismiss, Event::Gone];

fn held() -> Vec<Held> {
    let mut all = vec![Held::Off, Held::Waiting, Held::Filled];
    all.extend(THENS.map(Held::Emptying));
    all.extend([Held::Backoff, Held::Broken, Held::Scheduled, Held::Done, Held::Crashed]);
    all
}

/// Those that mean something to what fills a seat.
fn heard() -> Vec<Event> {
    let mut all = vec![Event::Want, Event::Schedule, Event::Fire, Event::Start, Event::Met, Event::Stop];
    all.extend([Event::Restart, Event::Retire, Event::Promote]);
    all.extend(AFTER_DEATHS.map(Event::Died));
    all.extend([Event::Broke, Event::Empty, Event::Due]);
    all
}

fn events() -> Vec<Event> {
    heard().into_iter().chain(ROLLED).collect()
}

/// A whole seat: what fills it, and who is beside.
type Whole = (Held, Beside);

fn seats() -> Vec<Whole> {
    held().into_iter().flat_map(|held| BESIDE.map(|beside| (held, beside))).collect()
}

/// What `Seat::handle` makes of the two parts.
fn step((held, beside): Whole, event: Event) -> (Whole, Action, Aside) {
    let Settled { seat, aside, action } = Seating { held, beside }.after(event);
    ((seat.held, seat.beside), action.unwrap_or(Action::Nothing), aside)
}

/// Everything that `events`, in any order, lead to.
fn reached(from: &[Whole], events: &[Event]) -> Vec<Whole> {
    let mut reached = from.to_vec();
    let mut next = 0;
    while let Some(seat) = reached.get(next).copied() {
        for event in events {
            let (after, ..) = step(seat, *event);
            if !reached.contains(&after) {
                reached.push(after);
            }
        }
        next += 1;
    }
    reached
}

#[test]
fn the_page_prints_what_fills_a_seat() {
    let (states, events) = (held(), heard());
    let table = Printed { states: &states, events: &events, nothing: Action::Nothing };
    printed::assert_on_page(&table, Held::after);
    for held in held() {
        for event in ROLLED {
            assert_eq!(held.after(event), (held, Action::Nothing), "the page has no column {event:?}");
        }
    }
}

#[test]
fn the_page_prints_who_is_beside() {
    let events = [Event::Replace, Event::Stop, Event::Dismiss, Event::Promote, Event::Gone];
    let table = Printed { states: &BESIDE, events: &events, nothing: Aside::Nothing };
    printed::assert_on_page(&table, Beside::after);
    for beside in BESIDE {
        for event in self::events().into_iter().filter(|event| !events.contains(event)) {
            assert_eq!(beside.after(event), (beside, Aside::Nothing), "the page has no column {event:?}");
        }
    }
}

#[test]
fn two_runs_live_in_a_seat_only_while_it_is_replaced() {
    for seat in seats() {
        for event in events() {
            let ((held, beside), action, aside) = step(seat, event);
            if action == Action::Fill {
                assert!(!seat.0.is_occupied(), "{seat:?} is filled on {event:?}");
                assert_eq!(held, Held::Filled);
            }
            if aside == Aside::Bring {
                assert_eq!((seat.1, beside), (Beside::Nobody, Beside::Incoming), "{event:?}");
            }
            let comes_beside = seat.1 == Beside::Nobody && beside != Beside::Nobody;
            assert!(!comes_beside || matches!(event, Event::Replace | Event::Promote), "{event:?}");
            let is_swapped = aside == Aside::Swap;
            assert_eq!(is_swapped, event == Event::Promote && seat.1 != Beside::Leaving, "{seat:?}");
        }
    }
}

#[test]
fn the_end_of_the_new_run_leads_back_to_the_old() {
    for held in held() {
        let (seat, action, aside) = step((held, Beside::Incoming), Event::Gone);
        assert_eq!((seat, action, aside), ((held, Beside::Nobody), Action::Nothing, Aside::Nothing));
        // A trial from its beginning to its end.
        let mut seat = (held, Beside::Nobody);
        for event in [
            Event::Replace,
            Event::Want,
            Event::Schedule,
            Event::Fire,
            Event::Start,
            Event::Restart,
            Event::Dismiss,
            Event::Gone,
        ] {
            let (after, action, _) = step(seat, event);
            assert_eq!(action, Action::Nothing, "{event:?} touches what fills the seat, {held:?}");
            seat = after;
        }
        assert_eq!(seat, (held, Beside::Nobody));
    }
}

#[test]
fn what_is_wanted_never_wakes_what_is_done_or_given_up() {
    let over = [Held::Done, Held::Crashed, Held::Emptying(Then::Done), Held::Emptying(Then::Crashed)];
    for held in over {
        for seat in reached(&[(held, Beside::Nobody)], &BY_ITSELF) {
            assert!(over.contains(&seat.0), "{held:?} becomes {seat:?}");
            assert_eq!(seat.0.is_at_rest(), !seat.0.is_occupied());
            for event in BY_ITSELF {
                assert_ne!(step(seat, event).1, Action::Fill, "{event:?} wakes {seat:?}");
            }
        }
    }
}

/// Of what is stopped the spec says so, and `Want` is not said of it.
#[test]
fn what_was_stopped_stays_off_until_it_is_wanted_or_asked_for() {
    let by_itself: Vec<Event> = BY_ITSELF.into_iter().filter(|event| *event != Event::Want).collect();
    for seat in seats() {
        let (stopped, ..) = step(seat, Event::Stop);
        for seat in reached(&[stopped], &by_itself) {
            assert!(matches!(seat.0, Held::Off | Held::Emptying(Then::Off)), "{stopped:?} becomes {seat:?}");
        }
        let ended = [Event::Empty, Event::Gone].into_iter().fold(stopped, |seat, event| step(seat, event).0);
        assert_eq!(ended, (Held::Off, Beside::Nobody), "from {seat:?}");
    }
}

#[test]
fn a_stop_ends_all_that_lives() {
    for seat in seats() {
        let (_, action, aside) = step(seat, Event::Stop);
        assert!(seat.0 != Held::Filled || action == Action::End, "{seat:?}");
        assert!(seat.1 == Beside::Nobody || aside == Aside::End, "{seat:?}");
    }
}

#[test]
fn what_somebody_asks_for_is_started_from_every_state() {
    for held in held() {
        for event in [Event::Start, Event::Restart] {
            let (mut now, action) = held.after(event);
            let mut is_filled = action == Action::Fill || (held == Held::Filled && event == Event::Start);
            for event in [Event::Empty, Event::Due, Event::Met] {
                let (after, action) = now.after(event);
                is_filled |= action == Action::Fill;
                now = after;
            }
            assert!(is_filled, "{event:?} is lost in {held:?}");
        }
    }
}

#[test]
fn a_broken_seat_is_never_given_up_and_touches_nobody_else() {
    for beside in BESIDE {
        let (seat, _, aside) = step((Held::Filled, beside), Event::Broke);
        assert_eq!((seat, aside), ((Held::Broken, beside), Aside::Nothing));
    }
    // As long as it breaks, and whatever is wanted meanwhile.
    let events = [Event::Want, Event::Broke, Event::Due];
    for seat in reached(&[(Held::Broken, Beside::Nobody)], &events) {
        assert!(matches!(seat.0, Held::Broken | Held::Filled), "{seat:?}");
    }
    assert_eq!(Held::Broken.after(Event::Due), (Held::Filled, Action::Fill));
}

#[test]
fn what_a_rollout_retires_is_not_started_again_and_leaves_the_new_run_alone() {
    for held in held() {
        for beside in BESIDE {
            let (seat, action, aside) = step((held, beside), Event::Retire);
            assert_eq!((seat.1, aside), (beside, Aside::Nothing));
            assert!(held != Held::Filled || action == Action::End);
            let ended = step(seat, Event::Empty).0;
            assert_eq!(ended.0, Held::Off, "from {held:?}");
        }
    }
}

#[test]
fn what_is_due_fills_a_seat_that_waits_for_it_and_nothing_that_was_stopped_or_is_filled() {
    for held in held() {
        let (next, action) = held.after(Event::Fire);
        let waits = matches!(held, Held::Scheduled | Held::Backoff | Held::Broken);
        assert_eq!(action == Action::Fill, waits, "{held:?}");
        let is_over = matches!(held, Held::Off | Held::Done | Held::Crashed | Held::Emptying(Then::Off));
        assert!(!is_over || next == held, "{held:?}");
    }
    let (seat, _) = Held::Filled.after(Event::Died(AfterDeath::Await));
    assert_eq!(seat.after(Event::Empty), (Held::Scheduled, Action::Tell));
    assert_eq!(seat.after(Event::Fire).0.after(Event::Empty), (Held::Waiting, Action::Hold), "due meanwhile");
}

#[test]
fn only_a_restart_policy_and_a_schedule_fill_a_seat_without_asking_whether_its_type_has_to_wait() {
    for held in held() {
        for event in events() {
            let (next, action) = held.after(event);
            assert_eq!(action == Action::Hold, next == Held::Waiting && held != Held::Waiting, "{held:?}");
            if action == Action::Fill {
                assert!(
                    matches!(event, Event::Due | Event::Fire) || held == Held::Waiting,
                    "{held:?} is filled on {event:?}"
                );
            }
        }
    }
    for event in events() {
        let (next, action) = Held::Waiting.after(event);
        let is_filled = (next, action) == (Held::Filled, Action::Fill);
        assert_eq!(is_filled, event == Event::Met, "{event:?}");
    }
}
