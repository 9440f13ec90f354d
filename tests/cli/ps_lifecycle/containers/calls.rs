//! Any call of any verb fails in any way: the verb is back in time and says which call it was and whom it asked, and the same verb
//! again makes everything right.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use super::between::{Between, Failure, Fate};
use super::verbs::{CHANGES, ENGINE, GRACE, LOOKS, Place, Verb, each_holds, has_engine};
use super::{is_long, piece, sample, took};

const QUICK: [Failure; 5] =
    [Failure::HangsUp, Failure::Babbles, Failure::Answers(500), Failure::Answers(404), Failure::Answers(409)];
const SLOW: [Failure; 2] = [Failure::Hangs, Failure::Trickles];
/// How many of each are tried in a plain run.
const PLAIN_QUICK: usize = 5;
/// How many of the verbs that change something are tried in a plain run; programs and engines die in all of them.
const PLAIN_CHANGES: usize = 4;
/// How late a busy machine may be.
const BUSY: Duration = Duration::from_secs(8);
/// How many things are tried at a time; waiting for a deadline costs nothing.
const AT_A_TIME: usize = 3;
const WAITING_AT_A_TIME: usize = 24;

/// What a call is called in messages, and its deadline.
fn said_of(kind: &str) -> (&'static str, Duration) {
    let (said, seconds) = match kind {
        "GET containers/json" => ("list containers", 10),
        "POST containers/create" => ("create a container", 60),
        "POST containers/*/start" => ("start a container", 60),
        "GET containers/*/json" => ("describe a container", 10),
        "POST containers/*/update" => ("change a restart policy", 10),
        "POST containers/*/stop" => ("stop a container", GRACE + 30),
        "POST containers/*/kill" => ("kill a container", 10),
        "POST containers/*/rename" => ("rename a container", 10),
        "DELETE containers/*" => ("remove a container", 60),
        "GET containers/*/logs" => ("read a log", 10),
        "GET containers/*/top" => ("list processes", 10),
        "GET events" => ("tell what happens to containers", 10),
        "GET containers/*/archive" => ("copy a file", 60),
        "GET images/json" => ("list images", 10),
        "DELETE images/*" => ("remove an image", 60),
        "GET networks/*" => ("describe a network", 10),
        "POST networks/*/connect" => ("join a network", 60),
        "GET info" => ("describe the engine", 10),
        "POST networks/create" => ("make a network", 60),
        "DELETE networks/*" => ("remove a network", 60),
        "GET images/*/json" => ("describe an image", 10),
        other => panic!("{other} has no deadline here: write down which it has"),
    };
    (said, Duration::from_secs(seconds))
}

/// Whether a plain run waits for its deadline.
fn is_short(kind: &str) -> bool {
    said_of(kind).1 < Duration::from_secs(30)
}

/// One verb whose calls of one kind fail in one way.
#[derive(Clone)]
struct Trial {
    verb: Verb,
    kind: String,
    failure: Failure,
}

/// Which kinds of calls each verb makes.
fn kinds(place: &Place<'_>, verb: &Verb) -> Vec<String> {
    place.prepare(verb);
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let noted = Arc::clone(&seen);
    let rule = move |kind: &str| {
        noted.lock().expect("nobody panics").insert(kind.to_owned());
        Fate::Passes
    };
    let socket = place.home.path("seen.sock");
    let between = Between::new(socket, Path::new(ENGINE), Box::new(rule));
    let ran = place.run_through(verb.words, &between);
    assert_eq!(ran.status, Some(0), "{:?}: {ran:?}", verb.words);
    place.is_as_wanted(verb, "nothing failed");
    let seen = seen.lock().expect("nobody panics");
    assert!(!seen.is_empty(), "{:?} called nobody", verb.words);
    seen.iter().cloned().collect()
}

/// Which calls there are, found out once by several at a time.
fn called() -> &'static [(Verb, Vec<String>)] {
    static CALLED: OnceLock<Vec<(Verb, Vec<String>)>> = OnceLock::new();
    CALLED.get_or_init(|| {
        let verbs: Vec<Verb> = sample(&CHANGES, PLAIN_CHANGES, (1, 2)).into_iter().chain(LOOKS).collect();
        thread::scope(|scope| {
            let parts = verbs.chunks(verbs.len().div_ceil(AT_A_TIME)).map(|part| {
                scope.spawn(move || {
                    let place = Place::new(Path::new(ENGINE));
                    part.iter().map(|verb| (*verb, kinds(&place, verb))).collect::<Vec<_>>()
                })
            });
            let parts: Vec<_> = parts.collect();
            parts.into_iter().flat_map(|part| part.join().expect("every verb works")).collect()
        })
    })
}

/// Everything that could be tried with these failures.
fn trials(failures: &[Failure]) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (verb, kinds) in called() {
        for kind in kinds {
            let trial = |failure: &Failure| Trial { verb: *verb, kind: kind.clone(), failure: *failure };
            trials.extend(failures.iter().map(trial));
        }
    }
    trials
}

fn try_one(place: &Place<'_>, trial: &Trial) {
    let Trial { verb, kind, failure } = trial;
    let what = format!("{:?}, {kind}, {failure:?}", verb.words);
    took(&what);
    place.prepare(verb);
    // What follows for longer than the deadline would otherwise be over before.
    place.soon.set(if failure.is_slow() { 15 } else { 2 });
    let (meant, fails) = (kind.clone(), *failure);
    let rule = move |kind: &str| if kind == meant { Fate::Fails(fails) } else { Fate::Passes };
    let between = Between::new(place.home.path("failing.sock"), Path::new(ENGINE), Box::new(rule));
    let ran = place.run_through(verb.words, &between);
    let (said, deadline) = said_of(kind);
    let waited = between.waited();
    // Whoever follows a log that comes line by line, however slowly, waits as long as was asked for.
    let is_followed = *failure == Failure::Trickles && kind.ends_with("/logs") && verb.words.contains(&"-f");
    let is_in_time = is_followed || waited < deadline + Duration::from_secs(1) + BUSY;
    assert!(is_in_time, "{what}: {waited:?}: {ran:?}");
    assert!(!ran.stderr.contains("panicked"), "{what}: {ran:?}");
    // An engine that answers a start with 200 and did not start anything is found out by what it lists. One that says that it does
    // not have the image is asked to pull it, and says why it cannot.
    let is_lie = *failure == Failure::Babbles && ran.stderr.contains("ended in its first second")
        || *failure == Failure::Answers(404) && ran.stderr.contains("pull the image");
    if ran.status != Some(0) && !is_lie {
        let socket = "failing.sock";
        assert!(ran.stderr.contains(said), "{what}: which call failed? {ran:?}");
        assert!(ran.stderr.contains(socket), "{what}: whom did it ask? {ran:?}");
    }
    drop(between);
    place.soon.set(2);
    place.does_again(verb, &what);
    // Nothing depends on a name, and a verb that finds nothing to do leaves them alone.
    if kind.ends_with("/rename") {
        place.does(&["ps-lifecycle", "restart", "APP"], &what);
    }
    place.is_as_wanted(verb, &what);
}

fn try_all(trials: &[Trial], at_a_time: usize) {
    let each = trials.len().div_ceil(at_a_time).max(1);
    thread::scope(|scope| {
        for part in trials.chunks(each) {
            scope.spawn(move || each_holds(Path::new(ENGINE), part, try_one));
        }
    });
}

#[test]
fn an_engine_that_fails_at_any_kind_of_call_is_named_with_it_and_the_same_verb_again_makes_it_right() {
    if has_engine() {
        try_all(&piece(&trials(&QUICK), PLAIN_QUICK, (1, 2)), AT_A_TIME);
    }
}

#[test]
fn a_container_that_an_engine_only_says_it_has_removed_is_removed_by_the_same_verb_again() {
    if has_engine() {
        let [_, _, _, _, fewer, _, _, destroy] = CHANGES;
        for (verb, failure) in [(fewer, Failure::Babbles), (destroy, Failure::Answers(404))] {
            let trial = Trial { verb, kind: "DELETE containers/*".to_owned(), failure };
            try_one(&Place::new(Path::new(ENGINE)), &trial);
        }
    }
}

#[test]
fn an_engine_that_hangs_or_trickles_costs_one_deadline_whatever_it_was_asked() {
    if !has_engine() {
        return;
    }
    let mut trials = trials(&SLOW);
    if is_long() {
        trials = piece(&trials, trials.len(), (0, 1));
    } else {
        // One of each kind of call that has a short deadline, of the verbs that only look where they make it.
        let mut kinds = BTreeMap::new();
        for trial in trials.into_iter().rev() {
            if is_short(&trial.kind) {
                let is_turn = kinds.len() % 2 == usize::from(trial.failure == Failure::Trickles);
                if is_turn {
                    kinds.entry(trial.kind.clone()).or_insert(trial);
                }
            }
        }
        trials = kinds.into_values().collect();
    }
    try_all(&trials, WAITING_AT_A_TIME);
}

#[test]
fn an_engine_that_falls_silent_for_good_in_the_middle_of_a_deploy_costs_one_deadline() {
    if !has_engine() {
        return;
    }
    let deploy = &CHANGES[1];
    let points: Vec<usize> =
        if is_long() { piece(&(1..24).collect::<Vec<_>>(), 24, (0, 1)) } else { vec![4, 11] };
    thread::scope(|scope| {
        for point in points {
            scope.spawn(move || {
                let place = Place::new(Path::new(ENGINE));
                place.prepare(deploy);
                let mut calls = 0;
                let last = Arc::new(Mutex::new(String::new()));
                let noted = Arc::clone(&last);
                let rule = move |kind: &str| {
                    calls += 1;
                    let mut last = noted.lock().expect("nobody panics");
                    // A plain run waits for no long deadline.
                    let is_too_long = last.is_empty() && !is_long() && !is_short(kind);
                    if calls < point || is_too_long {
                        return Fate::Passes;
                    }
                    if last.is_empty() {
                        kind.clone_into(&mut last);
                    }
                    Fate::Fails(Failure::Hangs)
                };
                let between = Between::new(place.home.path("silent.sock"), Path::new(ENGINE), Box::new(rule));
                let ran = place.run_through(deploy.words, &between);
                let what = format!("silent from call {point} on ({})", last.lock().expect("nobody panics"));
                took(&what);
                // A list and a start may be under way at the same time: the longer deadline counts.
                let (waited, most) = (between.waited(), Duration::from_secs(60 + 1) + BUSY);
                assert!(waited < most, "{what}: {waited:?}: {ran:?}");
                assert!(ran.status == Some(0) || ran.stderr.contains("silent.sock"), "{what}: {ran:?}");
                place.does(deploy.words, &what);
                place.is_as_wanted(deploy, &what);
            });
        }
    });
}
