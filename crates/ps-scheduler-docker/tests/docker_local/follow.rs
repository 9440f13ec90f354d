//! Logs are followed while the containers that write them change.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use formation::Which;
use ps_scheduler::{Intent, LogLine, LogRequest, Scheduler};
use ps_scheduler_docker::DockerLocal;

use crate::place::{Place, SOCKET, shop};

/// Writes numbered lines, and a last one when it is told to end.
const COUNTING: &str =
    "trap 'echo last; exit 0' TERM; i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done";
/// Writes how often it was started, and ends. The container keeps the count.
const DYING: &str = "n=$(cat /tmp/n 2>/dev/null || echo 0); echo $((n+1)) >/tmp/n; echo life $n; sleep 4; echo over $n; exit 3";

/// Follows all logs from now on, in another thread, until the receiver is dropped.
fn follow(place: &Place) -> Receiver<LogLine> {
    let (sender, lines) = channel();
    let world = place.world();
    thread::spawn(move || {
        let request = LogRequest { follow: true, ..LogRequest::last(shop(), Which::All, Some(0)) };
        let mut sink = |line: &LogLine| match sender.send(line.clone()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        // If this fails, no lines come, and the test reports that.
        let _ = DockerLocal::at(&world, SOCKET).logs(&request, &mut sink);
    });
    lines
}

/// The next line; the test fails if none comes for a long time.
fn next(lines: &Receiver<LogLine>) -> (u64, String) {
    let line = lines.recv_timeout(Duration::from_secs(60)).expect("there is another line");
    (line.run.expect("a run"), String::from_utf8_lossy(&line.bytes).into_owned())
}

#[test]
fn a_deploy_is_followed_from_the_last_line_of_the_old_one_to_the_first_of_the_new_one() {
    let place = Place::new();
    place.deploy(&["worker=1"], COUNTING, &Intent::Deploy).expect("deploys");
    let lines = follow(&place);
    next(&lines);
    place.deploy(&["worker=1"], COUNTING, &Intent::Deploy).expect("deploys again");
    let mut runs: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let is_enough = |runs: &BTreeMap<u64, Vec<String>>| {
        let has = |run: &u64, line: &str| runs.get(run).is_some_and(|lines| lines.iter().any(|l| l == line));
        let (first, last) = (runs.keys().next(), runs.keys().last());
        runs.len() == 2 && first.is_some_and(|run| has(run, "last")) && last.is_some_and(|run| has(run, "70"))
    };
    while !is_enough(&runs) {
        let (run, line) = next(&lines);
        runs.entry(run).or_default().push(line);
    }
    let mut runs = runs.into_iter();
    let (_, mut old) = runs.next().expect("two runs");
    let (_, new) = runs.next().expect("two runs");
    assert_eq!(old.pop().as_deref(), Some("last"));
    for (lines, first) in [(old.clone(), old[0].parse::<usize>().expect("a number")), (new, 1)] {
        let numbers: Vec<usize> = lines.iter().map(|line| line.parse().expect("a number")).collect();
        assert!(numbers.iter().copied().eq(first..first + numbers.len()), "{numbers:?}");
    }
}

#[test]
fn what_the_engine_starts_again_is_read_on_from_where_it_was() {
    let place = Place::new();
    place.deploy(&["worker=1"], DYING, &Intent::Deploy).expect("it lives for a second");
    let lines = follow(&place);
    let mut seen: Vec<String> = Vec::new();
    while !seen.iter().any(|line| line == "over 3") {
        seen.push(next(&lines).1);
    }
    // How many lives were over before the follower began depends on the machine.
    let began = seen[0].rsplit(' ').next().and_then(|life| life.parse().ok()).expect("the number of a life");
    let all = (began..=3).flat_map(|life: usize| [format!("life {life}"), format!("over {life}")]);
    let all: Vec<String> = all.collect();
    assert!(all.ends_with(&seen) && seen.len() > 2, "{seen:?}");
}
