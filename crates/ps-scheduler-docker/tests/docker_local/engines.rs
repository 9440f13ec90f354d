//! Engines that do not exist, never answer, answer nonsense, or cannot do what they are asked.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use engine_proxy::head_and_body;
use formation::{AppName, State, Which};
use ps_scheduler::{Error, Scheduler, Stopped};

use crate::place::{Place, shop};

#[test]
fn an_app_without_records_needs_no_engine() {
    let place = Place::on("shop", Some(Path::new("/nowhere/docker.sock")));
    assert_eq!(place.status().instances, []);
    assert_eq!(place.stop(Which::All, false).expect("nothing to stop"), Stopped::default());
    assert_eq!(place.stop(Which::All, true).expect("nothing to remove"), Stopped::default());
}

#[test]
fn an_absent_engine_is_said_at_once_with_its_socket_and_the_way_out() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let file = dir.path().join("file.sock");
    fs::write(&file, "").expect("a file that is no socket");
    let dead = dir.path().join("dead.sock");
    drop(UnixListener::bind(&dead).expect("a socket"));
    for socket in [dir.path().join("none.sock"), file, dead] {
        let place = Place::on("shop", Some(&socket));
        let record = place.app_dir().join("CONTAINER.web.1");
        fs::write(&record, "a".repeat(64)).expect("a record");
        let begin = Instant::now();
        let error = place.docker.status(&[shop()]).expect_err("nobody is there");
        // Waiting for an answer would take ten seconds.
        assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");
        let error = error.to_string();
        assert!(error.contains(&socket.display().to_string()) && error.contains("DOCKER_HOST"), "{error}");
        assert!(
            place.stop(Which::All, true).is_err() && record.exists(),
            "a record went although nobody was asked"
        );
    }
}

#[test]
fn an_engine_that_takes_the_call_and_never_answers_is_given_up_in_time() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let socket = dir.path().join("mute.sock");
    let _mute = UnixListener::bind(&socket).expect("a socket");
    let place = Place::on("shop", Some(&socket));
    fs::write(place.app_dir().join("CONTAINER.web.1"), "a".repeat(64)).expect("a record");
    let begin = Instant::now();
    let error = place.docker.status(&[shop()]).expect_err("nobody answers");
    // One call takes ten seconds, and a second one would take the same time again.
    assert!(begin.elapsed() < Duration::from_secs(19), "{:?}", begin.elapsed());
    assert!(matches!(error, Error::Unreachable { .. }) && error.to_string().contains("mute.sock"), "{error}");
}

#[test]
fn an_engine_that_answers_nonsense_or_breaks_off_is_an_error_of_one_line() {
    for (answer, word) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<html></h", "Docker engine"),
        ("HTTP/1.1 500 Oops\r\nContent-Length: 23\r\n\r\n{\"message\":\"disk full\"}", "disk full"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n[{", "broke off"),
        ("nonsense\r\n\r\n", "Docker engine"),
        ("", "broke off"),
    ] {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let socket = dir.path().join("odd.sock");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let server = thread::spawn(move || answer_once(&listener, answer));
        let place = Place::on("shop", Some(&socket));
        fs::write(place.app_dir().join("CONTAINER.web.1"), "a".repeat(64)).expect("a record");
        let error = place.docker.status(&[shop()]).expect_err("no list").to_string();
        assert!(error.contains(word) && !error.contains('\n'), "{answer:?} gave {error}");
        server.join().expect("the server ends");
    }
}

#[test]
fn an_engine_whose_answer_has_no_end_is_given_up_before_it_fills_the_memory() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let socket = dir.path().join("endless.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a call");
        let piece = vec![b'['; 1 << 16];
        let mut writing = &stream;
        writing.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("takes the head");
        let mut written = 0;
        while let Ok(more) = writing.write(&piece) {
            written += more;
        }
        written
    });
    let place = Place::on("shop", Some(&socket));
    fs::write(place.app_dir().join("CONTAINER.web.1"), "a".repeat(64)).expect("a record");
    let error = place.docker.status(&[shop()]).expect_err("no list").to_string();
    assert!(error.contains("endless.sock") && error.contains("list containers"), "{error}");
    drop(place);
    let written = server.join().expect("the server ends");
    assert!(written < 80 << 20, "{} MiB were read", written >> 20);
}

#[test]
fn the_status_of_all_apps_is_one_request_and_names_no_version() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let socket = dir.path().join("counted.sock");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let server =
        thread::spawn(move || answer_once(&listener, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"));
    let place = Place::on("shop", Some(&socket));
    let apps: Vec<AppName> = (0..30).map(|n| format!("app{n}").parse().expect("a legal name")).collect();
    for app in &apps {
        let app_dir = place.dir.path().join("home").join(app.as_str());
        fs::create_dir(&app_dir).expect("an app");
        fs::write(app_dir.join("CONTAINER.web.1"), "a".repeat(64)).expect("a record");
    }
    let all = place.docker.status(&apps).expect("tells the status");
    assert_eq!(all.len(), 30);
    assert!(all.iter().all(|app| app.instances[0].state == State::Missing));
    let request = server.join().expect("the server ends");
    assert!(request.starts_with("GET /containers/json?all=true&"), "{request}");
}

/// Answers the first connection and closes. Returns the first line of the request. A second request finds no
/// listener.
fn answer_once(listener: &UnixListener, answer: &str) -> String {
    let (stream, _) = listener.accept().expect("a call");
    let mut lines = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut first = String::new();
    lines.read_line(&mut first).expect("a request");
    let mut line = String::new();
    while lines.read_line(&mut line).expect("a header") > 2 {
        line.clear();
    }
    // A client that only wanted the head may be gone already.
    let _ = (&stream as &UnixStream).write_all(answer.as_bytes());
    first
}

/// An engine with prepared answers: the status and body of the first rule whose word is in the request line.
fn scripted(socket: &Path, rules: &'static [(&'static str, u16, &'static str)]) {
    let listener = UnixListener::bind(socket).expect("a socket");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let request = head_and_body(&stream);
            let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default().to_vec();
            let line = String::from_utf8_lossy(&line);
            let rule = rules.iter().find(|(word, ..)| line.contains(word));
            let (status, body) =
                rule.map_or((404, "{\"message\":\"no rule\"}"), |(_, status, body)| (*status, *body));
            let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _ = (&stream).write_all(answer.as_bytes());
        }
    });
}

#[test]
fn an_instance_that_the_engine_cannot_stop_is_said_to_remain_and_stays_recorded() {
    let dir = tempfile::tempdir().expect("a directory for the test");
    let socket = dir.path().join("scripted.sock");
    scripted(
        &socket,
        &[
            ("GET /containers/json", 200, "[]"),
            ("GET /containers/aaaa", 200, "{\"State\":{\"Running\":true}}"),
            ("GET /containers/bbbb", 200, "{\"State\":{\"Running\":false}}"),
            ("/update", 200, "{}"),
            ("/stop", 500, "{\"message\":\"tried to kill container, but did not receive an exit event\"}"),
            ("/kill", 500, "{\"message\":\"no\"}"),
            ("DELETE", 204, ""),
        ],
    );
    let place = Place::on("shop", Some(&socket));
    for (record, digit) in [("CONTAINER.web.1", "a"), ("CONTAINER.web.2", "b")] {
        fs::write(place.app_dir().join(record), digit.repeat(64)).expect("a record");
    }
    let stopped = place.stop(Which::All, true).expect("tells what happened");
    let [(slot, reason)] = &stopped.remaining[..] else { panic!("{stopped:?}") };
    assert_eq!((slot.to_string().as_str(), stopped.ended.len()), ("web.1", 0));
    assert!(reason.contains("did not receive an exit event"), "{reason}");
    assert!(place.app_dir().join("CONTAINER.web.1").exists(), "it runs, but its record is gone");
    assert!(!place.app_dir().join("CONTAINER.web.2").exists(), "it had ended, but its record is left");
}
