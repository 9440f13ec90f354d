//! Tests of the crew, with times that the tests choose.

use super::*;

fn terms(size: usize) -> Terms {
    Terms { size, listen_limit: Duration::from_secs(30), drain_limit: Duration::from_secs(60) }
}

/// A crew of this many listening processes, with ids from 1 on.
fn serving(size: u64, now: Instant) -> Crew {
    let mut crew = Crew::new(terms(usize::try_from(size).expect("a few")), now);
    crew.look(now);
    let started = crew.orders();
    assert_eq!(started, (1..=size).zip(0..).map(|(id, place)| Order::Start(id, place)).collect::<Vec<_>>());
    for id in 1..=size {
        assert_eq!(crew.orders(), []);
        crew.hear(id, &Happened::Listens, now);
    }
    assert_eq!(crew.orders(), [Order::Ready]);
    crew
}

/// The actions without the messages.
fn deeds(crew: &mut Crew) -> Vec<Order> {
    crew.orders().into_iter().filter(|order| !matches!(order, Order::Say(_))).collect()
}

#[test]
fn a_reload_replaces_one_after_the_other_by_one_that_listens() {
    let now = Instant::now();
    let mut crew = serving(2, now);
    crew.reload(now);
    assert_eq!(deeds(&mut crew), [Order::Reloading, Order::Start(3, 0)]);
    crew.hear(3, &Happened::Listens, now);
    assert_eq!(deeds(&mut crew), [Order::Leave(1), Order::Start(4, 1)]);
    crew.hear(1, &Happened::Drained, now);
    crew.hear(1, &Happened::Ended(0), now);
    assert_eq!(deeds(&mut crew), []);
    crew.hear(4, &Happened::Listens, now);
    assert_eq!(deeds(&mut crew), [Order::Leave(2), Order::Ready]);
    crew.reload(now);
    assert_eq!(deeds(&mut crew), [Order::Reloading, Order::Start(5, 0)], "another one may follow at once");
}

#[test]
fn a_reload_whose_new_process_does_not_listen_leaves_the_old_ones_alone() {
    let now = Instant::now();
    let mut crew = serving(2, now);
    crew.reload(now);
    crew.orders();
    crew.hear(3, &Happened::Ended(7), now);
    crew.look(now);
    assert_eq!(deeds(&mut crew), [Order::Ready]);

    crew.reload(now);
    assert_eq!(deeds(&mut crew), [Order::Reloading, Order::Start(4, 0)]);
    assert_eq!(crew.due(), Some(now + Duration::from_secs(30)));
    let late = now + Duration::from_secs(30);
    crew.look(late);
    assert_eq!(deeds(&mut crew), [Order::Kill(4)]);
    crew.hear(4, &Happened::Ended(137), late);
    crew.look(late);
    assert_eq!(deeds(&mut crew), [Order::Ready]);
}

#[test]
fn an_old_process_that_dies_in_a_reload_is_replaced_once() {
    let now = Instant::now();
    let mut crew = serving(2, now);
    crew.reload(now);
    crew.orders();
    crew.hear(1, &Happened::Ended(1), now);
    crew.look(now + PAUSE);
    assert_eq!(deeds(&mut crew), [], "the new one takes its place");
    crew.hear(3, &Happened::Ended(1), now);
    crew.look(now + PAUSE);
    assert_eq!(deeds(&mut crew), [Order::Ready, Order::Start(4, 0)], "there is no new one any more");
}

#[test]
fn what_dies_soon_is_started_again_after_longer_and_longer_pauses() {
    let mut now = Instant::now();
    let mut crew = serving(1, now);
    let mut pauses = Vec::new();
    for id in 1..=10 {
        crew.hear(id, &Happened::Ended(1), now);
        assert_eq!(deeds(&mut crew), []);
        let due = crew.due().expect("a start");
        pauses.push((due - now).as_millis());
        now = due;
        crew.look(now);
        assert_eq!(deeds(&mut crew), [Order::Start(id + 1, 0)]);
        crew.hear(id + 1, &Happened::Listens, now);
    }
    assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
    now += SETTLED;
    crew.hear(11, &Happened::Ended(1), now);
    crew.look(now);
    assert_eq!(deeds(&mut crew), [Order::Start(12, 0)], "this one has lived for long enough");
}

#[test]
fn a_program_that_ends_before_it_listens_ends_everything_with_its_status() {
    for (status, wanted) in [(3, 3), (0, 1)] {
        let now = Instant::now();
        let mut crew = Crew::new(terms(2), now);
        crew.look(now);
        crew.hear(1, &Happened::Listens, now);
        crew.orders();
        crew.hear(2, &Happened::Drained, now);
        crew.hear(2, &Happened::Ended(status), now);
        assert_eq!(deeds(&mut crew), [Order::Leave(1)]);
        crew.hear(1, &Happened::Ended(0), now);
        assert_eq!(deeds(&mut crew), [Order::Finish(wanted)]);
    }
}

#[test]
fn at_the_end_connections_have_their_time_and_a_second_signal_cuts_it() {
    let now = Instant::now();
    let mut crew = serving(2, now);
    crew.end(now);
    assert_eq!(deeds(&mut crew), [Order::Leave(1), Order::Leave(2)]);
    crew.hear(1, &Happened::Drained, now);
    crew.look(now + GOODBYE);
    assert_eq!(deeds(&mut crew), [Order::Terminate(1)], "it has drained and does not end by itself");
    crew.hear(1, &Happened::Ended(143), now);
    let late = now + Duration::from_secs(60);
    assert_eq!(crew.due(), Some(late));
    crew.look(late);
    assert_eq!(deeds(&mut crew), [Order::Kill(2)]);
    crew.hear(2, &Happened::Ended(137), late);
    assert_eq!(deeds(&mut crew), [Order::Finish(0)]);

    let mut crew = serving(1, now);
    crew.end(now);
    crew.end(now);
    assert_eq!(deeds(&mut crew), [Order::Leave(1), Order::Kill(1)]);
}

#[test]
fn a_process_that_leaves_by_itself_is_replaced_at_once_and_may_finish() {
    let now = Instant::now();
    let mut crew = serving(1, now);
    let later = now + SETTLED;
    crew.hear(1, &Happened::Leaves, later);
    crew.look(later);
    assert_eq!(deeds(&mut crew), [Order::Start(2, 0)]);
    crew.hear(2, &Happened::Listens, later);
    crew.hear(1, &Happened::Drained, later);
    crew.hear(1, &Happened::Ended(0), later);
    crew.look(later);
    assert_eq!(deeds(&mut crew), []);
}

#[test]
fn whatever_happens_in_whatever_order_each_place_has_one_process_that_stays() {
    let mut seed: u64 = 7;
    let mut dice = |sides: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % sides
    };
    for _ in 0..300 {
        let mut now = Instant::now();
        let mut crew = serving(3, now);
        for _ in 0..60 {
            let id = 1 + dice(crew.last);
            match dice(9) {
                0 => crew.reload(now),
                1 | 2 => crew.hear(id, &Happened::Listens, now),
                3 => crew.hear(id, &Happened::Drained, now),
                4 => crew.hear(id, &Happened::Ended(1), now),
                5 => crew.hear(id, &Happened::Leaves, now),
                _ => now = crew.due().unwrap_or(now).max(now),
            }
            crew.look(now);
            crew.orders();
            let incoming = crew.reload.as_ref().map(|reload| reload.incoming);
            let stays = |member: &Member| matches!(member.state, State::Serving | State::Starting { .. });
            let staying = crew.members.iter().filter(|(id, member)| stays(member) && Some(**id) != incoming);
            let mut places: Vec<usize> = staying.map(|(_, member)| member.place).collect();
            places.sort_unstable();
            let all = places.len();
            places.dedup();
            assert_eq!(places.len(), all, "two at one place: {crew:?}");
        }
        // Without further events, all of its processes come to serve.
        for _ in 0..100 {
            now = crew.due().unwrap_or(now).max(now);
            crew.look(now);
            let ids: Vec<(Id, State)> = crew.members.iter().map(|(id, m)| (*id, m.state)).collect();
            for (id, state) in ids {
                let next = if matches!(state, State::Starting { .. }) {
                    Happened::Listens
                } else {
                    Happened::Drained
                };
                let next = if matches!(state, State::Serving) { continue } else { next };
                crew.hear(id, &next, now);
                if !matches!(state, State::Starting { .. }) {
                    crew.hear(id, &Happened::Ended(0), now);
                }
            }
            crew.orders();
        }
        assert_eq!(crew.serving(), 3, "{crew:?}");
        assert!(crew.reload.is_none(), "{crew:?}");
    }
}
