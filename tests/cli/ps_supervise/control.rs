//! The control socket: who may speak, and what bad clients can do.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use formation::{Slot, State};
use ps_supervisor::{Message, Request};

use crate::service::{DEADLINE, Service, eventually, pid};

fn connect(service: &Service) -> UnixStream {
    let stream = UnixStream::connect(service.path().join("control")).expect("it listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    stream
}

#[test]
fn the_socket_is_its_owners_alone() {
    let mut service = Service::new(&[]);
    service.start();
    let mode = std::fs::metadata(service.path().join("control")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_is_no_request_gets_one_answer_and_harms_nobody() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 1)]);
    service.start();
    for garbage in ["{}", "null", "{\"do\":\"dance\"}", "\u{0}\u{1}", "[[[[[[", "{\"do\":\"restart\"}"] {
        let mut stream = connect(&service);
        writeln!(stream, "{garbage}").expect("it reads");
        let mut answer = String::new();
        BufReader::new(&stream).read_line(&mut answer).expect("it answers");
        assert!(answer.contains("\"error\":\"not a request"), "{garbage:?}: {answer}");
    }
    service.await_status("web.1", "runs", |status| status.state == State::Running);
}

#[test]
fn a_line_without_end_is_cut_off() {
    let mut service = Service::new(&[]);
    service.start();
    let mut stream = connect(&service);
    let flood = vec![b'a'; 1 << 16];
    let written = (0..64).take_while(|_| stream.write_all(&flood).is_ok()).count();
    let mut rest = Vec::new();
    let is_closed = stream.read_to_end(&mut rest).map_or(true, |n| n == 0);
    assert!(is_closed && written < 64, "4 MiB of nonsense were taken");
    assert_eq!(service.ask(&Request::Apply), None);
}

#[test]
fn slow_clients_do_not_delay_a_good_one() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 1)]);
    service.start();
    let _slow: Vec<UnixStream> = (0..40)
        .map(|_| {
            let mut stream = connect(&service);
            stream.write_all(b"{\"do\":").expect("it reads");
            stream
        })
        .collect();
    let begin = Instant::now();
    assert_eq!(service.ask(&Request::Apply), None);
    assert!(begin.elapsed() < DEADLINE, "took {:?}", begin.elapsed());
}

#[test]
fn apply_starts_and_stops_only_what_changed() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 2), ("worker", "exec sleep 1000", 1)]);
    service.start();
    let runs = |service: &Service, slot: &str| {
        pid(&service.await_status(slot, "runs", |status| status.state == State::Running))
    };
    let (first, worker) = (runs(&service, "web.1"), runs(&service, "worker.1"));
    service.rewrite(|spec| spec.processes[0].quantity = 3);
    assert_eq!(service.ask(&Request::Apply), None);
    runs(&service, "web.3");
    service.rewrite(|spec| spec.processes[0].quantity = 1);
    assert_eq!(service.ask(&Request::Apply), None);
    eventually("the highest are gone", || {
        (service.status("web.2").is_none() && service.status("web.3").is_none()).then_some(())
    });
    assert_eq!((runs(&service, "web.1"), runs(&service, "worker.1")), (first, worker));
}

#[test]
fn a_spec_that_makes_no_sense_is_refused_and_the_old_one_stays() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 1)]);
    service.start();
    service.await_status("web.1", "runs", |status| status.state == State::Running);
    std::fs::write(service.path().join("spec2.json"), "{").expect("written");
    let error = service.ask(&Request::Apply).expect("an error");
    assert!(error.contains("spec2.json"), "{error}");
    assert_eq!(service.processes().len(), 1);
}

#[test]
fn a_restart_replaces_just_the_named_instances() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 2)]);
    service.start();
    let before = ["web.1", "web.2"]
        .map(|slot| pid(&service.await_status(slot, "runs", |s| s.state == State::Running)));
    let slot: Slot = "web.2".parse().expect("a slot");
    assert_eq!(service.ask(&Request::Restart { slots: vec![slot] }), None);
    service.await_status("web.2", "has another process", |status| {
        status.state == State::Running && pid(status) != before[1]
    });
    let first = service.status("web.1").expect("a status");
    assert_eq!((pid(&first), first.restarts), (before[0], 0));
}

#[test]
fn clients_that_say_nothing_do_not_lock_out_those_who_do() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 1)]);
    service.start();
    let mut watching = service.client();
    watching.send(&Request::Watch).expect("it reads");
    let silent: Vec<UnixStream> = (0..200).map(|_| connect(&service)).collect();
    assert_eq!(service.ask(&Request::Apply), None);
    // Those who asked for something before may be asked to leave too, but not whoever watches.
    let mut spoke: Vec<UnixStream> = (0..100).map(|_| connect(&service)).collect();
    for stream in &mut spoke {
        // It may have had to leave already.
        let _ = stream.write_all(b"{\"do\":\"spec\"}\n");
    }
    assert_eq!(service.ask(&Request::Apply), None);
    let slots = vec!["web.1".parse().expect("a slot")];
    assert_eq!(service.ask(&Request::Restart { slots }), None);
    let deadline = Instant::now() + DEADLINE;
    let mut has_heard = false;
    while !has_heard {
        let message = watching.next(deadline).expect("it was not sent away").expect("before the deadline");
        has_heard = matches!(message, Message::Instance(status) if status.state == State::Stopping);
    }
    drop(silent);
}

#[test]
fn what_only_a_later_version_knows_is_answered_and_what_it_says_is_passed_over() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 1)]);
    service.start();
    let mut stream = connect(&service);
    writeln!(stream, "{{\"do\":\"rollout\",\"lanes\":2}}").expect("it reads");
    writeln!(stream, "{{\"do\":\"apply\",\"version\":7,\"more\":[1]}}").expect("it reads");
    let mut answers = BufReader::new(&stream).lines();
    let first = answers.next().expect("an answer").expect("text");
    assert!(first.contains("not a request"), "{first}");
    let second = answers.next().expect("an answer").expect("text");
    assert_eq!(second, "{\"is\":\"reply\",\"error\":null}");
    for line in ["{\"is\":\"rollout\",\"lane\":2}", "{\"is\":\"instance\",\"state\":\"dancing\"}", "[]"] {
        let message: Message = serde_json::from_str(line).unwrap_or(Message::Unknown);
        assert_eq!(message, Message::Unknown, "{line}");
    }
}

#[test]
fn a_supervisor_says_its_spec_and_stops_without_any_file() {
    let mut service = Service::new(&[("web", "exec sleep 1000", 2)]);
    service.start();
    for slot in ["web.1", "web.2"] {
        service.await_status(slot, "runs", |status| status.state == State::Running);
    }
    std::fs::write(service.path().join("spec2.json"), "{").expect("written");
    let mut client = service.client();
    client.send(&Request::Spec).expect("it reads");
    let told = client.next(Instant::now() + DEADLINE).expect("it answers");
    assert!(matches!(told, Some(Message::Spec { spec }) if spec.processes[0].quantity == 2));
    let slots: Vec<Slot> = vec!["web.2".parse().expect("a slot")];
    assert_eq!(service.ask(&Request::Stop { slots: slots.clone(), grace_seconds: Some(1) }), None);
    service.await_status("web.2", "is stopped", |status| status.state == State::Stopped);
    // What was asked for is written down: the spec can be read again.
    let spec = ps_supervisor::Spec::read(service.path()).expect("a spec");
    assert_eq!((spec.stopped, spec.stop_timeout_seconds), (slots, 1));
    assert_eq!(service.ask(&Request::End { grace_seconds: Some(1) }), None);
    assert!(service.await_end().success());
    assert_eq!(service.processes(), Vec::<u32>::new());
    let spec = ps_supervisor::Spec::read(service.path()).expect("a spec");
    assert!(spec.wanted().is_empty(), "{:?}", spec.stopped);
}
