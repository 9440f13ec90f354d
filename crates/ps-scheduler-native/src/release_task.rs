//! The `release` process: it runs once per deploy, to its end, before any new instance starts. If it fails, the deploy
//! fails. It shares the app's lock with the deploy, so that if the deploy is killed, no other verb starts anything beside a
//! running `release`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use formation::{Exit, Slot};
use ps_scheduler::{Error, Progress, Requester};
use ps_supervisor::{Confinement, Invocation, Spec, Task};

use crate::service::Service;

const TURN: Duration = Duration::from_millis(50);
/// How long to wait for output after the whole tree has ended: a process that escaped from the tree may still hold its
/// stdout.
const LAST_WORDS: Duration = Duration::from_millis(200);
const LAST_WORDS_IN_ALL: Duration = Duration::from_secs(10);
/// The longest line that is passed on whole, in bytes; a longer one is passed on in pieces.
const LONGEST: u64 = 1 << 16;
/// How many lines are buffered before the process is blocked.
const LINES: usize = 1024;

/// Runs the `release` command of a spec, if it has one, and passes its output on line by line. If the deploy is cancelled,
/// its whole process tree is ended with the spec's grace period. Processes that it leaves behind are ended too, as they
/// would be in a container.
pub(crate) fn run(service: &Service, spec: &Spec, requester: &mut Requester<'_>) -> Result<(), Error> {
    let Some(process) = spec.processes.iter().find(|process| process.process_type == formation::RELEASE)
    else {
        return Ok(());
    };
    let slot: Slot = "release.1".parse().expect("release.1 is a slot");
    let failed = |reason: String| Error::deploy_failed(&service.app, &slot, reason);
    let environment = ps_supervisor::environment(spec, &slot, None).map_err(failed)?;
    let mut task = Task::new(&service.directory, &slot);
    let grace = spec.grace(&slot.process_type);
    if !task.is_empty() {
        (requester.tell)(Progress::Note(
            "Ending the release of an earlier deploy, which still runs".to_owned(),
        ));
        task.end(grace);
    }
    task.limit(&process.settings, &service.directory, &slot).map_err(failed)?;
    let invocation = Invocation::script(script(process, requester), &environment).map_err(failed)?;
    (requester.tell)(Progress::Note(format!("Running release: {}", process.command)));
    let not_started =
        |error| failed(format!("could not be started in {}: {error}", spec.directory.display()));
    let confinement = Confinement::of(&process.settings);
    let launcher = confinement.as_ref().map(|_| service.program()).transpose()?;
    let mut child = task
        .command(&invocation, environment.iter(), confinement.as_ref(), launcher.as_deref())
        .map_err(not_started)?
        .current_dir(&spec.directory)
        .stdin(lock(requester).map_err(not_started)?)
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(not_started)?;
    let lines = lines(child.stdout.take());
    let status = follow(&mut child, &task, &lines, grace, requester)
        .map_err(|error| failed(format!("could not be waited for: {error}")));
    let killed = status.as_ref().ok().and_then(|status| task.for_want_of_memory(exit(*status)));
    let has_ended = task.end(grace);
    drain(&lines, requester);
    let status = status?;
    requester.cancel.check()?;
    match status.success() {
        true if has_ended => Ok(()),
        true => Err(failed("left processes running that cannot be ended; nothing was changed".to_owned())),
        false => {
            let killed = killed.map(|killed| format!(", {killed}")).unwrap_or_default();
            Err(failed(format!("failed ({status}{killed}); nothing was changed")))
        }
    }
}

fn exit(status: ExitStatus) -> Exit {
    status.code().map_or_else(|| Exit::Signal(status.signal().unwrap_or(0)), Exit::Code)
}

/// The shell script around the command. stdout and stderr are one stream, and neither is the caller's. The lock is handed
/// over as stdin, because no other descriptor can be, and is moved to a descriptor where no program reads it by mistake.
fn script(process: &ps_supervisor::ProcessSpec, requester: &Requester<'_>) -> String {
    let lock = if requester.lock.is_some() { "3<&0 </dev/null " } else { "" };
    format!("exec {lock}2>&1\n{}", process.command)
}

fn lock(requester: &Requester<'_>) -> std::io::Result<Stdio> {
    requester.lock.map_or_else(|| Ok(Stdio::null()), |lock: &File| Ok(Stdio::from(lock.try_clone()?)))
}

fn lines(stdout: Option<ChildStdout>) -> Receiver<String> {
    let (send, receive) = mpsc::sync_channel(LINES);
    if let Some(stdout) = stdout {
        thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            let mut line = Vec::new();
            while matches!(reader.by_ref().take(LONGEST).read_until(b'\n', &mut line), Ok(1..)) {
                line.pop_if(|byte| *byte == b'\n');
                let text = String::from_utf8_lossy(&line).into_owned();
                line.clear();
                if send.send(text).is_err() {
                    return;
                }
            }
        });
    }
    receive
}

/// Passes on the output that is still in the pipe.
fn drain(lines: &Receiver<String>, requester: &mut Requester<'_>) {
    let deadline = Instant::now() + LAST_WORDS_IN_ALL;
    while let Ok(line) = lines.recv_timeout(LAST_WORDS)
        && Instant::now() < deadline
    {
        (requester.tell)(Progress::Output(line));
    }
}

fn follow(
    child: &mut Child,
    task: &Task,
    lines: &Receiver<String>,
    grace: Duration,
    requester: &mut Requester<'_>,
) -> std::io::Result<ExitStatus> {
    let mut told_to_end: Option<Instant> = None;
    loop {
        let is_closed = match lines.recv_timeout(TURN) {
            Ok(line) => {
                (requester.tell)(Progress::Output(line));
                false
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => true,
        };
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if is_closed {
            thread::sleep(TURN);
        }
        if requester.cancel.check().is_err() {
            let main = Some(child.id());
            match told_to_end {
                None => {
                    told_to_end = Some(Instant::now());
                    task.terminate(main);
                }
                Some(since) if since.elapsed() >= grace => task.kill(main),
                Some(_) => (),
            }
        }
    }
}
