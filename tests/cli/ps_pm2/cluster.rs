//! Node programs in cluster mode: several processes, each an instance of its own, that listen on one fixed port.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;

use crate::clients::{Load, get, gets};
use crate::home::{Home, eventually, lives};

/// A program that answers with its pid on a fixed port, which is free now.
fn server(home: &Home, rest: &str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = listener.expect("a port").port();
    let program =
        format!("require('http').createServer((q, r) => r.end(String(process.pid))).listen({port});{rest}\n");
    fs::write(home.app("srv.js"), program).expect("a script");
    port
}

fn pids(home: &Home) -> BTreeSet<String> {
    home.list().iter().map(|one| one["pid"].to_string()).collect()
}

/// Waits until each of the processes answers.
fn all_answer(home: &Home, port: u16) {
    let wanted = pids(home);
    eventually(|| {
        let seen: BTreeSet<String> = (0..wanted.len() * 2).filter_map(|_| get(port).ok()).collect();
        if seen == wanted { Ok(()) } else { Err(format!("{seen:?} answer, and not {wanted:?}")) }
    });
}

#[test]
fn the_other_programs_show_the_process_of_node_and_not_the_one_above_it() {
    let home = Home::new();
    let port = server(&home, "");
    home.done(&["start", "srv.js", "-i", "2"]);
    all_answer(&home, port);
    let status = |home: &Home| -> Vec<serde_json::Value> {
        let shown = home.other("ps-lifecycle", &["status", "--world", "pm2", "--json"]);
        shown.lines().map(|row| serde_json::from_str(row).expect("JSON")).collect()
    };
    let shown = |home: &Home| status(home).iter().map(|row| row["pid"].to_string()).collect::<BTreeSet<_>>();
    assert_eq!(shown(&home), pids(&home));
    assert!(status(&home)[0]["memory_bytes"].as_u64() > Some(20 << 20), "that of Node: {:?}", status(&home));
    // A signal and the end are still those of the process above, which lets connections end.
    home.done(&["reload", "srv"]);
    all_answer(&home, port);
    assert_eq!(shown(&home), pids(&home));
    home.done(&["stop", "srv"]);
    assert!(status(&home).iter().all(|row| row["pid"].is_null()), "{:?}", status(&home));
}

#[test]
fn processes_share_a_fixed_port_and_are_lost_and_found_one_by_one() {
    let home = Home::new();
    let port = server(&home, "");
    home.done(&["start", "srv.js", "-i", "4"]);
    assert_eq!(pids(&home).len(), 4);
    all_answer(&home, port);
    let answered = gets(port, 40);
    assert!(answered.values().all(|count| (7..=13).contains(count)), "{answered:?}");
    let file =
        |id: u64| fs::read_to_string(home.pm2("pids").join(format!("srv.pid{id}.pid"))).expect("a pid");
    assert_eq!(file(2), home.pid(2).to_string());

    // What is shown is what Node uses, and not what is above it.
    assert!(home.one(2)["monit"]["memory"].as_u64() > Some(20 << 20), "{}", home.one(2));

    let (first, second) = (home.pid(0), home.pid(1));
    home.done(&["delete", "1"]);
    assert!(!lives(second) && home.pid(0) == first);
    home.done(&["scale", "srv", "+1"]);
    assert_eq!(home.done(&["id", "srv"]), "[ 0, 2, 3, 4 ]\n");
    all_answer(&home, port);
    home.done(&["restart", "0"]);
    assert!(!lives(first));
    all_answer(&home, port);
    home.done(&["stop", "srv"]);
    TcpListener::bind(("0.0.0.0", port)).expect("the port is free");
    home.done(&["start", "srv"]);
    all_answer(&home, port);
}

#[test]
fn two_apps_on_one_port_share_it_and_either_may_end() {
    let home = Home::new();
    let port = server(&home, "");
    home.done(&["start", "srv.js", "--name", "one"]);
    home.done(&["start", "srv.js", "-f", "--name", "two"]);
    all_answer(&home, port);
    home.done(&["delete", "one"]);
    all_answer(&home, port);
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures are worth a look")]
fn reloads_lose_no_request_of_new_and_of_kept_connections() {
    let home = Home::new();
    let port = server(&home, "");
    home.done(&["start", "srv.js", "-i", "4"]);
    all_answer(&home, port);
    let load = Load::begin(port, true);
    let times = if std::env::var_os("FORMATION_TEST_LONG").is_some() { 200 } else { 2 };
    for _ in 0..times {
        home.done(&["reload", "srv"]);
    }
    let seen = load.summary();
    let (processes, lost) = (seen.by_process.len(), seen.failed.len());
    eprintln!("{times} reloads: {} answered by {processes} processes, {lost} failed", seen.answered);
    assert_eq!(seen.failed, [""; 0]);
    assert!(processes > 2 * times, "only {processes} processes have answered");
    let answered = gets(port, 40);
    assert!(answered.len() == 4 && answered.values().all(|count| (7..=13).contains(count)), "{answered:?}");
}

#[test]
fn a_version_that_never_listens_leaves_the_old_processes_and_the_status_says_so() {
    let home = Home::new();
    let port = server(&home, "");
    home.done(&["start", "srv.js", "-i", "2", "--listen-timeout", "4000"]);
    all_answer(&home, port);
    let before = pids(&home);
    fs::write(home.app("srv.js"), "setInterval(() => {}, 1000)\n").expect("it is ours");
    let ran = home.say(&["reload", "srv"]);
    assert!(ran.status == 1 && ran.stderr.contains("srv is not reloaded, and runs on as it was"), "{ran:?}");
    assert!(ran.stderr.contains("of srv did not listen on a port within "), "{ran:?}");
    assert_eq!(pids(&home), before);
    all_answer(&home, port);
    let file = fs::read_to_string(home.pm2("pids/srv.pid0.pid")).expect("a pid");
    assert_eq!(file, home.pid(0).to_string());
}

#[test]
fn a_graceful_reload_tells_the_program_and_a_plain_one_does_not() {
    let home = Home::new();
    let port = server(&home, "process.on('message', (m) => console.log('told', m));");
    home.done(&["start", "srv.js", "-i", "2"]);
    all_answer(&home, port);
    home.done(&["reload", "srv"]);
    home.done(&["gracefulReload", "srv"]);
    for id in 0..2 {
        let log = home.log(&format!("srv-out-{id}.log"), |text| text.contains("told"));
        assert_eq!(log, "told shutdown\n");
    }
    all_answer(&home, port);
}

#[test]
fn with_wait_ready_a_process_is_in_once_it_says_so() {
    let home = Home::new();
    let port = server(&home, "if (require('fs').existsSync('go')) process.send('ready');");
    home.done(&["start", "srv.js", "--wait-ready", "--listen-timeout", "30000"]);
    fs::write(home.app("go"), "").expect("a file");
    home.done(&["restart", "srv"]);
    all_answer(&home, port);
    let before = pids(&home);
    fs::remove_file(home.app("go")).expect("it is there");
    server_that_never_says(&home, port);
    let ran = home.say(&["reload", "srv"]);
    assert!(ran.status == 1, "{ran:?}");
    assert_eq!(pids(&home), before);
    all_answer(&home, port);
}

/// The same port, and a program that ends before it says that it is ready.
fn server_that_never_says(home: &Home, port: u16) {
    let program =
        format!("require('http').createServer().listen({port}, () => setTimeout(process.exit, 100, 3));\n");
    fs::write(home.app("srv.js"), program).expect("it is ours");
}

#[test]
fn a_signal_reaches_the_program() {
    let home = Home::new();
    home.done(&["start", "signal.js", "-i", "2"]);
    home.log("signal-out-1.log", |text| text.contains("up"));
    home.done(&["sendSignal", "SIGUSR2", "1"]);
    home.log("signal-out-1.log", |text| text.contains("USR2"));
}
