//! The program, or the engine, dies at any call of any verb: the same verb again makes what runs what is wanted, and leaves nothing
//! else.

use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::between::{Between, Fate};
use super::private::PrivateEngine;
use super::verbs::{CHANGES, ENGINE, Place, Verb, WITH_TASKS, each_holds, has_engine};
use super::{is_long, piece, sample, took};
use crate::home::eventually;
use crate::registry::docker;

/// How many points of each verb are tried in a plain run.
const PLAIN: usize = 1;
/// How many of a deploy with tasks.
const PLAIN_TASKS: usize = 4;
/// How many verbs are tried at a time.
const AT_A_TIME: usize = 4;
/// How many engines die at a time in a long run.
const ENGINES: usize = 3;
/// How many verbs each of the other two tests takes in a plain run; one test takes those that the others leave.
const PLAIN_VERBS: usize = 2;

/// The calls that the verb makes: of each, whether it changes something.
fn calls(place: &Place<'_>, engine: &Path, verb: &Verb) -> Vec<bool> {
    place.prepare(verb);
    let calls: Arc<Mutex<Vec<bool>>> = Arc::default();
    let noted = Arc::clone(&calls);
    let rule = move |kind: &str| {
        noted.lock().expect("nobody panics").push(!kind.starts_with("GET "));
        Fate::Passes
    };
    let between = Between::new(place.home.path("count.sock"), engine, Box::new(rule));
    let ran = place.run_through(verb.words, &between);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    place.is_as_wanted(verb, "nobody died");
    let calls = calls.lock().expect("nobody panics").clone();
    assert!(!calls.is_empty(), "{:?} called nobody", verb.words);
    calls
}

/// Some of the points at which somebody can die: at this call, and whether it is done, which makes no difference where it only looks.
/// Each verb has others.
fn points(verb: &Verb, calls: &[bool]) -> Vec<(usize, bool)> {
    let nth = CHANGES.iter().position(|change| change == verb).expect("it is one of them");
    // Three apart, so that verbs that follow each other do not die at places that do.
    piece(&of_calls(calls), PLAIN, (nth * 3 % CHANGES.len(), CHANGES.len()))
}

fn of_calls(calls: &[bool]) -> Vec<(usize, bool)> {
    let of_call = |(call, changes): (usize, &bool)| {
        [(call, false)].into_iter().chain(changes.then_some((call, true))).collect::<Vec<_>>()
    };
    (1..).zip(calls).flat_map(of_call).collect()
}

/// The program dies at this call: before the engine hears of it, or when the engine has done it.
fn we_die(place: &Place<'_>, verb: &Verb, call: usize, is_done: bool) {
    let what = format!("{:?}, killed at call {call}, done: {is_done}", verb.words);
    took(&what);
    place.prepare(verb);
    let dying: Arc<Mutex<Option<Child>>> = Arc::default();
    let victim = Arc::clone(&dying);
    let mut count = 0;
    let rule = move |_: &str| {
        count += 1;
        if count != call {
            return Fate::Passes;
        }
        let victim = Arc::clone(&victim);
        let kill = move || {
            let mut victim = victim.lock().expect("nobody panics");
            victim.as_mut().expect("it was started under the lock").kill().expect("it is ours");
        };
        if is_done {
            return Fate::PassesInVain(Box::new(kill));
        }
        kill();
        Fate::Fails(super::between::Failure::HangsUp)
    };
    let socket = place.home.path(&format!("{call}-{is_done}.sock"));
    let between = Between::new(socket, Path::new(ENGINE), Box::new(rule));
    let mut command = place.command(verb.words, &between.host());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut victim = dying.lock().expect("nobody panics");
    *victim = Some(command.spawn().expect("it starts"));
    drop(victim);
    loop {
        let mut victim = dying.lock().expect("nobody panics");
        if victim.as_mut().expect("it was started").try_wait().expect("it is ours").is_some() {
            break;
        }
        drop(victim);
        thread::sleep(std::time::Duration::from_millis(5));
    }
    place.does_again(verb, &what);
    place.is_as_wanted(verb, &what);
}

#[test]
fn a_program_that_is_killed_at_any_call_leaves_what_the_same_verb_again_makes_right() {
    if !has_engine() {
        return;
    }
    thread::scope(|scope| {
        for verbs in CHANGES.chunks(CHANGES.len().div_ceil(AT_A_TIME)) {
            scope.spawn(move || {
                for verb in &sample(verbs, 1, (0, 2)) {
                    let points =
                        points(verb, &calls(&Place::new(Path::new(ENGINE)), Path::new(ENGINE), verb));
                    each_holds(Path::new(ENGINE), &points, |place, (call, is_done)| {
                        we_die(place, verb, *call, *is_done);
                    });
                }
            });
        }
    });
}

#[test]
fn a_deploy_with_tasks_that_is_killed_at_any_call_leaves_what_the_same_deploy_again_makes_right() {
    if !has_engine() {
        return;
    }
    let place = Place::new(Path::new(ENGINE));
    place.make_source();
    let all = of_calls(&calls(&place, Path::new(ENGINE), &WITH_TASKS));
    docker(&["rmi", "-f", &format!("formation-test/{}", place.app)]);
    drop(place);
    each_holds(Path::new(ENGINE), &piece(&all, PLAIN_TASKS, (1, 2)), |place, (call, is_done)| {
        place.make_source();
        we_die(place, &WITH_TASKS, *call, *is_done);
        docker(&["rmi", "-f", &format!("formation-test/{}", place.app)]);
    });
}

/// The images of the app that have no name.
fn nameless(place: &Place<'_>) -> Vec<String> {
    let whose = format!("com.formation.built={} of {}", place.app, place.home.path("home").display());
    let words = ["images", "-q", "--filter", "dangling=true", "--filter", &format!("label={whose}")];
    docker(&words).lines().map(str::to_owned).collect()
}

/// The deploy dies once the engine has made an image of what predeploy changed, which then has no name.
fn dies_before_naming(place: &Place<'_>) {
    let tagged = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&tagged);
    let rule = move |kind: &str| {
        let is_tag = kind == "POST images/*/tag";
        seen.fetch_or(is_tag, Ordering::SeqCst);
        if is_tag { Fate::Fails(super::between::Failure::Hangs) } else { Fate::Passes }
    };
    let between = Between::new(place.home.path("tag.sock"), Path::new(ENGINE), Box::new(rule));
    let mut command = place.command(WITH_TASKS.words, &between.host());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut victim = command.spawn().expect("it starts");
    eventually("an image is to be named", || {
        if tagged.load(Ordering::SeqCst) { Ok(()) } else { Err("it is not".to_owned()) }
    });
    victim.kill().expect("it is ours");
    victim.wait().expect("it is ours");
    assert_eq!(nameless(place).len(), 1);
}

#[test]
fn an_image_that_a_deploy_died_before_naming_goes_with_the_next_deploy_with_retire_and_with_destroy() {
    if !has_engine() {
        return;
    }
    let place = Place::new(Path::new(ENGINE));
    place.make_source();
    for words in [WITH_TASKS.words, &["ps-lifecycle", "retire", "APP"], &["ps-lifecycle", "destroy", "APP"]] {
        place.does(WITH_TASKS.words, "prepare");
        dies_before_naming(&place);
        place.does(words, "it is collected");
        assert_eq!(nameless(&place), Vec::<String>::new(), "after {words:?}");
    }
    docker(&["rmi", "-f", &format!("formation-test/{}", place.app)]);
}

/// The engine dies at this call, and is started again once the program is back.
fn the_engine_dies(place: &Place<'_>, engine: &PrivateEngine, verb: &Verb, call: usize, is_done: bool) {
    let what = format!("{:?}, engine killed at call {call}, done: {is_done}", verb.words);
    took(&what);
    place.prepare(verb);
    let mut count = 0;
    let pid = engine.pid();
    let rule = move |_: &str| {
        count += 1;
        if count != call {
            return Fate::Passes;
        }
        let kill = move || {
            // It may be dead.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        };
        if is_done {
            return Fate::PassesInVain(Box::new(kill));
        }
        kill();
        Fate::Fails(super::between::Failure::HangsUp)
    };
    let socket = place.home.path(&format!("{call}-{is_done}.sock"));
    let between = Between::new(socket, engine.socket(), Box::new(rule));
    let ran = place.run_through(verb.words, &between);
    assert!(!ran.stderr.contains("panicked"), "{what}: {ran:?}");
    engine.start_again();
    place.does_again(verb, &what);
    place.is_as_wanted(verb, &what);
}

#[test]
fn an_engine_that_is_killed_at_any_call_leaves_what_the_same_verb_again_makes_right() {
    if !has_engine() {
        return;
    }
    let verbs = sample(&CHANGES, PLAIN_VERBS, (1, 4));
    let engines = if is_long() { ENGINES } else { 1 };
    thread::scope(|scope| {
        for verbs in verbs.chunks(verbs.len().div_ceil(engines)) {
            scope.spawn(move || {
                let Some(engine) = PrivateEngine::start() else { return };
                for verb in verbs {
                    let calls = calls(&Place::new(engine.socket()), engine.socket(), verb);
                    each_holds(engine.socket(), &points(verb, &calls), |place, (call, is_done)| {
                        the_engine_dies(place, &engine, verb, *call, *is_done);
                    });
                }
            });
        }
    });
}

#[test]
fn what_dies_in_one_world_never_touches_the_containers_of_another_with_the_same_app() {
    if !has_engine() {
        return;
    }
    let one = Place::new(Path::new(ENGINE));
    let other = Place::of(one.app.clone(), Path::new(ENGINE));
    let deploy = &CHANGES[1];
    one.prepare(deploy);
    let before = (one.running(), one.containers());
    assert_eq!(before.0.len(), 2);
    for verb in &sample(&CHANGES, PLAIN_VERBS, (3, 4)) {
        let calls = calls(&other, Path::new(ENGINE), verb);
        for (call, is_done) in points(verb, &calls) {
            we_die(&other, verb, call, is_done);
            assert_eq!((one.running(), one.containers()), before, "{:?}, call {call}", verb.words);
        }
    }
    let left = other.containers();
    one.does(&["ps-lifecycle", "restart", "APP"], "beside the other");
    one.does(&["ps-lifecycle", "retire"], "beside the other");
    one.does(&["ps-lifecycle", "destroy", "APP"], "beside the other");
    assert_eq!((other.containers(), one.containers()), (left, vec![]));
}
