//! The `release` process: run once per deploy, to its end, before anything new starts. If it fails the deploy fails.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use ps_scheduler::{Error, Progress, Slot, Watch};
use ps_supervisor::{Invocation, Spec};
use rustix::process::{Pid, Signal, kill_process_group};

const TURN: Duration = Duration::from_millis(50);
/// How long output of a process that has ended is still waited for: somebody it left behind may hold its stdout.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Runs the `release` command of a spec, if it has one; its output is told line by line. When the deploy is cancelled
/// its whole process group ends, with the spec's grace period.
pub(crate) fn run(spec: &Spec, watch: &mut Watch<'_>) -> Result<(), Error> {
    let Some(process) = spec.processes.iter().find(|process| process.process_type == "release") else {
        return Ok(());
    };
    let slot: Slot = "release.1".parse().expect("release.1 is a slot");
    let failed =
        |reason: String| Error::DeployFailed { app: spec.app.clone(), slot: slot.to_string(), reason };
    let environment = ps_supervisor::environment(spec, &slot, None).map_err(failed)?;
    let script = format!("{{ {}\n}} 2>&1", process.command);
    let invocation = Invocation::script(script, &environment).map_err(failed)?;
    (watch.say)(Progress::Note(format!("Running release: {}", process.command)));
    let mut child = invocation
        .plain_command()
        .env_clear()
        .envs(environment.iter())
        .current_dir(&spec.directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| failed(format!("could not be started in {}: {error}", spec.directory.display())))?;
    let lines = lines(child.stdout.take());
    let status = follow(&mut child, &lines, spec.grace(), watch)
        .map_err(|error| failed(format!("could not be waited for: {error}")))?;
    watch.cancel.check()?;
    if status.success() { Ok(()) } else { Err(failed(format!("failed ({status}); nothing was changed"))) }
}

fn lines(stdout: Option<ChildStdout>) -> Receiver<String> {
    let (send, receive) = mpsc::channel();
    if let Some(stdout) = stdout {
        thread::spawn(move || {
            let lines = BufReader::new(stdout).split(b'\n').map_while(Result::ok);
            let mut lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
            lines.try_for_each(|line| send.send(line))
        });
    }
    receive
}

fn follow(
    child: &mut Child,
    lines: &Receiver<String>,
    grace: Duration,
    watch: &mut Watch<'_>,
) -> std::io::Result<ExitStatus> {
    let mut ended: Option<(ExitStatus, Instant)> = None;
    let mut told_to_end: Option<Instant> = None;
    loop {
        let is_closed = match lines.recv_timeout(TURN) {
            Ok(line) => {
                (watch.say)(Progress::Output(line));
                continue;
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => true,
        };
        match ended {
            Some((status, since)) if is_closed || since.elapsed() >= LAST_WORDS => return Ok(status),
            Some(_) => (),
            None => ended = child.try_wait()?.map(|status| (status, Instant::now())),
        }
        if is_closed && ended.is_none() {
            thread::sleep(TURN);
        }
        if ended.is_none() && watch.cancel.check().is_err() {
            let since = *told_to_end.get_or_insert_with(Instant::now);
            signal(child, if since.elapsed() >= grace { Signal::KILL } else { Signal::TERM });
        }
    }
}

/// To the whole group: the child has not been waited for, so the group is still its own.
fn signal(child: &Child, signal: Signal) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, signal);
    }
}
