//! Which PORT who gets.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::Source;

const THREE: &str = "web: echo web $PORT\nrelease: echo release $PORT\nworker: echo worker $PORT; PORT=1 sh -c 'echo own $PORT'\n";

#[test]
fn the_base_is_the_options_then_that_of_the_files_then_the_callers() {
    let source = Source::new(THREE).variable("PORT", "7003");
    assert_eq!(source.run(&[]).lines(), ["own 1", "web 7003", "worker 7103"]);
    let source = source.file(".env", "PORT=7004\n");
    assert_eq!(source.run(&[]).lines(), ["own 1", "web 7004", "worker 7104"]);
    assert_eq!(source.run(&["-p", "7005"]).lines(), ["own 1", "web 7005", "worker 7105"]);
    assert_eq!(
        source.run(&["-p", "7005", "worker"]).lines(),
        ["own 1", "worker 7105"],
        "types keep their places"
    );
    assert_eq!(source.run(&["-p", "7005", "-m", "web=2"]).lines(), ["web 7005", "web 7006"]);
}

#[test]
fn a_port_that_is_none_is_refused_by_name() {
    for value in ["abc", "70000", "0", "", "-1", "80 81"] {
        let ended = Source::new(THREE).variable("PORT", value).run(&[]);
        assert!(ended.err.contains(&format!("PORT={value} in the environment")), "{}", ended.err);
        assert_eq!((ended.err.lines().count(), ended.code(), ended.out.len()), (1, 1, 0));
        let ended = Source::new(THREE).file(".env", &format!("PORT={value}\n")).run(&[]);
        assert!(
            ended.err.contains(&format!("PORT={value} in ")) && ended.err.contains(".env"),
            "{}",
            ended.err
        );
        assert_eq!(ended.code(), 1);
        assert_eq!(Source::new(THREE).run(&["-p", value]).code(), 2);
    }
}

#[test]
fn a_port_that_is_taken_is_told_with_who_has_it_and_another_is_used() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = listener.local_addr().expect("bound").port();
    let ended = Source::new("web: echo $PORT\n").run(&["-p", &taken.to_string()]);
    assert!(ended.err.contains(&format!("port {taken} is held by ")), "{}", ended.err);
    assert!(ended.err.contains(&format!("(pid {})", std::process::id())), "{}", ended.err);
    let given: u16 = ended.lines()[0].parse().expect("a port");
    assert!(given > 20_000 && ended.err.contains(&format!("it gets {given}")), "{}", ended.err);
}

#[test]
fn a_port_that_is_taken_at_a_restart_is_told_once() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    let source = Source::new("web: echo $PORT; while [ ! -e go ]; do sleep 0.05; done; exit 3\n");
    let running = source.start(&["-p", &free.to_string(), "--restart", "on-failure:2"]);
    running.await_out(&free.to_string());
    let _taken = TcpListener::bind(("127.0.0.1", free)).expect("free until now");
    fs::write(source.path().join("go"), "").expect("written");
    let ended = running.end();
    let told = format!("port {free} is held by ");
    let lines: Vec<&str> = ended.err.lines().filter(|line| line.contains(&told)).collect();
    // The port that it got instead may have another holder at the next restart: then it gets yet another one, and that is told.
    let different: BTreeSet<&&str> = lines.iter().collect();
    assert!(!lines.is_empty() && different.len() == lines.len(), "{}", ended.err);
    assert_eq!(ended.err.matches("started with pid").count(), 3, "{}", ended.err);
}

#[test]
fn a_type_behind_the_last_port_is_told_and_the_eleventh_type_has_its_own() {
    let ended = Source::new("web: echo\nworker: echo $PORT\n").run(&["-p", "65500"]);
    assert!(
        ended.err.contains("worker.1 | there is no port for worker.1 from 65500 on: it gets 2"),
        "{}",
        ended.err
    );
    let twelve: Vec<String> = (1..=12).map(|n| format!("t{n}: echo {n} $PORT")).collect();
    let ended = Source::new(&twelve.join("\n")).run(&["-p", "7600", "t1", "t11", "t12"]);
    assert_eq!(ended.lines(), ["1 7600", "11 8600", "12 8700"], "{}", ended.err);
}

#[test]
fn a_port_that_this_user_may_not_listen_on_is_told_as_that() {
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    if !rustix::process::geteuid().is_root() || first.trim() == "0" {
        skipped::skip(
            "no root, or a machine on which everybody may listen on port 1: this test becomes somebody else",
        );
        return;
    }
    let source = Source::new("web: echo $PORT\n");
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(source.path(), open).expect("it is ours");
    let mut command = Command::new("setpriv");
    source.prepare(&mut command);
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    command.args([env!("CARGO_BIN_EXE_ps-supervise"), "-p", "1"]);
    let ended = source.start_command(command).end();
    assert!(ended.err.contains("port 1 is not for this user to listen on: it gets "), "{}", ended.err);
}
