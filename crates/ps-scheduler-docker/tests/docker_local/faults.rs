//! An engine that fails at one call in the middle of a deploy: the deploy comes to an end, its error names the call, the old instances
//! run until the commit, and the next deploy repairs everything.

use std::io::Write;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use engine_proxy::head_and_body;
use ps_rollout::Strategy;
use ps_scheduler::{Cancel, Error, FailedSlot, Intent, Requester, Running, Scheduler};

use crate::deaths::is_right;
use crate::place::{Place, SERVER, SOCKET, command, require_engine};

/// How the engine fails.
#[derive(Clone, Copy, Debug)]
enum Failure {
    /// It answers with this status.
    Answers(u16),
    /// It sends nothing and closes the connection.
    HangsUp,
    /// It sends something that is no answer of an engine.
    Babbles,
}

const FAILURES: [Failure; 4] =
    [Failure::Answers(500), Failure::HangsUp, Failure::Answers(409), Failure::Babbles];
/// The words in an error that name the failed call.
const CALLS: [&str; 9] =
    ["list", "create", "start", "look at", "restart policy", "describe", "stop", "end container", "remove"];
/// The error if the engine answered a start with 200, but started nothing.
const LIED: &str = "ended in its first second";

/// Which calls are counted: a deploy lists its containers again and again.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Counted {
    Lists,
    Others,
}

/// A proxy between a scheduler and the real engine, which does not pass on the call with this number, counted from 1. The result says
/// whether that call came.
fn failing_proxy(socket: &Path, counted: Counted, failing: usize, failure: Failure) -> Arc<AtomicBool> {
    let listener = UnixListener::bind(socket).expect("a socket");
    let has_failed = Arc::new(AtomicBool::new(false));
    let failed = Arc::clone(&has_failed);
    thread::spawn(move || {
        let mut calls = 0;
        for client in listener.incoming().flatten() {
            let request = head_and_body(&client);
            let is_list = request.starts_with(b"GET /containers/json");
            calls += usize::from(is_list == (counted == Counted::Lists));
            if calls == failing && !failed.swap(true, Ordering::Relaxed) {
                fail(&client, failure);
                continue;
            }
            let mut engine = UnixStream::connect(SOCKET).expect("the engine");
            engine.write_all(&request).expect("takes the request");
            thread::spawn(move || std::io::copy(&mut engine, &mut &client));
        }
    });
    has_failed
}

fn fail(mut client: &UnixStream, failure: Failure) {
    let body = match failure {
        Failure::Answers(_) => "{\"message\":\"made up\"}",
        Failure::HangsUp => return,
        Failure::Babbles => "<html>hello</html>",
    };
    let status = if let Failure::Answers(status) = failure { status } else { 200 };
    let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    // The client may be gone already.
    let _ = client.write_all(answer.as_bytes());
}

/// Has these calls of a deploy fail, each in another way.
fn each_failure_is_survived(strategy: Strategy, counted: Counted, calls: impl Iterator<Item = usize>) {
    let mut place = Place::new();
    place.strategy = Some(strategy);
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    for failing in calls {
        let failure = FAILURES[failing % FAILURES.len()];
        let what = format!("{strategy:?}, {counted:?} {failing}: {failure:?}");
        let before = place.ids();
        let socket = place.dir.path().join(format!("{counted:?}-{failing}.sock"));
        let has_failed = failing_proxy(&socket, counted, failing, failure);
        let plan = place.plan(&["web=1"], SERVER, &Intent::Deploy);
        let mut requester = Requester { tell: &mut |_| (), cancel: &Cancel::default(), lock: None };
        let deployed = place.through(&socket).docker.deploy(&plan, &mut requester);
        let has_failed = has_failed.load(Ordering::Relaxed);
        if let Err(error) = &deployed {
            assert!(has_failed, "{what}: {error}");
            let text = error.to_string();
            let is_named = CALLS.iter().any(|call| text.contains(call));
            let is_a_lie = matches!(failure, Failure::Babbles) && text.contains(LIED);
            assert!(is_named || is_a_lie, "{what}: which call failed? {text}");
            if strategy == Strategy::Overlap {
                assert_eq!(place.ids(), before, "{what}: {text}");
            }
            assert_eq!(place.status().running(), Running::True, "{what}: {text}");
        }
        place.deploy(&["web=1"], SERVER, &Intent::Deploy).unwrap_or_else(|error| panic!("{what}: {error}"));
        is_right(&place, failing);
        if !has_failed {
            return;
        }
    }
}

#[test]
fn an_engine_that_fails_at_any_call_is_named_with_it_and_the_next_deploy_makes_it_right() {
    require_engine();
    let (others, lists) = if std::env::var_os("FORMATION_TEST_LONG").is_some() { (1, 1) } else { (5, 6) };
    thread::scope(|scope| {
        for strategy in [Strategy::Overlap, Strategy::StopFirst] {
            scope.spawn(move || each_failure_is_survived(strategy, Counted::Others, (1..60).step_by(others)));
        }
        scope.spawn(move || {
            each_failure_is_survived(Strategy::Overlap, Counted::Lists, (1..12).step_by(lists));
        });
    });
}

/// A proxy before the real engine that kills a container when it is to get its restart policy, before the engine gets the call.
fn killing_proxy(socket: &Path) {
    let listener = UnixListener::bind(socket).expect("a socket");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let request = head_and_body(&client);
            let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
            if let Some((start, _)) = line.split_once("/update") {
                let id = start.rsplit('/').next().expect("an id");
                // The call comes again before the container is removed; then it is dead already.
                let _ = command(&["kill", id]);
            }
            let mut engine = UnixStream::connect(SOCKET).expect("the engine");
            engine.write_all(&request).expect("takes the request");
            thread::spawn(move || std::io::copy(&mut engine, &mut &client));
        }
    });
}

#[test]
fn a_container_that_dies_between_its_gate_and_its_record_fails_the_deploy_with_its_slot() {
    require_engine();
    let place = Place::new();
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    let before = place.ids();
    let socket = place.dir.path().join("killing.sock");
    killing_proxy(&socket);
    let plan = place.plan(&["web=1"], "echo so far; httpd -f -p $PORT", &Intent::Deploy);
    let mut requester = Requester { tell: &mut |_| (), cancel: &Cancel::default(), lock: None };
    let error = place.through(&socket).docker.deploy(&plan, &mut requester).expect_err("it dies");
    let Error::DeployFailed { failed, .. } = &error else { panic!("{error}") };
    let [FailedSlot { slot, reason }] = failed.as_slice() else { panic!("{error}") };
    assert_eq!(slot.to_string(), "web.1");
    assert!(reason.contains("signal 9") && reason.contains("so far"), "{reason}");
    assert_eq!((place.ids(), place.status().running()), (before, Running::True));
}
