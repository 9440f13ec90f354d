//! The scripts are run by the shell of this machine.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::thread;

use ps_release::Checks;

use super::*;
use crate::spec::tests::{release, rules};

const SECOND: Duration = Duration::from_secs(1);

fn check(ask: Ask) -> Check {
    Check {
        ask,
        attempts: 3,
        timeout: 5 * SECOND,
        wait: 2 * SECOND,
        initial_delay: Duration::ZERO,
        only_warns: false,
        on_failure: Vec::new(),
        port: None,
    }
}

fn get(path: &str, content: &str) -> Check {
    let headers = vec![("X-It's".to_owned(), "a b".to_owned())];
    check(Ask::Get(Get { path: path.to_owned(), headers, content: content.to_owned(), ..Get::default() }))
}

fn of(checks: Checks) -> Option<Health> {
    let mut release = release("web");
    release.processes[0].checks = checks;
    super::of(&release, &"web".parse().expect("a type"), &rules())
}

/// Whether a command of a script succeeds in a shell here.
fn holds(command: &str) -> bool {
    let script = format!("{AGE}\n{LISTENS}\nn='\n'\n{command}");
    Command::new("/bin/sh").args(["-c", &script]).status().expect("a shell").success()
}

#[test]
fn without_checks_an_instance_must_live_and_with_checks_they_decide() {
    let health = of(Checks::default()).expect("it must live");
    assert_eq!((health.interval, health.retries, health.goes_on), (10 * SECOND, 3, false));
    assert!(health.start_period > 10 * SECOND && health.script.contains("[ $a -ge 10 ]"));
    let checks =
        Checks { startup: vec![check(Ask::Listen)], liveness: vec![get("/up", "")], ..Checks::default() };
    let health = of(checks).expect("it is asked");
    assert_eq!((health.interval, health.retries, health.goes_on), (2 * SECOND, 3, true));
    assert_eq!(health.needs, BTreeSet::from([ASK_HTTP.as_slice()]));
    assert!(health.script.contains("listens 1388"), "{}", health.script);
    assert_eq!(health.json()["Timeout"], 40_000_000_000_u64);
}

#[test]
fn what_may_end_or_is_not_to_be_checked_has_none() {
    let web: ProcessType = "web".parse().expect("a type");
    let mut release = release("web");
    release.restart_policy = RestartPolicy::No;
    assert_eq!(super::of(&release, &web, &rules()), None);
    release.restart_policy = RestartPolicy::Always;
    release.processes[0].settings.checks = Some(Checking::Disabled);
    assert_eq!(super::of(&release, &web, &rules()), None);
}

#[test]
fn what_a_swarm_cannot_do_is_refused_or_said() {
    let web: ProcessType = "web".parse().expect("a type");
    let mut release = release("web");
    assert_eq!(refusal(&release, &web), None);
    let warns = Check { only_warns: true, ..check(Ask::Listen) };
    let runs = Check { on_failure: vec!["mail".to_owned()], ..check(Ask::Listen) };
    release.processes[0].checks = Checks { startup: vec![warns, runs], ..Checks::default() };
    let health = super::of(&release, &web, &rules()).expect("it is asked");
    assert_eq!(health.remarks.len(), 2, "{:?}", health.remarks);
    release.processes[0].checks.readiness = vec![check(Ask::Listen)];
    let reason = refusal(&release, &web).expect("refused");
    assert!(reason.starts_with("web has readiness checks"), "{reason}");
}

#[test]
fn a_port_is_listened_on_where_others_can_reach_it() {
    let open = |address: Ipv4Addr| {
        let listener = TcpListener::bind((address, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        (listener, port)
    };
    let (listener, port) = open(Ipv4Addr::UNSPECIFIED);
    let (_loopback, lonely) = open(Ipv4Addr::LOCALHOST);
    let listens = |port: u16| holds(&ask(&Check { port: Some(port), ..check(Ask::Listen) }, None));
    assert!(listens(port));
    assert!(!listens(lonely));
    drop(listener);
    assert!(!listens(port));
}

#[test]
fn a_command_gets_its_words_as_they_are() {
    let run = |words: &[&str]| {
        holds(&ask(&check(Ask::Run(words.iter().map(|word| (*word).to_owned()).collect())), None))
    };
    assert!(run(&["test", "it's $HOME", "=", "it's $HOME"]));
    assert!(!run(&["false"]));
    let hangs = Check { timeout: SECOND, ..check(Ask::Run(["sleep", "60"].map(str::to_owned).into())) };
    let begin = std::time::Instant::now();
    assert!(!holds(&ask(&hangs, None)) && begin.elapsed() < 50 * SECOND, "a command that hangs is ended");
}

/// Answers so many requests with this text.
fn server(answer: &'static str, times: usize) -> (u16, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let serve = move || {
        let mut asked = Vec::new();
        for _ in 0..times {
            let (mut client, _) = listener.accept().expect("a client");
            let mut head = [0; 4096];
            let mut request = String::new();
            while !request.contains("\r\n\r\n") {
                let read = client.read(&mut head).expect("a request");
                request.push_str(&String::from_utf8_lossy(&head[..read]));
            }
            asked.push(request);
            client.write_all(answer.as_bytes()).expect("answers");
        }
        asked
    };
    (port, thread::spawn(serve))
}

#[test]
fn a_get_is_made_with_its_headers_and_only_2xx_with_the_content_holds() {
    if !holds("command -v curl >/dev/null || command -v nc >/dev/null || command -v wget >/dev/null") {
        return skipped::skip("no program here makes requests: curl, nc or wget");
    }
    let asks = |path: &str, content: &str, port: u16| holds(&ask(&get(path, content), Some(port)));
    let (port, served) = server("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", 1);
    assert!(asks("/up?a=b", "", port), "204 is as good as 200");
    let request = served.join().expect("it has answered").remove(0);
    assert!(request.starts_with("GET /up?a=b"), "{request}");
    assert!(request.contains("X-It's: a b\r\n"), "{request}");
    let (port, served) = server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nready", 2);
    assert!(asks("/", "ead", port));
    assert!(!asks("/", "read'y", port));
    served.join().expect("it has answered");
    let (port, served) = server("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 1);
    assert!(!asks("/", "", port), "302 is no 2xx");
    served.join().expect("it has answered");
    assert!(!asks("/", "", port), "nobody is there any more");
}

#[test]
fn an_instance_has_lived_for_as_long_as_its_first_process() {
    assert!(holds("age && [ $a -ge 1 ]"), "this machine was started more than a second ago");
    assert!(!holds("age && [ $a -ge 999999999 ]"));
}
