//! `run`: a command beside the instances, which is none of them.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::engine::{IMAGE, containers, has_engine, name};
use crate::home::{Home, eventually};
use crate::program::Running;
use crate::terminal::Terminal;

const PROCFILE: &str = "web: exec sleep 600\nworker: echo \"i am $DYNO with $QUEUE\"\n";

fn shop() -> Home {
    let home = Home::running("shop", PROCFILE, &["--scale", "worker=0"]);
    home.write("shop/.env", "GREETING=hello\n");
    home
}

/// A box in docker-local, and its name.
fn boxed(stem: &str) -> (Home, String) {
    let (home, app) = (Home::new(), name(stem));
    let env = home.write("env", "GREETING=hello\n");
    let env = env.to_str().expect("text");
    home.does(&["ps-lifecycle", "deploy", &app, "--image", IMAGE, "--env-file", env]);
    (home, app)
}

fn run<'a>(app: &'a str, words: &[&'a str]) -> Vec<&'a str> {
    [&["ps-lifecycle", "run", app], words].concat()
}

fn enter<'a>(app: &'a str, words: &[&'a str]) -> Vec<&'a str> {
    [&["ps-lifecycle", "enter", app, "web.1"], words].concat()
}

/// Nothing of a one-off is left, and `web.1` is the one that it was.
fn is_as_before(home: &Home, pids: &std::collections::BTreeMap<String, u64>) {
    assert_eq!(home.pids("shop"), *pids);
    let left = fs::read_dir(home.path("lib/data/formation/shop/one-offs")).expect("a directory").flatten();
    let names = left.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let names: Vec<String> = names.filter(|name| name.starts_with("run.")).collect();
    assert_eq!(names, Vec::<String>::new());
}

#[test]
fn it_has_the_environment_the_directory_and_the_exit_status_of_the_command() {
    let home = shop();
    let pids = home.pids("shop");
    let script = "echo \"$GREETING $EXTRA $PWD ${DYNO%.*} ${PORT-none}\"; echo oops >&2; exit 7";
    let ran = home.run(&run("shop", &["--env", "EXTRA=a=b", "--", "sh", "-c", script]));
    let place = home.path("shop");
    assert_eq!(ran.stdout, format!("hello a=b {} run none\n", place.display()));
    assert_eq!((ran.status, ran.stderr.as_str()), (Some(7), "oops\n"));
    let ran = home.run(&run("shop", &["--", "sh", "-c", "kill -9 $$"]));
    assert_eq!(ran.status, Some(137), "{ran:?}");
    let ran = home.run(&run("shop", &["worker", "--env", "QUEUE=mail"]));
    let named = ran.stdout.trim().strip_prefix("i am run.").and_then(|rest| rest.strip_suffix(" with mail"));
    assert!(named.is_some_and(|number| number.parse::<u16>().is_ok()), "{ran:?}");
    let ran = home.run(&run("shop", &["--", "no-such-program"]));
    assert_eq!(ran.status, Some(127), "{ran:?}");
    is_as_before(&home, &pids);
}

#[test]
fn what_is_no_type_no_app_or_not_deployed_is_refused() {
    let home = shop();
    home.refuses(&run("shop", &["wroker"]), 1, &["shop has no process type wroker: it has web, worker"]);
    home.refuses(&run("nope", &["--", "true"]), 20, &["nope"]);
    home.refuses(&run("shop", &["web", "--", "true"]), 2, &["cannot be used with"]);
    home.refuses(&run("shop", &["--env", "NOVALUE", "--", "true"]), 2, &["NAME=VALUE"]);
}

#[test]
fn bytes_go_through_as_they_are_and_the_end_of_stdin_arrives() {
    let home = shop();
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).chain([0, 255, b'\r', b'\n']).collect();
    through(&home, "shop", &bytes);
    if has_engine() {
        let (home, app) = boxed("once1");
        through(&home, &app, &bytes);
        assert_eq!(containers(&app, "{{.Names}}").len(), 1, "the one-off is gone");
    }
}

fn through(home: &Home, app: &str, bytes: &[u8]) {
    let mut command = home.command(&run(app, &["--", "cat"]));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    let sent = bytes.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&sent));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("it does not panic").expect("everything was read");
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout == bytes, "{} bytes of {} came", output.stdout.len(), bytes.len());
}

#[test]
fn it_is_no_instance_and_a_stop_does_not_touch_it_but_a_destroy_does() {
    let home = shop();
    let mut running = begin(&home, &run("shop", &["--", "sh", "-c", "echo up; exec sleep 601"]));
    running.until_stdout_says("up");
    assert_eq!(home.states("shop").into_keys().collect::<Vec<_>>(), ["web.1"]);
    for words in [
        &["ps-scale", "shop", "web=2"][..],
        &["ps-lifecycle", "restart", "shop"],
        &["ps-lifecycle", "stop", "shop"],
    ] {
        home.does(words);
        assert!(running.is_running(), "{words:?}");
    }
    assert!(has(&home, "sleep 601"));
    home.does(&["ps-lifecycle", "retire", "shop"]);
    assert!(running.is_running(), "somebody waits for it");
    home.does(&["ps-lifecycle", "destroy", "shop"]);
    assert_eq!(running.ended().status, Some(143));
    home.is_silent();
}

fn begin(home: &Home, words: &[&str]) -> Running {
    home.start(words)
}

fn has(home: &Home, words: &str) -> bool {
    home.processes().iter().any(|(_, command)| command.trim() == words)
}

#[test]
fn signals_are_passed_on_and_its_time_ends_it() {
    let home = shop();
    let trap = "trap 'exit 9' TERM; echo up; while :; do sleep 0.1; done";
    let mut running = begin(&home, &run("shop", &["--", "sh", "-c", trap]));
    running.until_stdout_says("up");
    let pid = rustix::process::Pid::from_raw(i32::try_from(running.pid()).expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, Signal::TERM).expect("it runs");
    assert_eq!(running.ended().status, Some(9));
    let ran = home.run(&run("shop", &["--timeout", "300ms", "--", "sleep", "600"]));
    assert_eq!(ran.status, Some(124), "{ran:?}");
    assert!(ran.stderr.contains("its time was over") && ran.took < Duration::from_secs(60), "{ran:?}");
    assert!(!has(&home, "sleep 600") || home.pids("shop").len() == 1);
}

#[test]
fn nothing_is_left_of_one_whose_program_was_killed() {
    let home = shop();
    let pids = home.pids("shop");
    let mut running = begin(&home, &run("shop", &["--", "sh", "-c", "echo up; sleep 602 & exec sleep 603"]));
    running.until_stdout_says("up");
    running.signal(Signal::KILL);
    drop(running);
    // The root does so, as for every verb that was killed.
    eventually("its processes are gone", || {
        if has(&home, "sleep 602") || has(&home, "sleep 603") {
            Err(format!("{:?}", home.processes()))
        } else {
            Ok(())
        }
    });
    eventually("its record is gone", || {
        let mut left = fs::read_dir(home.path("lib/data/formation/shop/one-offs")).expect("there").flatten();
        match left.find(|entry| entry.file_name().to_string_lossy().starts_with("run.")) {
            Some(entry) => Err(format!("{entry:?}")),
            None => Ok(()),
        }
    });
    is_as_before(&home, &pids);
}

#[test]
fn one_that_nobody_waits_for_runs_on_and_ends_in_its_time() {
    let home = shop();
    let began = home.run(&run(
        "shop",
        &["--detach", "--timeout", "2s", "--", "sh", "-c", "echo started; exec sleep 604"],
    ));
    assert_eq!(began.status, Some(0), "{began:?}");
    let called = began.stdout.trim().strip_prefix("shop.").expect("its name").to_owned();
    eventually("it runs", || {
        if has(&home, "sleep 604") { Ok(()) } else { Err(format!("{:?}", home.processes())) }
    });
    let log = home.path(&format!("lib/data/formation/shop/one-offs/{called}.log"));
    eventually("it has written", || match fs::read_to_string(&log) {
        Ok(text) if text == "started\n" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    eventually("its time is over", || if log.exists() { Err("its log is there".to_owned()) } else { Ok(()) });
    assert!(!has(&home, "sleep 604"));
}

#[test]
fn on_a_terminal_it_has_that_terminal_and_its_size() {
    let home = shop();
    let tells =
        "test -t 0 && test -t 1 && echo a terminal of $(stty size); read word; echo read $word; exit 5";
    let mut terminal = Terminal::start(&home, &run("shop", &["--", "sh", "-c", tells]), 31, 97);
    terminal.await_screen("a terminal of 31 97");
    terminal.press("hi\r");
    terminal.await_screen("read hi");
    assert_eq!(terminal.end(), Some(5));
    let waits = "trap 'echo interrupted; exit 6' INT; echo up; while :; do sleep 0.1; done";
    let mut terminal = Terminal::start(&home, &run("shop", &["--", "sh", "-c", waits]), 31, 97);
    terminal.await_screen("up");
    terminal.press("\x03");
    terminal.await_screen("interrupted");
    assert_eq!(terminal.end(), Some(6));
}

#[test]
fn a_box_runs_a_command_with_its_environment_and_nothing_is_left() {
    if !has_engine() {
        return;
    }
    let (home, app) = boxed("once2");
    let before = containers(&app, "{{.ID}}");
    let script = "echo \"$GREETING $EXTRA ${DYNO%.*}\"; echo oops >&2; exit 7";
    let ran = home.run(&run(&app, &["--env", "EXTRA=a=b", "--", "sh", "-c", script]));
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("hello a=b run\n", "oops\n"), "{ran:?}");
    assert_eq!(ran.status, Some(7));
    assert_eq!(home.run(&run(&app, &["--", "sh", "-c", "kill -9 $$"])).status, Some(137));
    assert_eq!(home.run(&run(&app, &["--", "no-such-program"])).status, Some(127));
    let ran = home.run(&run(&app, &["--timeout", "500ms", "--", "sleep", "600"]));
    assert_eq!(ran.status, Some(124), "{ran:?}");
    assert_eq!(containers(&app, "{{.ID}}"), before);
}

#[test]
fn a_box_that_nobody_waits_for_is_retired_in_its_time_and_one_whose_program_was_killed_at_once() {
    if !has_engine() {
        return;
    }
    let (home, app) = boxed("once3");
    let called = home.does(&run(&app, &["--detach", "--", "sleep", "600"])).trim().to_owned();
    assert!(called.starts_with(&format!("{app}.run.")), "{called}");
    let mut running = begin(&home, &run(&app, &["--", "sh", "-c", "echo up; exec sleep 600"]));
    running.until_stdout_says("up");
    home.does(&["ps-lifecycle", "stop", &app]);
    home.does(&["ps-lifecycle", "retire", &app]);
    assert!(running.is_running() && containers(&app, "{{.Names}}").len() == 3, "all are in use");
    running.signal(Signal::KILL);
    drop(running);
    home.does(&["ps-lifecycle", "retire", &app]);
    let left = containers(&app, "{{.Names}}");
    assert!(left.len() == 2 && left.contains(&called), "{left:?}");
    // Two seconds of it are over at once.
    home.does(&["ps-set", &app, "stop-timeout-seconds", "1"]);
    home.does(&run(&app, &["--detach", "--timeout", "1s", "--", "sleep", "600"]));
    eventually("its time is over", || {
        home.does(&["ps-lifecycle", "retire", &app]);
        let left = containers(&app, "{{.Names}}");
        if left.len() == 2 { Ok(()) } else { Err(format!("{left:?}")) }
    });
    home.does(&["ps-lifecycle", "destroy", &app]);
    assert_eq!(containers(&app, "{{.Names}}"), Vec::<String>::new(), "destroy leaves none");
}

#[test]
fn on_a_terminal_a_box_has_one_of_that_size() {
    if !has_engine() {
        return;
    }
    let (home, app) = boxed("once4");
    let tells = "test -t 0 && test -t 1 && echo up; sleep 0.3; stty size; read word; echo read $word; exit 5";
    let mut terminal = Terminal::start(&home, &run(&app, &["--", "sh", "-c", tells]), 31, 97);
    terminal.await_screen("31 97");
    terminal.press("hi\r");
    terminal.await_screen("read hi");
    assert_eq!(terminal.end(), Some(5));
}

#[test]
fn a_command_beside_an_instance_has_its_directory_its_variables_and_its_port() {
    let home = shop();
    let pids = home.pids("shop");
    let environ = fs::read(format!("/proc/{}/environ", pids["web.1"])).expect("it runs");
    let port = String::from_utf8_lossy(&environ)
        .split('\0')
        .find_map(|pair| pair.strip_prefix("PORT=").map(str::to_owned));
    let port = port.expect("it has a port");
    let ran = home.run(&[
        "ps-lifecycle",
        "enter",
        "shop",
        "web.1",
        "--",
        "sh",
        "-c",
        "echo $PWD $DYNO $PORT; exit 3",
    ]);
    assert_eq!(ran.stdout, format!("{} web.1 {port}\n", home.path("shop").display()), "{ran:?}");
    assert_eq!(ran.status, Some(3));
    home.refuses(&["ps-lifecycle", "enter", "shop", "web.9"], 1, &["shop has no web.9: it has web.1"]);
    home.does(&["ps-lifecycle", "stop", "shop"]);
    let refused = home.run(&["ps-lifecycle", "enter", "shop", "web.1"]);
    refused.is_refused(1, &["web.1 is stopped, and runs nowhere"]);
}

#[test]
fn a_command_beside_an_instance_with_a_tmp_of_its_own_sees_that() {
    let home = shop();
    if !rustix::process::geteuid().is_root() {
        skipped::skip("only root is sure to get a namespace");
        return;
    }
    // What lies below /tmp is not to be seen, and neither would the app be.
    let source =
        tempfile::Builder::new().prefix("formation-enter-").tempdir_in("/var/lib").expect("a directory");
    fs::write(source.path().join("Procfile"), "web: echo mine >/tmp/own; exec sleep 600\n").expect("written");
    home.does(&["ps-set", "shop", "web.private-tmp", "yes"]);
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", source.path().to_str().expect("text")];
    home.does(&deploy);
    // `--` before the command may be left out, also if the command has options.
    for dashes in [&["--"][..], &[]] {
        let words = [dashes, &["sh", "-c", "cat /tmp/own; pwd"]].concat();
        let ran = home.run(&[&["ps-lifecycle", "enter", "shop", "web.1"], &words[..]].concat());
        assert_eq!(ran.stdout, format!("mine\n{}\n", source.path().display()), "{ran:?}");
    }
    home.does(&["ps-lifecycle", "destroy", "shop"]);
}

#[test]
fn a_command_in_a_box_runs_beside_its_instance() {
    if !has_engine() {
        return;
    }
    let (home, app) = boxed("once5");
    let ran =
        home.run(&["ps-lifecycle", "enter", &app, "web.1", "--", "sh", "-c", "echo $DYNO; cat; exit 3"]);
    assert_eq!((ran.stdout.as_str(), ran.status), ("web.1\n", Some(3)), "{ran:?}");
    home.run(&["ps-lifecycle", "enter", &app, "web.9"]).is_refused(1, &["has no web.9: it has web.1"]);
    let mut terminal = Terminal::start(&home, &["ps-lifecycle", "enter", &app, "web.1"], 31, 97);
    terminal.press("stty size; exit 4\r");
    terminal.await_screen("31 97");
    assert_eq!(terminal.end(), Some(4));
}

#[test]
fn what_is_pressed_and_sent_reaches_a_command_in_a_box_and_its_status_comes_back() {
    if !has_engine() {
        return;
    }
    let (home, app) = boxed("once6");
    home.does(&["ps-set", &app, "stop-timeout-seconds", "1"]);
    // The sleep itself, and not the shell that is about to start it.
    let is_asleep = |line: &&str| line.contains("sleep 4321") && !line.contains("sh -c");
    let count =
        || crate::registry::docker(&["top", &format!("{app}.web.1")]).lines().filter(is_asleep).count();
    // Ctrl-C is the terminal's there, another size arrives, and the shell goes on.
    let mut terminal = Terminal::start(&home, &enter(&app, &[]), 31, 97);
    terminal.press("stty size; sleep 4321\r");
    terminal.await_screen("31 97");
    eventually("it sleeps", || if count() == 1 { Ok(()) } else { Err(String::new()) });
    terminal.press("\x03");
    eventually("it was interrupted", || if count() == 0 { Ok(()) } else { Err(terminal.written()) });
    terminal.resize((20, 61));
    eventually("the other size is there", || {
        terminal.press("stty size\r");
        std::thread::sleep(std::time::Duration::from_millis(100));
        let written = terminal.written();
        if written.contains("20 61") { Ok(()) } else { Err(written) }
    });
    terminal.press("exit 7\r");
    assert_eq!(terminal.end(), Some(7));
    // What asks us to end ends the command, be it deaf to all but SIGKILL.
    for (signal, script, status) in [
        (Signal::TERM, "exec sleep 4321", 143),
        (Signal::HUP, "exec sleep 4321", 129),
        (Signal::INT, "exec sleep 4321", 130),
        (Signal::TERM, "trap 'kill $!; exit 5' TERM; sleep 4321 & wait", 5),
        (Signal::TERM, "trap '' TERM; exec sleep 4321", 137),
    ] {
        let mut command = home.command(&enter(&app, &["--no-tty", "--", "sh", "-c", script]));
        command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
        let mut entered = command.spawn().expect("it starts");
        eventually("it sleeps", || if count() == 1 { Ok(()) } else { Err(String::new()) });
        let pid = rustix::process::Pid::from_child(&entered);
        rustix::process::kill_process(pid, signal).expect("it lives");
        let mut ended = || entered.try_wait().expect("it is ours").ok_or_else(|| "it runs".to_owned());
        assert_eq!(eventually("it ends", &mut ended).code(), Some(status), "{signal:?} {script}");
        assert_eq!(count(), 0, "{signal:?} {script}");
    }
    home.does(&["ps-lifecycle", "destroy", &app]);
}

/// Whoever prints what is never read goes away by the signal that tells so.
#[test]
fn a_reader_that_goes_away_ends_it() {
    let home = shop();
    let script = format!("{} | head -c 10", "ps-lifecycle run shop -- yes");
    let mut command: Command = home.command(&["ps-lifecycle"]);
    command = {
        let mut shell = Command::new("sh");
        shell.args(["-c", &script]).env_clear();
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell
    };
    let ran = crate::program::run(command);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(0), "y\ny\ny\ny\ny\n"), "{ran:?}");
    eventually(
        "it is gone",
        || if has(&home, "yes") { Err(format!("{:?}", home.processes())) } else { Ok(()) },
    );
}
