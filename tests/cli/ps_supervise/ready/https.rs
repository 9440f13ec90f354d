//! Checks that are asked by https.

use std::fs;
use std::time::Duration;

use formation::State;
use ps_supervisor::{Ask, Check, Checks, Get, Health, Scheme};
use rustix::process::{Pid, Signal, kill_process};

use super::{LONG, check, get, listening, running, starts_with, web};
use crate::service::{eventually, pid};

/// `/health` by https, with `ok` in its answer.
fn by_https(content: &str) -> Check {
    let (scheme, path, content) = (Scheme::Https, "/health".to_owned(), content.to_owned());
    check(Ask::Get(Get { scheme, path, content, ..Get::default() }))
}

#[test]
fn a_get_by_https_is_answered_by_a_server_with_tls_and_with_the_content_that_is_asked_for() {
    let mut service = web("faultapp --listen --tls --listen-after 50", starts_with(vec![by_https("ok")]));
    service.start();
    let ready = service.await_status("web.1", "is ready", running);
    assert_eq!((ready.restarts, ready.reason.as_deref()), (0, None));
    eventually("only its own process is left", || (service.processes() == [pid(&ready)]).then_some(()));
}

#[test]
fn what_a_get_by_https_or_by_http_meets_instead_is_told_with_what_to_do() {
    let short = || Check { timeout: Duration::from_secs(1), ..by_https("") };
    for (command, check, told) in [
        (
            "faultapp --listen --tls",
            by_https("no such word"),
            "did not answer GET /health by https with 2xx and \"no such word\" in 1 attempt (\"no such word\" is not in its answer)",
        ),
        (
            "faultapp --listen --tls --answer 503",
            by_https("ok"),
            "did not answer GET /health by https with 2xx and \"ok\" in 1 attempt (it answered \"HTTP/1.1 503 Service Unavailable\")",
        ),
        (
            "faultapp --listen",
            by_https("ok"),
            "; if it does not speak TLS, leave out the scheme of the check)",
        ),
        (
            "faultapp --listen --tls",
            get("/health"),
            "(it speaks TLS and not plain http: set the scheme of the check to https)",
        ),
        ("faultapp --listen --accept-and-hang", short(), "(ADDRESS did not answer the TLS handshake within "),
    ] {
        let mut service = web(command, starts_with(vec![check]))
            .with(|spec| spec.restart_policy = "no".parse().expect("a policy"));
        service.start();
        let over = service.await_status("web.1", "is given up", |status| status.state == State::Crashed);
        let address = format!("127.0.0.1:{}", over.port.expect("a port"));
        let reason = over.reason.expect("a reason");
        assert!(reason.contains(&told.replace("ADDRESS", &address)), "{reason}");
    }
}

#[test]
fn the_headers_of_a_get_by_https_are_in_no_command_line() {
    let headers = vec![("X-Key".to_owned(), "a-secret-that-nobody-else-has".to_owned())];
    let Ask::Get(get) = by_https("ok").ask else { panic!("it is a get") };
    let asking = check(Ask::Get(Get { headers, ..get }));
    let mut service = web("faultapp --listen --tls --answer-after 1500", starts_with(vec![asking]));
    service.start();
    let line = eventually("it is asked", || {
        let lines = fs::read_dir("/proc").expect("it is there").flatten();
        let mut lines = lines.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
        let marks = b"--ask-by-https";
        lines.find(|line| line.windows(marks.len()).any(|part| part == marks))
    });
    assert!(!String::from_utf8_lossy(&line).contains("secret"), "{line:?}");
    service.await_status("web.1", "is ready", running);
}

#[test]
fn an_instance_that_stops_answering_by_https_is_unready_and_one_that_a_liveness_check_asks_is_started_again()
{
    for is_liveness in [true, false] {
        let asked = vec![Check { attempts: 2, timeout: Duration::from_secs(1), ..by_https("ok") }];
        let checks = if is_liveness {
            Checks { liveness: asked, ..Checks::default() }
        } else {
            Checks { readiness: asked, ..Checks::default() }
        };
        let mut service = web("faultapp --listen --tls", Health { checks, ..listening(LONG) });
        service.start();
        let first = service.await_status("web.1", "is ready", running);
        let process = Pid::from_raw(i32::try_from(pid(&first)).expect("a pid")).expect("a pid");
        kill_process(process, Signal::STOP).expect("it is ours");
        let told = if is_liveness { "unhealthy: " } else { "not ready: " };
        let told = format!("{told}did not answer GET /health by https with 2xx and \"ok\" in 2 attempts (");
        service.await_status("web.1", "fails", |status| {
            status.reason.as_ref().is_some_and(|reason| reason.starts_with(&told))
        });
        if !is_liveness {
            kill_process(process, Signal::CONT).expect("it is ours");
        }
        let again = service.await_status("web.1", "is ready again", |status| {
            running(status) && (status.process != first.process) == is_liveness
        });
        assert_eq!(again.restarts, u32::from(is_liveness));
    }
}
