//! On a terminal: colours and times, keys, and what is typed.

use std::fs::File;
use std::io::Write;
use std::process::{Child, Command, ExitStatus};

use rustix::process::{Pid, Signal, WaitOptions};

use super::{Source, Taken};
use crate::pseudo_terminal;
use crate::service::eventually;

/// A foreground in a session and on a terminal of its own.
pub(super) struct Terminal {
    child: Child,
    master: File,
    screen: Taken,
}

impl Terminal {
    pub(super) fn start(source: &Source, args: &[&str]) -> Self {
        let (master, slave) = pseudo_terminal::pair();
        let mut command = Command::new("setsid");
        source.prepare(&mut command);
        command.args(["--ctty", env!("CARGO_BIN_EXE_ps-supervise")]).args(args).env("TERM", "xterm");
        let end = || slave.try_clone().expect("a descriptor");
        command.stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("it starts");
        let master = File::from(master);
        let screen = Taken::of(master.try_clone().expect("a descriptor"));
        Self { child, master, screen }
    }

    pub(super) fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("the terminal takes it");
    }

    pub(super) fn await_screen(&self, words: &str) {
        eventually(&format!("the screen says {words:?}"), || {
            self.screen.text().contains(words).then_some(())
        });
    }

    pub(super) fn master(&self) -> &File {
        &self.master
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub(super) fn end(mut self) -> (ExitStatus, String) {
        let status = eventually("it ends", || self.child.try_wait().expect("it is ours"));
        let text = self.screen.text();
        (status, text)
    }
}

const TWO: &str = "web: echo up; exec sleep 1000\nworker: echo up; exec sleep 1000\n";

#[test]
fn names_have_colours_and_lines_times_unless_they_are_not_wanted() {
    let source = Source::new(TWO);
    let plain = Source::new(TWO).variable("NO_COLOR", "1");
    for (source, args, is_colored, is_timed) in [
        (&source, &[][..], true, true),
        (&source, &["--no-timestamp"], true, false),
        (&source, &["--no-color"], false, true),
        (&plain, &["--no-timestamp"], false, false),
    ] {
        let mut terminal = Terminal::start(source, args);
        terminal.await_screen("started with pid");
        eventually("both are up", || (terminal.screen.text().matches("up\r\n").count() == 2).then_some(()));
        terminal.press("\x03");
        let (status, text) = terminal.end();
        assert!(status.success(), "{status} {text}");
        assert_eq!(text.contains("\x1b["), is_colored, "{text}");
        let up = text.lines().find(|line| line.ends_with("up")).expect("it was up");
        let is_time = |word: &str| word.len() == 8 && word.matches(':').count() == 2;
        let words = up.trim_start_matches(|c: char| c != 'm').trim_start_matches('m');
        let words = if is_colored { words } else { up };
        assert_eq!(words.split(' ').next().is_some_and(is_time), is_timed, "{up}");
    }
}

#[test]
fn ctrl_c_says_whom_it_waits_for_and_the_second_one_kills() {
    let source = Source::new("deaf: trap '' TERM; echo up; while :; do sleep 0.1; done\n");
    let mut terminal = Terminal::start(&source, &["--no-color", "-t", "600"]);
    terminal.await_screen("| up");
    terminal.press("\x03");
    terminal.await_screen("SIGINT: ending, waiting for deaf.1 (pid ");
    std::thread::sleep(std::time::Duration::from_millis(200));
    terminal.press("\x03");
    terminal.await_screen("deaf.1 | ended by SIGKILL");
    let (status, text) = terminal.end();
    assert_eq!(status.code(), Some(130), "{status} {text}");
    assert_eq!(source.processes(), Vec::<u32>::new());
}

#[test]
fn ctrl_z_stops_all_of_it_and_it_goes_on_where_it_was() {
    let source = Source::new("web: while :; do echo tick; sleep 0.05; done\n");
    let mut terminal = Terminal::start(&source, &["--no-color"]);
    terminal.await_screen("| tick");
    terminal.press("\x1a");
    let options = WaitOptions::UNTRACED | WaitOptions::NOHANG;
    eventually("it is stopped", || {
        let waited = rustix::process::waitpid(Some(terminal.pid()), options).expect("it is ours");
        waited.filter(|(_, status)| status.stopped())
    });
    eventually("its processes are stopped", || {
        let is_stopped = |pid: &u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with(['T', 'Z']))
        };
        source.processes().iter().all(is_stopped).then_some(())
    });
    let before = terminal.screen.text().matches("tick").count();
    rustix::process::kill_process(terminal.pid(), Signal::CONT).expect("it is ours");
    eventually("it ticks again", || {
        (terminal.screen.text().matches("tick").count() > before + 2).then_some(())
    });
    terminal.press("\x03");
    assert!(terminal.end().0.success());
    assert_eq!(source.processes(), Vec::<u32>::new());
}

#[test]
fn a_question_is_shown_and_its_answer_can_be_typed() {
    let source = Source::new("web: printf 'name? '; read -r name; echo \"hello $name\"; exec sleep 1000\n");
    let mut terminal = Terminal::start(&source, &["--no-color", "--stdin", "web"]);
    terminal.await_screen("name? ");
    terminal.press("ann\n");
    terminal.await_screen("hello ann");
    terminal.press("\x03");
    assert!(terminal.end().0.success());
}

#[test]
fn a_terminal_that_a_program_left_without_echo_has_it_again() {
    let source = Source::new("web: stty -echo; echo up; exec sleep 1000\n");
    let mut terminal = Terminal::start(&source, &["--stdin", "web"]);
    terminal.await_screen("up");
    let has_echo = |master: &File| {
        let typing = rustix::termios::tcgetattr(master).expect("a terminal");
        typing.local_modes.contains(rustix::termios::LocalModes::ECHO)
    };
    assert!(!has_echo(&terminal.master));
    let master = terminal.master.try_clone().expect("a descriptor");
    terminal.press("\x03");
    assert!(terminal.end().0.success());
    assert!(has_echo(&master));
}

#[test]
fn a_terminal_that_is_closed_ends_everything() {
    let source = Source::new("web: setsid sleep 1000 & echo up; exec sleep 1000\nbusy: yes\n");
    let Terminal { mut child, master, screen } = Terminal::start(&source, &[]);
    eventually("it is up", || screen.text().contains("up").then_some(()));
    // The reader has a descriptor of its own: hanging up closes the terminal for everybody.
    let pid = Pid::from_child(&child);
    drop(master);
    rustix::process::kill_process(pid, Signal::HUP).expect("it is ours");
    eventually("it ends", || child.try_wait().expect("it is ours"));
    assert_eq!(source.processes(), Vec::<u32>::new());
    assert_eq!(source.left(), Vec::<String>::new());
}

#[test]
fn a_terminal_that_was_stopped_keeps_no_signal_from_working() {
    let source = Source::new("web: yes\n");
    let mut terminal = Terminal::start(&source, &[]);
    terminal.await_screen("y\r\n");
    terminal.press("\x13");
    std::thread::sleep(std::time::Duration::from_millis(300));
    rustix::process::kill_process(terminal.pid(), Signal::TERM).expect("it is ours");
    let (status, _) = terminal.end();
    assert!(status.success(), "{status}");
    assert_eq!(source.processes(), Vec::<u32>::new());
}
