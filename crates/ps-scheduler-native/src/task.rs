//! The tasks of a deploy, such as the `release` process: each runs once, to its end. A task shares the app's lock with the deploy, so
//! that if the deploy is killed, no other verb starts anything beside the running task.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use formation::Exit;
use ps_scheduler::{Error, LAST_LINES, Progress, Release, Requester, Task};
use ps_service::Service;
use ps_supervisor::{Confinement, Invocation, ProcessSpec, Spec};
use type_settings::TypeSettings;

const TURN: Duration = Duration::from_millis(50);
/// How long to wait for output after the whole tree has ended: a process that escaped from the tree may still hold its
/// stdout.
const LAST_WORDS: Duration = Duration::from_millis(200);
const LAST_WORDS_IN_ALL: Duration = Duration::from_secs(10);
/// The longest line that is passed on whole, in bytes; a longer one is passed on in pieces.
const LONGEST: u64 = 1 << 16;
/// How many lines are buffered before the process is blocked.
const LINES: usize = 1024;

/// Runs a task, and passes its output on line by line. If the deploy is cancelled, or the time of the task is over, its whole process
/// tree is ended with its grace period. Processes that it leaves behind are ended too, as they would be in a container.
pub(crate) fn run(
    service: &Service,
    spec: &Spec,
    (release, task): (&Release, &Task),
    requester: &mut Requester<'_>,
) -> Result<(), Error> {
    let slot = task.slot();
    let (settings, grace) = (release.settings(&slot.process_type), release.grace(&task.process_type));
    let failed = |reason: String| Error::deploy_failed(&service.app, &slot, reason);
    let environment = ps_supervisor::environment(&knowing(spec, task, settings), &slot, None);
    let environment = environment.map_err(failed)?;
    let mut tree = ps_supervisor::Task::new(&service.directory, &slot);
    if !tree.is_empty() {
        let text = format!("Ending the {} of an earlier deploy, which still runs", slot.process_type);
        (requester.tell)(Progress::Note(text));
        tree.end(grace);
    }
    tree.limit(settings, &service.directory, &slot).map_err(failed)?;
    let invocation = Invocation::script(script(&task.command, requester), &environment).map_err(failed)?;
    (requester.tell)(Progress::Note(format!("Running {}: {}", slot.process_type, task.command)));
    let not_started =
        |error| failed(format!("could not be started in {}: {error}", spec.directory.display()));
    let confinement = Confinement::of(settings);
    let launcher = confinement.as_ref().map(|_| service.program()).transpose()?;
    let mut child = tree
        .command(&invocation, environment.iter(), confinement.as_ref(), launcher.as_deref())
        .map_err(not_started)?
        .current_dir(&spec.directory)
        .stdin(lock(requester).map_err(not_started)?)
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(not_started)?;
    let mut run = Run {
        lines: lines(child.stdout.take()),
        last: VecDeque::new(),
        ends_at: Instant::now().checked_add(release.run_timeout(&task.process_type)),
        is_late: false,
    };
    let status = run.follow(&mut child, &tree, grace, requester);
    let status = status.map_err(|error| failed(format!("could not be waited for: {error}")));
    let killed = status.as_ref().ok().and_then(|status| tree.for_want_of_memory(exit(*status)));
    let has_ended = tree.end(grace);
    run.drain(requester);
    let status = status?;
    requester.cancel.check()?;
    let killed = killed.map(|killed| format!(", {killed}")).unwrap_or_default();
    let how = match (run.is_late, status.success(), has_ended) {
        (false, true, true) => return Ok(()),
        (true, ..) => release.overdue(&task.process_type),
        (false, true, false) => "left processes running that cannot be ended".to_owned(),
        (false, false, _) => format!("failed ({status}{killed})"),
    };
    Err(task.failed(release, &how, &run.last))
}

/// A copy of the spec in which the task has the settings of the release.
fn knowing(spec: &Spec, task: &Task, settings: &TypeSettings) -> Spec {
    let mut spec = spec.clone();
    if spec.process(&task.process_type).is_none() {
        let (process_type, settings) = (task.process_type.to_string(), settings.clone());
        spec.processes.push(ProcessSpec { process_type, settings, ..ProcessSpec::default() });
    }
    spec
}

fn exit(status: ExitStatus) -> Exit {
    status.code().map_or_else(|| Exit::Signal(status.signal().unwrap_or(0)), Exit::Code)
}

/// The shell script around the command. stdout and stderr are one stream, and neither is the caller's. The lock is passed on as stdin,
/// because no other descriptor can be passed, and is moved to a descriptor that no program reads by mistake.
fn script(command: &str, requester: &Requester<'_>) -> String {
    let lock = if requester.lock.is_some() { "3<&0 </dev/null " } else { "" };
    format!("exec {lock}2>&1\n{command}")
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

/// A task that runs, or has just ended.
struct Run {
    /// The lines that the task writes.
    lines: Receiver<String>,
    /// The last lines.
    last: VecDeque<String>,
    ends_at: Option<Instant>,
    /// Whether the task was told to end because its time was over.
    is_late: bool,
}

impl Run {
    fn pass_on(&mut self, line: String, requester: &mut Requester<'_>) {
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line.clone());
        (requester.tell)(Progress::Output(line));
    }

    /// Passes on the output that is still in the pipe.
    fn drain(&mut self, requester: &mut Requester<'_>) {
        let deadline = Instant::now() + LAST_WORDS_IN_ALL;
        while let Ok(line) = self.lines.recv_timeout(LAST_WORDS)
            && Instant::now() < deadline
        {
            self.pass_on(line, requester);
        }
    }

    fn follow(
        &mut self,
        child: &mut Child,
        tree: &ps_supervisor::Task,
        grace: Duration,
        requester: &mut Requester<'_>,
    ) -> std::io::Result<ExitStatus> {
        let mut told_to_end: Option<Instant> = None;
        loop {
            match self.lines.recv_timeout(TURN) {
                Ok(line) => self.pass_on(line, requester),
                Err(RecvTimeoutError::Timeout) => (),
                Err(RecvTimeoutError::Disconnected) => thread::sleep(TURN),
            }
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            self.is_late |= self.ends_at.is_some_and(|at| Instant::now() >= at);
            if self.is_late || requester.cancel.check().is_err() {
                let main = Some(child.id());
                match told_to_end {
                    None => {
                        told_to_end = Some(Instant::now());
                        tree.terminate(main);
                    }
                    Some(since) if since.elapsed() >= grace => tree.kill(main),
                    Some(_) => (),
                }
            }
        }
    }
}
