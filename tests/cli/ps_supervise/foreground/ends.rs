//! It says what happens, ends as it is told, and its exit status is that of what failed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::Source;
use crate::service::eventually;

#[test]
fn it_says_that_a_process_was_started_how_it_ended_and_what_follows() {
    let ended = Source::new("a: sleep 0.1; exit 3\n").run(&["-p", "7400", "--restart", "on-failure:2"]);
    let words = &ended.err;
    assert_eq!(words.matches("a.1 | started with pid ").count(), 3, "{words}");
    assert!(words.contains("ended with status 3, starts again in 0.1 s\n"), "{words}");
    assert!(words.contains("ended with status 3, given up after 2 restarts\n"), "{words}");
    assert_eq!(ended.code(), 3);
    let ended = Source::new("a: exit 3\n").run(&["--restart", "on-failure:1"]);
    assert!(ended.err.contains("given up after 1 restart\n"), "{}", ended.err);
    let ended = Source::new("a: kill -9 $$\nb: sleep 0.2\n").run(&["--restart", "no"]);
    assert!(ended.err.contains("a.1 | ended by SIGKILL\n"), "{}", ended.err);
    assert_eq!(ended.code(), 128 + 9);
}

#[test]
fn an_unknown_command_is_said_and_not_tried_again() {
    for (command, said) in [
        ("nosuchthing --port 5", "command not found: nosuchthing (exit status 127)"),
        ("nosuchthing --port $PORT", "command not found: nosuchthing (exit status 127)"),
        ("'no such' thing", "command not found: no such (exit status 127)"),
        ("true && nosuchthing", "command not found in: true && nosuchthing (exit status 127)"),
        ("./of-another-machine", "interpreter not found: /no/such/ruby (exit status 127)"),
        ("./of-windows serve", "interpreter not found: /bin/sh\\r (exit status 127)"),
        ("/etc/passwd", "command cannot be executed: /etc/passwd (exit status 126)"),
    ] {
        let source = Source::new(&format!("web: {command}\n"))
            .file("of-another-machine", "#!/no/such/ruby -w\n")
            .file("of-windows", "#!/bin/sh\r\necho ran\r\n");
        for script in ["of-another-machine", "of-windows"] {
            let executable = fs::Permissions::from_mode(0o755);
            fs::set_permissions(source.path().join(script), executable).expect("it is ours");
        }
        let is_tried_once = || {
            let ended = source.run(&[]);
            assert!(ended.err.contains(said), "{}", ended.err);
            assert!([126, 127].contains(&ended.code()), "{}", ended.code());
            ended.err.matches("started with pid").count() == 1
        };
        // On a busy machine it may take the shell a second to find out, and then it is tried again.
        assert!((0..5).any(|_| is_tried_once()), "{command}");
    }
    let later = Source::new("web: sleep 1.1; nosuchthing\n").run(&["--restart", "no"]);
    assert!(later.err.contains("ended with status 127 (command not found)\n"), "{}", later.err);
}

#[test]
fn what_goes_on_is_not_held_up_by_what_failed_and_the_failure_is_the_exit_status() {
    let source = Source::new("bad: nosuchthing\nweb: sleep 0.5; echo fine\n");
    let ended = source.run(&[]);
    assert!(ended.text().ends_with("web.1 | fine\n"), "{}", ended.text());
    assert_eq!(ended.code(), 127);
}

#[test]
fn the_first_that_ends_ends_all_where_that_is_asked_for() {
    for (exit, code) in [("exit 7", 7), ("exit 0", 0), ("kill -9 $$", 137), ("exec nosuchthing", 127)] {
        let source = Source::new(&format!("web: sleep 0.2; {exit}\nworker: exec sleep 1000\n"));
        let ended = source.run(&["--any-exit"]);
        assert_eq!(ended.code(), code, "{}", ended.err);
        assert!(ended.err.contains("worker.1 | ended by SIGTERM"), "{}", ended.err);
    }
}

#[test]
fn each_signal_that_ends_programs_ends_everything_in_order() {
    for signal in [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::ALARM] {
        let source =
            Source::new("web: sleep 1000 & setsid sleep 1000 & echo up; wait\nworker: exec sleep 1000\n");
        let running = source.start(&[]);
        running.await_out("up");
        running.await_err("worker.1 | started");
        running.signal(signal);
        let ended = running.end();
        assert!(ended.status.success(), "{signal:?}: {}", ended.status);
        assert!(ended.err.contains("ending, waiting for web.1 (pid "), "{}", ended.err);
        assert_eq!(source.left(), Vec::<String>::new());
    }
}

#[test]
fn the_second_interrupt_kills_what_the_first_did_not_end() {
    let source = Source::new("web: trap '' TERM INT QUIT; echo up; while :; do sleep 0.1; done\n");
    for (second, code) in [(Signal::INT, 130), (Signal::QUIT, 131)] {
        let running = source.start(&["-t", "600"]);
        running.await_out("up");
        running.signal(Signal::INT);
        running.await_err("SIGINT: ending, waiting for web.1 (pid ");
        std::thread::sleep(Duration::from_millis(200));
        running.signal(second);
        running.await_err("killing web.1 (pid ");
        let ended = running.end();
        assert!(ended.err.contains("web.1 | ended by SIGKILL"), "{}", ended.err);
        assert_eq!(ended.code(), code, "{}", ended.err);
    }
}

#[test]
fn an_interrupt_that_is_heard_twice_at_once_kills_nobody() {
    let web = "web: trap 'sleep 0.5; echo cleaned up; exit 0' TERM; echo up; while :; do sleep 0.1; done\n";
    let cleans_up = || {
        let source = Source::new(web);
        let running = source.start(&[]);
        running.await_out("up");
        running.signal(Signal::INT);
        std::thread::sleep(Duration::from_millis(10));
        running.signal(Signal::INT);
        running.end().text().contains("cleaned up")
    };
    // On a busy machine the second one may come so late that it is one of its own.
    assert!((0..5).any(|_| cleans_up()), "it was killed each time");
}

#[test]
fn what_does_not_end_is_killed_after_the_grace_that_was_given() {
    let source = Source::new("web: trap '' TERM; echo up; while :; do sleep 0.1; done\n");
    let running = source.start(&["-t", "1"]);
    running.await_out("up");
    let begin = Instant::now();
    running.signal(Signal::TERM);
    let ended = running.end();
    assert!(begin.elapsed() >= Duration::from_secs(1) && begin.elapsed() < Duration::from_secs(60));
    assert!(ended.err.contains("ended by SIGKILL"), "{}", ended.err);
}

#[test]
fn a_stdout_that_nobody_reads_any_more_ends_everything_well() {
    // The second writes nothing after the reader has left.
    for command in ["yes", "echo one; exec sleep 1000"] {
        let source = Source::new(&format!("web: {command}\n"));
        let mut shell = std::process::Command::new("bash");
        source.prepare(&mut shell);
        shell
            .arg("-c")
            .arg("\"$0\" | head -1; exit ${PIPESTATUS[0]}")
            .arg(env!("CARGO_BIN_EXE_ps-supervise"));
        let ended = source.start_command(shell).end();
        assert_eq!((ended.lines().len(), ended.code()), (1, 0), "{}", ended.err);
    }
}

#[test]
fn a_full_disk_behind_stdout_is_a_failure_that_is_said() {
    let source = Source::new("web: echo one; exec sleep 1000\n");
    let full = std::fs::File::options().write(true).open("/dev/full").expect("a full device");
    let mut command = source.command(&[]);
    let ended = command.stdout(Stdio::from(full)).stderr(Stdio::piped()).spawn().expect("it starts");
    let ended = ended.wait_with_output().expect("it ends");
    let words = String::from_utf8_lossy(&ended.stderr);
    assert!(words.contains("write to stdout: No space left"), "{words}");
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(source.processes(), Vec::<u32>::new());
}

#[test]
fn under_nohup_a_hangup_ends_nothing() {
    let source = Source::new("web: echo up; exec sleep 1000\n");
    let mut command = std::process::Command::new("nohup");
    source.prepare(&mut command);
    command.arg(env!("CARGO_BIN_EXE_ps-supervise"));
    let running = source.start_command(command);
    running.await_out("up");
    running.signal(Signal::HUP);
    running.signal(Signal::USR1);
    running.await_err("SIGUSR1 passed on");
    running.await_err("ended by SIGUSR1, starts again");
    running.signal(Signal::TERM);
    assert!(running.end().status.success());
}

#[test]
fn killed_itself_it_leaves_nothing_running() {
    let source = Source::new("web: setsid sleep 1000 & echo up; exec sleep 1000\n");
    let running = source.start(&[]);
    running.await_out("up");
    eventually("both run", || (source.processes().len() >= 2).then_some(()));
    running.signal(Signal::KILL);
    let ended = running.end();
    assert!(ended.err.contains("ps-supervise: ended web.1 (pid "), "{}", ended.err);
    eventually("its state is gone", || source.left().is_empty().then_some(()));
}

#[test]
fn it_ends_with_its_parent_where_that_is_asked_for() {
    for (args, ends) in [("--exit-with-parent", true), ("", false)] {
        let source = Source::new("web: echo up; exec sleep 1000\n");
        let mut shell = std::process::Command::new("sh");
        source.prepare(&mut shell);
        shell.arg("-c").arg(format!("\"$0\" {args} & echo $! >pid; exec sleep 1000"));
        let mut running = source.start_command({
            shell.arg(env!("CARGO_BIN_EXE_ps-supervise"));
            shell
        });
        running.await_out("up");
        let written = || std::fs::read_to_string(source.path().join("pid")).unwrap_or_default();
        // The shell may write it after that.
        let pid = eventually("the pid is written", || written().strip_suffix('\n')?.parse().ok());
        running.signal(Signal::KILL);
        running.child.wait().expect("it is ours");
        if ends {
            running.await_err("the parent process has ended: ending, waiting for web.1");
        } else {
            std::thread::sleep(Duration::from_millis(300));
            assert_eq!(source.processes().len(), 1, "it runs on");
            let pid = rustix::process::Pid::from_raw(pid).expect("a pid");
            rustix::process::kill_process(pid, Signal::TERM).expect("it is ours");
        }
        eventually("nothing of it runs on", || source.processes().is_empty().then_some(()));
    }
}

#[test]
fn a_file_that_became_unreadable_is_said_at_the_restart_and_mended_it_goes_on() {
    let source = Source::new("web: echo up; while [ ! -e die ]; do sleep 0.05; done; rm die; exit 1\n");
    let running = source.start(&[]);
    running.await_out("up");
    std::fs::write(source.path().join(".env"), "A=1\nB='\n").expect("written");
    std::fs::write(source.path().join("die"), "").expect("written");
    running.await_err("web.1 | could not be started: ");
    running.await_err(".env, line 2");
    std::fs::write(source.path().join(".env"), "A=1\n").expect("written");
    eventually("it is up again", || (running.out.text().matches("up\n").count() == 2).then_some(()));
    running.signal(Signal::TERM);
    assert!(running.end().status.success());
}
