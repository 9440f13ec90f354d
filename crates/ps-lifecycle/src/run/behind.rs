//! A detached native one-off. This program starts itself once more, in a session of its own, and that second process
//! waits for the one-off. Once the one-off runs, the second process writes a byte to its stdin, which is a socket to
//! the first one.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use formation::{AppName, Slot};
use ps_scheduler_native::Native;

use crate::args::RunArgs;
use crate::session::Session;

/// How long it may take until the one-off has started.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many bytes of the second process's output are read if the one-off does not start.
const LAST_WORDS: u64 = 1 << 16;
const OURS: &str = "ps-lifecycle: ";

/// Starts the second process, and returns when the one-off runs.
pub(super) fn start(session: &Session, app: &AppName, name: &Slot, args: &RunArgs) -> Result<()> {
    let native = Native::new(&session.world);
    let (log, output) = native.open_log_of_one_off(app, name)?;
    let (mut ours, theirs) = UnixStream::pair().context("make a socket")?;
    ours.set_read_timeout(Some(PATIENCE)).context("make a socket")?;
    let mut program = Command::new(os_process::sister("ps-lifecycle").context("find ps-lifecycle")?);
    program.args(words(name, args));
    program.stdin(Stdio::from(OwnedFd::from(theirs))).stdout(output.try_clone()?).stderr(output);
    let mut child = program.spawn().context("start a program that waits for it")?;
    // From now on only the child has the other end of the socket.
    drop(program);
    let mut byte = [0];
    if matches!(ours.read(&mut byte), Ok(1)) {
        return Ok(());
    }
    // The child has ended, or does not answer.
    let _ = child.kill();
    let _ = child.wait();
    let mut said = String::new();
    let _ = File::open(&log).and_then(|file| file.take(LAST_WORDS).read_to_string(&mut said));
    let _ = std::fs::remove_file(&log);
    let last = said.lines().last().unwrap_or("it has not started");
    bail!("{}", last.strip_prefix(OURS).unwrap_or(last))
}

/// The arguments of the second process.
fn words(name: &Slot, args: &RunArgs) -> Vec<String> {
    let mut words = vec!["run".to_owned(), args.app.clone()];
    words.extend(args.process_type.as_ref().map(ToString::to_string));
    words.extend(["--behind".to_owned(), name.to_string()]);
    for (name, value) in &args.env {
        words.extend(["--env".to_owned(), format!("{name}={value}")]);
    }
    if let Some(timeout) = &args.timeout {
        words.extend(["--timeout".to_owned(), timeout.to_string()]);
    }
    if !args.command.is_empty() {
        words.push("--".to_owned());
        words.extend(args.command.iter().cloned());
    }
    words
}

/// Leaves the session, because the terminal of the first process may be closed.
pub(super) fn leave_session() {
    // This fails if this process already leads a session.
    let _ = rustix::process::setsid();
}

/// Tells the first process that the one-off runs.
pub(super) fn tell() {
    if let Ok(socket) = rustix::io::dup(io::stdin()) {
        // If the first process has ended, the write fails, and nobody has to be told.
        let _ = UnixStream::from(socket).write_all(b".");
    }
}
