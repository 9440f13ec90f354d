//! Every variable reaches the process, whatever its name and its bytes, or is refused by name.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use formation::State;
use ps_supervisor::Spec;
use tempfile::TempDir;

use super::service::{Service, eventually};

const FILE: &[u8] =
    b"MY-KEY=1\nOPTION-B='d e f'\na.b=c\n1A=x\nB\xff=y\nBYTES='a\xfe\xffb'\nPLAIN=2\nPASS=   # required\n";
const ARRIVES: [&[u8]; 8] = [
    b"MY-KEY=1",
    b"OPTION-B=d e f",
    b"a.b=c",
    b"1A=x",
    b"B\xff=y",
    b"BYTES=a\xfe\xffb",
    b"PLAIN=2",
    b"PASS=",
];

/// `NAME=value` of each variable that `env -0` wrote.
fn entries(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
}

fn missing(bytes: &[u8], wanted: &[&[u8]]) -> Vec<String> {
    let entries = entries(bytes);
    let is_missing = |wanted: &&&[u8]| !entries.iter().any(|entry| entry == *wanted);
    wanted.iter().filter(is_missing).map(|entry| entry.escape_ascii().to_string()).collect()
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("-c").arg("true").stderr(Stdio::null()).status().is_ok()
}

#[test]
fn every_name_and_every_byte_of_a_file_reaches_simple_commands_and_those_for_the_shell() {
    let mut service = Service::new(&[("simple", "env -0", 1), ("shell", "true && env -0; sleep 1000", 1)]);
    let file = service.path().join("app.env");
    fs::write(&file, FILE).expect("written");
    service = service.with(|spec| {
        spec.env
            .insert(OsString::from_vec(b"OF-THE-SPEC\xfe".to_vec()), OsString::from_vec(b"\xfd".to_vec()));
        spec.env_files = vec![file];
        spec.restart_policy = "no".parse().expect("a policy");
    });
    service.start();
    let shells = if is_there("bash") { &["simple.1", "shell.1"][..] } else { &["simple.1"] };
    for slot in shells {
        eventually(&format!("{slot} has everything"), || {
            let log = service.log(slot);
            let wanted = ARRIVES.into_iter().chain([&b"OF-THE-SPEC\xfe=\xfd"[..]]).collect::<Vec<_>>();
            log.ends_with(b"\0").then(|| missing(&log, &wanted)).filter(Vec::is_empty)
        });
    }
}

/// Why the shell is not asked to hand variables on.
#[test]
fn dash_and_busybox_drop_names_that_bash_hands_on() {
    for (program, words, hands_on) in
        [("dash", &[][..], false), ("busybox", &["sh"], false), ("bash", &[], true), ("/bin/bash", &[], true)]
    {
        if !is_there(program) {
            continue;
        }
        let mut shell = Command::new(program);
        if program.starts_with('/') {
            shell.arg0("/bin/sh");
        }
        let ran = shell.args(words).args(["-c", "true; env -0"]).env("MY-KEY", "1").env("a.b", "c").output();
        let missing = missing(&ran.expect("it ran").stdout, &[b"MY-KEY=1", b"a.b=c"]);
        assert_eq!(missing.is_empty(), hands_on, "{program}: {missing:?}");
    }
}

#[test]
fn a_variable_that_no_process_can_have_is_refused_by_name_with_file_and_line() {
    for (text, expected) in [
        (format!("A=1\nBIG={}\n", "x".repeat(200_000)), "app.env, line 2: BIG has a value of 196 KiB"),
        ("A=1\n\nIFS=,\n".to_owned(), "app.env, line 3: IFS cannot reach a command that needs a shell"),
        (format!("A=1\nLARGEST={}\n", "x".repeat(99_000)), "app.env, line 2: LARGEST"),
    ] {
        let mut service = Service::new(&[("web", "true && sleep 1000", 1)]);
        let file = service.path().join("app.env");
        fs::write(&file, text).expect("written");
        let are_many = expected.ends_with("LARGEST");
        service = service.with(|spec| {
            let many = (0..if are_many { 25 } else { 0 })
                .map(|n| (format!("S{n}").into(), "x".repeat(90_000).into()));
            spec.env.extend(many);
            spec.env_files = vec![file];
            spec.restart_policy = "no".parse().expect("a policy");
        });
        service.start();
        let status = service.await_status("web.1", "has given up", |status| status.state == State::Crashed);
        let reason = status.reason.unwrap_or_default();
        assert!(reason.contains(expected), "{reason}");
        assert!(!reason.contains("xxx") && reason.lines().count() == 1, "{reason}");
    }
}

#[test]
fn what_is_no_file_in_the_place_of_a_file_fails_the_start_at_once() {
    for (make, expected) in [
        ((|path| fs::create_dir(path).expect("a directory")) as fn(&Path), "is not a file but a directory"),
        (
            |path| {
                let made = Command::new("mkfifo").arg(path).status().expect("mkfifo runs");
                assert!(made.success());
            },
            "is not a file but a FIFO",
        ),
        (|path| std::os::unix::fs::symlink("/dev/zero", path).expect("a link"), "is not a file but a device"),
    ] {
        let mut service = Service::new(&[("web", "sleep 1000", 1)]);
        let file = service.path().join("app.env");
        make(&file);
        service = service.with(|spec| {
            spec.env_files = vec![file];
            spec.restart_policy = "no".parse().expect("a policy");
        });
        service.start();
        let status = service.await_status("web.1", "has given up", |status| status.state == State::Crashed);
        assert!(status.reason.unwrap_or_default().contains(expected));
    }
}

#[test]
fn a_spec_of_an_earlier_version_is_read_and_one_with_other_bytes_comes_back() {
    let earlier = r#"{"app":"shop","revision":3,"directory":"/srv/shop","env":{"PATH":"/usr/bin","LANG":"é"},
        "env_files":["/srv/shop/.env"],"base_port":5000,"places":{"web":0},"restart_policy":"on-failure:10",
        "stop_timeout_seconds":10,"processes":[{"process_type":"web","command":"web","quantity":1}]}"#;
    let mut spec: Spec = serde_json::from_str(earlier).expect("a spec of before");
    assert_eq!(spec.env.get(OsStr::new("LANG")).map(OsString::as_os_str), Some(OsStr::new("é")));
    let text = serde_json::to_string(&spec).expect("plain data");
    assert!(text.contains(r#""env":{"LANG":"é","PATH":"/usr/bin"}"#) && !text.contains("dokku"), "{text}");
    let odd = OsStr::from_bytes(b"/caf\xe9");
    spec.directory = odd.into();
    spec.env_files = vec![odd.into()];
    spec.env.insert("PATH".into(), odd.into());
    let text = serde_json::to_string(&spec).expect("plain data");
    assert!(text.contains(r#""PATH":"/caf\u0000e9""#), "{text}");
    assert_eq!(serde_json::from_str::<Spec>(&text).expect("its own form"), spec);
}

/// `ps-supervise … run env -0` in a directory with this `.env`.
fn foreground(file: &[u8], change: impl FnOnce(&mut Command)) -> Vec<u8> {
    let directory = TempDir::new().expect("a directory");
    fs::write(directory.path().join(".env"), file).expect("written");
    fs::write(directory.path().join("Procfile"), "web: true\n").expect("written");
    let mut command = Command::new("bash");
    command.current_dir(directory.path()).env("PS", env!("CARGO_BIN_EXE_ps-supervise"));
    change(&mut command);
    let ran = command.output().expect("bash runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    ran.stdout
}

#[test]
fn the_callers_environment_may_hold_any_bytes() {
    let odd = OsStr::from_bytes(b"/opt/caf\xe9/bin");
    let mut path = odd.to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let stdout = foreground(FILE, |command| {
        command.args(["-c", "\"$PS\" run env -0"]).env("PATH", &path).env("HOME", odd).env("X-\u{e9}", odd);
    });
    assert_eq!(missing(&stdout, &ARRIVES), [""; 0]);
    assert_eq!(
        missing(&stdout, &[b"HOME=/opt/caf\xe9/bin", "X-é=/opt/caf".as_bytes()]),
        ["X-\\xc3\\xa9=/opt/caf"]
    );
}

#[test]
fn a_file_that_is_named_may_be_a_pipe_or_standard_input_and_the_last_wins() {
    let script = "\"$PS\" -e <(printf 'A=1\\nB=1\\n') -e .env -e <(printf 'C=3\\nMY-KEY=9\\n') run env -0";
    let stdout = foreground(b"B=2\nC=2\nD=$A\n", |command| {
        command.args(["-c", script]);
    });
    assert_eq!(missing(&stdout, &[b"A=1", b"B=2", b"C=3", b"D=1", b"MY-KEY=9"]), [""; 0]);
    let stdout = foreground(b"A=2\n", |command| {
        command.args(["-c", "printf 'Z=3\\n' | \"$PS\" -e - run env -0"]);
    });
    assert_eq!(missing(&stdout, &[b"Z=3"]), [""; 0]);
}
