//! Programs that a test runs: to their end, or beside it.

use std::fs;
use std::io::{ErrorKind, Read};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::home::{SOON, eventually};

/// After this long a program counts as hanging.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// What came of running a program.
#[derive(Clone, Debug)]
pub(crate) struct Ran {
    /// The exit status; `None` if a signal ended it.
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ran {
    /// That it was refused or failed with this status and one clear line that says all of this. Lines that follow are
    /// those of the process that failed.
    pub(crate) fn is_refused(&self, status: i32, says: &[&str]) {
        assert_eq!(self.status, Some(status), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        let ours = |line: &&str| line.starts_with("ps-lifecycle: ") || line.starts_with("error: ");
        let lines: Vec<&str> = self.stderr.lines().filter(ours).collect();
        assert_eq!(lines.len(), 1, "one line says why: {self:?}");
        for word in says {
            assert!(lines[0].contains(word), "{word:?} is not in {self:?}");
        }
    }

    /// Each line of stdout as JSON.
    pub(crate) fn rows(&self) -> Vec<Value> {
        let row = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?} of {self:?}"))
        };
        self.stdout.lines().map(row).collect()
    }
}

/// A program that runs beside the test; it is killed, with its group, when this is dropped.
pub(crate) struct Running(Option<Child>);

impl Running {
    /// Starts it.
    pub(crate) fn begin(mut command: Command) -> Self {
        Self(Some(command.spawn().expect("the program starts")))
    }

    fn child(&mut self) -> &mut Child {
        self.0.as_mut().expect("it was not waited for yet")
    }

    /// Its pid.
    pub(crate) fn pid(&mut self) -> u32 {
        self.child().id()
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child().try_wait().expect("it is ours").is_none()
    }

    /// Sends a signal to the program and all it started, as a terminal does.
    pub(crate) fn signal(&mut self, signal: Signal) {
        let group = Pid::from_child(self.child());
        rustix::process::kill_process_group(group, signal).expect("the group is there");
    }

    /// Waits until it has a handler for SIGINT: from then on it is not just ended by it.
    pub(crate) fn until_it_minds_signals(&mut self) {
        let path = format!("/proc/{}/status", self.child().id());
        eventually("it handles SIGINT", || {
            let status = fs::read_to_string(&path).map_err(|error| error.to_string())?;
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
            let caught = u64::from_str_radix(caught.trim(), 16).map_err(|error| error.to_string())?;
            if caught & 0b10 == 0 { Err(status) } else { Ok(()) }
        });
    }

    /// Reads its stdout until it says this; all that was read.
    pub(crate) fn until_stdout_says(&mut self, word: &str) -> String {
        let mut stdout = self.child().stdout.take().expect("a pipe");
        let word = word.to_owned();
        let (sender, receiver) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
            while let Ok(n @ 1..) = stdout.read(&mut buffer) {
                read.extend_from_slice(&buffer[..n]);
                let text = String::from_utf8_lossy(&read).into_owned();
                if text.contains(&word) {
                    // The test may have given up.
                    let _ = sender.send(text);
                    return;
                }
            }
        });
        receiver.recv_timeout(SOON).expect("it says so before long")
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Ran {
        let child = self.0.take().expect("it was not waited for yet");
        outcome(child, Instant::now(), DEADLINE)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = rustix::process::kill_process_group(Pid::from_child(child), Signal::KILL);
            let _ = child.wait();
        }
    }
}

/// Runs a program to its end, which must come before [`DEADLINE`].
pub(crate) fn run(command: Command) -> Ran {
    run_within(command, DEADLINE)
}

/// Runs a program to its end, which must come before so long.
pub(crate) fn run_within(mut command: Command, deadline: Duration) -> Ran {
    let began = Instant::now();
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // A program that this test has just written is busy while another test's child that was forked meanwhile has not executed
    // its own.
    let spawned = loop {
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && began.elapsed() < DEADLINE => {
                thread::sleep(Duration::from_millis(5));
            }
            spawned => break spawned,
        }
    };
    outcome(spawned.expect("the program starts"), began, deadline)
}

fn outcome(child: Child, began: Instant, deadline: Duration) -> Ran {
    let pid = Pid::from_child(&child);
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = receiver.recv_timeout(deadline) else {
        let _ = rustix::process::kill_process(pid, Signal::KILL);
        panic!("the program hangs: still there after {deadline:?}, or somebody holds its output");
    };
    let output = output.expect("its output can be read");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        status: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
        took: began.elapsed(),
    }
}
