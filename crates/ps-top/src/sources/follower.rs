//! The output of the selected instances, read by a `ps-logs` process, so that the screen does not wait for it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::Deserialize;

use super::thread::spawn;
use crate::message::{Line, Message};
use crate::subject::Subject;

/// How many earlier lines of each stream are read.
const EARLIER: &str = "500";
/// How many lines are sent together.
const TOGETHER: usize = 256;

/// Follows one selection at a time.
pub(crate) struct Follower {
    to: SyncSender<Message>,
    child: Arc<Mutex<Option<Child>>>,
}

/// A line of `ps-logs --json`.
#[derive(Deserialize)]
struct Row {
    process_type: String,
    index: u16,
    at: Option<Timestamp>,
    stream: String,
    line: String,
}

impl Follower {
    pub(crate) fn new(to: SyncSender<Message>) -> Self {
        Self { to, child: Arc::default() }
    }

    /// Follows this selection from now on, and nothing else.
    pub(crate) fn follow(&mut self, turn: u64, subject: &Subject) {
        self.end();
        self.child = Arc::default();
        let Some(program) = os_process::sister("ps-logs") else {
            return self.cannot(turn, "ps-logs is not installed beside ps-top".to_owned());
        };
        let mut command = Command::new(program);
        command.arg(subject.app.as_str()).args(subject.slot.as_ref().map(ToString::to_string));
        command.args(["-f", "-n", EARLIER, "--json"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return self.cannot(turn, format!("ps-logs: {error}")),
        };
        let (out, err) = (child.stdout.take(), child.stderr.take());
        *self.child.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        let (child, to) = (Arc::clone(&self.child), self.to.clone());
        spawn("output", &self.to, move || {
            let ended = out.is_none_or(|out| read(turn, out, &to).is_none());
            let mut said = String::new();
            // The error output is short, because the process could read nothing.
            let _ = err.map(|err| err.take(4096).read_to_string(&mut said));
            if let Some(mut child) = child.lock().unwrap_or_else(PoisonError::into_inner).take() {
                let _ = child.wait();
            }
            if !ended {
                let reason = said.lines().last().unwrap_or("ps-logs has ended").to_owned();
                let _ = to.send(Message::LinesEnded { turn, reason });
            }
        });
    }

    fn cannot(&self, turn: u64, reason: String) {
        let _ = self.to.try_send(Message::LinesEnded { turn, reason });
    }

    /// Ends the process that follows.
    fn end(&self) {
        if let Some(mut child) = self.child.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads to the end; `None` if the receiver is gone.
fn read(turn: u64, out: ChildStdout, to: &SyncSender<Message>) -> Option<()> {
    let mut out = BufReader::with_capacity(64 << 10, out);
    let mut lines = Vec::new();
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        let length = out.read_until(b'\n', &mut bytes).unwrap_or(0);
        lines.extend(serde_json::from_slice::<Row>(&bytes).ok().map(line));
        let has_more = out.buffer().contains(&b'\n') && lines.len() < TOGETHER;
        if !lines.is_empty() && !has_more {
            to.send(Message::Lines { turn, lines: std::mem::take(&mut lines) }).ok()?;
        }
        if length == 0 {
            return Some(());
        }
    }
}

fn line(row: Row) -> Line {
    let slot = format!("{}.{}", row.process_type, row.index);
    Line { at: row.at, slot, is_err: row.stream == "stderr", text: row.line }
}
