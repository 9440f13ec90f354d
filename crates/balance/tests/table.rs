//! Connections come and go while backends are added, drained and forgotten: nothing is counted twice, nothing is lost.

use std::collections::BTreeMap;
use std::time::Duration;

use balance::wire::{Set, State, Wanted};
use balance::{Ending, InvalidSet, Key, Table};
use proptest::prelude::*;

const LIMIT: Duration = Duration::from_secs(30);
const NOW: Duration = Duration::from_secs(1_000);

fn wanted(id: &str, port: u16, state: State) -> Wanted {
    let address = format!("127.0.0.1:{port}").parse().expect("an address");
    Wanted { id: id.into(), address, weight: 100, state, release: None }
}

fn set(revision: u64, backends: Vec<Wanted>) -> Set {
    Set { revision, backends, ..Set::default() }
}

fn of(backends: Vec<Wanted>) -> Table {
    let mut table = Table::new(LIMIT);
    table.set(&set(1, backends), NOW).expect("a list without contradiction");
    table
}

#[test]
fn a_backend_that_is_left_out_is_told_when_its_last_connection_ends_and_is_then_gone() {
    let mut table = of(vec![wanted("web.1", 1, State::Ready)]);
    let choice = table.choose(&[], NOW).expect("one is ready");
    table.connected(choice.key, Duration::ZERO);
    assert!(table.set(&set(2, vec![]), NOW).expect("an empty list is legal").is_empty());
    assert!(!table.has_ready() && table.choose(&[], NOW).is_none());
    let told = table.ended(choice.key, Ending::Closed).expect("it was the last one");
    assert_eq!((told.id.as_str(), told.connections, told.cut), ("web.1", 1, 0));
    assert!(table.numbers().is_empty());
}

#[test]
fn a_backend_without_connections_is_drained_at_once_and_told_once() {
    let mut table = of(vec![wanted("web.1", 1, State::Ready)]);
    let drain = set(2, vec![wanted("web.1", 1, State::Drain)]);
    assert_eq!(table.set(&drain, NOW).map(|told| told.len()), Ok(1));
    assert_eq!(table.set(&drain, NOW).map(|told| told.len()), Ok(0));
}

#[test]
fn a_drain_that_is_taken_back_is_told_again_when_it_is_ordered_again() {
    let mut table = of(vec![wanted("web.1", 1, State::Ready)]);
    for (state, told) in [(State::Drain, 1), (State::Ready, 0), (State::Drain, 1)] {
        assert_eq!(table.set(&set(2, vec![wanted("web.1", 1, state)]), NOW).map(|it| it.len()), Ok(told));
    }
}

#[test]
fn when_the_drain_limit_passes_the_backend_is_overdue_once() {
    let mut table = of(vec![wanted("web.1", 1, State::Ready)]);
    let choice = table.choose(&[], NOW).expect("one is ready");
    let drain = Set { drain_seconds: Some(5), ..set(2, vec![wanted("web.1", 1, State::Drain)]) };
    table.set(&drain, NOW).expect("a list without contradiction");
    let due = NOW + Duration::from_secs(5);
    assert_eq!(table.due(), Some(due));
    assert!(table.overdue(NOW + Duration::from_millis(4_999)).is_empty());
    assert_eq!(table.overdue(due), [choice.key]);
    assert_eq!((table.overdue(due).len(), table.due()), (0, None));
    assert_eq!(table.ended(choice.key, Ending::Cut).map(|told| told.cut), Some(1));
}

#[test]
fn the_same_id_at_another_address_is_another_backend() {
    let mut table = of(vec![wanted("web.1", 1, State::Ready)]);
    let old = table.choose(&[], NOW).expect("one is ready");
    table.set(&set(2, vec![wanted("web.1", 2, State::Ready)]), NOW).expect("no contradiction");
    let new = table.choose(&[], NOW).expect("one is ready");
    assert_ne!(old.key, new.key);
    assert_eq!(new.address.port(), 2);
}

#[test]
fn a_list_that_contradicts_itself_changes_nothing() {
    let mut table = of(vec![wanted("web.1", 1, State::Ready)]);
    let twice = vec![wanted("web.2", 2, State::Ready), wanted("web.2", 3, State::Ready)];
    assert_eq!(table.set(&set(2, twice), NOW), Err(InvalidSet::Twice("web.2".into())));
    let heavy = Wanted { weight: 1_000_001, ..wanted("web.2", 2, State::Ready) };
    assert!(matches!(table.set(&set(2, vec![heavy]), NOW), Err(InvalidSet::Weight { .. })));
    assert_eq!(table.numbers().len(), 1);
    assert!(table.choose(&[], NOW).is_some_and(|choice| choice.address.port() == 1));
}

#[test]
fn one_that_refused_is_chosen_only_where_no_other_is_left() {
    let mut table = of(vec![wanted("web.1", 1, State::Ready), wanted("web.2", 2, State::Ready)]);
    let refusing = table.choose(&[], NOW).expect("two are ready");
    table.failed(refusing.key, NOW);
    for _ in 0..20 {
        assert_ne!(table.choose(&[], NOW).map(|choice| choice.key), Some(refusing.key));
    }
    let other = table.choose(&[refusing.key], NOW).expect("the other one").key;
    assert_eq!(table.choose(&[other], NOW).map(|choice| choice.key), Some(refusing.key));
    assert!(table.choose(&[other, refusing.key], NOW).is_none());
}

#[test]
fn a_message_of_a_later_version_with_more_fields_is_understood() {
    let line = r#"{"set":{"revision":7,"pause_seconds":null,"colour":"blue","backends":[{"id":"web.1/3","address":"[::1]:1","state":"drain","release":4,"zone":2}]}}"#;
    let request: balance::wire::Request = serde_json::from_str(line).expect("a list");
    let balance::wire::Request::Set(set) = request else { panic!("{request:?}") };
    assert_eq!((set.revision, set.backends[0].weight, set.backends[0].state), (7, 100, State::Drain));
}

/// What a connection in the model goes through.
#[derive(Clone, Debug)]
enum Move {
    Open,
    Connected(prop::sample::Index),
    Failed(prop::sample::Index),
    End(prop::sample::Index),
    /// Each of five backends is ready (2), drained (1) or left out (0).
    Set([u8; 5]),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let index = any::<prop::sample::Index>;
    prop::collection::vec(
        prop_oneof![
            4 => Just(Move::Open),
            2 => index().prop_map(Move::Connected),
            1 => index().prop_map(Move::Failed),
            3 => index().prop_map(Move::End),
            1 => prop::array::uniform5(0_u8..3).prop_map(Move::Set),
        ],
        0..200,
    )
}

fn list(states: [u8; 5]) -> Vec<Wanted> {
    let each = (1_u16..).zip(states).filter(|(_, state)| *state > 0);
    each.map(|(n, state)| {
        wanted(&format!("web.{n}"), n, if state == 2 { State::Ready } else { State::Drain })
    })
    .collect()
}

proptest! {
    #[test]
    fn counts_agree_with_the_connections_whatever_happens(moves in moves()) {
        let mut table = of(list([2; 5]));
        let mut states = [2; 5];
        let mut open: Vec<(Key, u16)> = Vec::new();
        let mut told: BTreeMap<String, usize> = BTreeMap::new();
        for step in moves {
            let drained = match step {
                Move::Open => {
                    let choice = table.choose(&[], NOW);
                    prop_assert_eq!(choice.is_some(), states.contains(&2));
                    if let Some(choice) = choice {
                        prop_assert_eq!(states[usize::from(choice.address.port()) - 1], 2, "it is ready");
                        open.push((choice.key, choice.address.port()));
                    }
                    vec![]
                }
                Move::Connected(at) if !open.is_empty() => {
                    table.connected(open[at.index(open.len())].0, Duration::from_micros(50));
                    vec![]
                }
                Move::Failed(at) if !open.is_empty() => {
                    let (key, _) = open.swap_remove(at.index(open.len()));
                    table.failed(key, NOW).into_iter().collect()
                }
                Move::End(at) if !open.is_empty() => {
                    let (key, _) = open.swap_remove(at.index(open.len()));
                    table.ended(key, Ending::Closed).into_iter().collect()
                }
                Move::Connected(_) | Move::Failed(_) | Move::End(_) => vec![],
                Move::Set(next) => {
                    let drained = table.set(&set(2, list(next)), NOW).expect("no contradiction");
                    states = next;
                    drained
                }
            };
            for it in drained {
                let port: u16 = it.id["web.".len()..].parse().expect("a number");
                prop_assert!(states[usize::from(port) - 1] < 2, "{} is ready", it.id);
                prop_assert!(open.iter().all(|(_, at)| *at != port), "{} has connections", it.id);
                *told.entry(it.id).or_default() += 1;
            }
            let counted: u64 = table.numbers().iter().map(|it| it.open).sum();
            prop_assert_eq!(counted, open.len() as u64);
        }
    }
}
