//! Reports each change, decides the reaction to it, and computes the exit status.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use formation::{Exit, Slot, State};
use ps_cli::exit::Outcome;
use ps_supervisor::{Cause, Change, Reaction, Spec, Status};
use rustix::process::{PidfdFlags, Signal};

use super::input;
use super::plan::Plan;
use super::printer::Printer;
use super::readiness::Readiness;
use super::schedule::Schedule;
use super::waiting::Waiting;
use crate::args::Args;

/// A command that the shell did not find is not restarted if it ended within this time.
const AT_ONCE: Duration = Duration::from_secs(1);
/// A process that exits with success within this time may have waited for input.
const SOON: Duration = Duration::from_secs(10);
const NOT_EXECUTABLE: i32 = 126;
const NOT_FOUND: i32 = 127;

/// The state of the processes as reported so far.
#[derive(Debug)]
pub(crate) struct Observer {
    spec: Spec,
    stdin: Option<Slot>,
    is_any_exit: bool,
    printer: Printer,
    running: BTreeMap<Slot, (u32, Instant)>,
    /// The port of each instance's last start, so that a change of it is reported once.
    ports: BTreeMap<Slot, Option<u16>>,
    readiness: Readiness,
    /// The types for which the hint about stdin was printed.
    hinted: BTreeSet<String>,
    /// The reported reasons why instances could not be started.
    reasons: BTreeMap<Slot, String>,
    schedule: Schedule,
    waiting: Waiting,
    is_ending: bool,
    is_told: bool,
    /// The second signal, at which everything was killed.
    killed_by: Option<Signal>,
    /// The exit status of the first process that failed for good, or, with `--any-exit`, of the first that ended.
    status: Option<u8>,
}

/// How the run ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    status: u8,
    /// Whether it was told to end.
    pub(crate) is_told: bool,
}

impl Ended {
    /// The program's outcome.
    pub(crate) fn status(self) -> Outcome {
        if self.status == 0 { Outcome::Done } else { Outcome::Status(self.status) }
    }
}

impl Observer {
    pub(crate) fn new(plan: &Plan, args: &Args, printer: Printer) -> Self {
        Self {
            spec: plan.spec.clone(),
            stdin: plan.stdin.clone(),
            is_any_exit: args.run.any_exit,
            printer,
            running: BTreeMap::new(),
            ports: BTreeMap::new(),
            readiness: Readiness::default(),
            hinted: BTreeSet::new(),
            reasons: BTreeMap::new(),
            schedule: Schedule::default(),
            waiting: Waiting::default(),
            is_ending: false,
            is_told: false,
            killed_by: None,
            status: None,
        }
    }

    /// The width of the prefix of each line.
    pub(crate) fn indent(&self) -> u16 {
        self.printer.indent()
    }

    /// Reports a change and decides the reaction to it.
    pub(crate) fn see(&mut self, change: Change) -> Reaction {
        match change {
            Change::Output { slot, reader } => self.printer.open(slot, reader),
            Change::Instance { status, starts_in } => return self.see_instance(&status, starts_in),
            Change::Note { slots, what } => {
                for slot in &slots {
                    self.printer.say(Some(slot), &what);
                }
            }
            Change::Ending { cause, waits_for } => self.see_ending(cause, &waits_for),
            Change::Killing { signal, waits_for } => {
                self.killed_by = Some(signal);
                self.printer.say_now(&format!("killing {}", names(&waits_for)));
            }
            Change::PassedOn(signal) => {
                self.printer
                    .say(None, &format!("{} passed on to every process", signal_name(signal.as_raw())));
            }
        }
        Reaction::GoOn
    }

    /// Everything has ended: the printer prints the rest.
    pub(crate) fn finish(mut self) -> (Ended, Printer) {
        for (slot, reason) in self.waiting.left().filter(|_| !self.is_ending) {
            self.printer.say(Some(&slot), &format!("was not started: it {reason}"));
            self.status.get_or_insert(1);
        }
        self.printer.finish();
        // A failure from before is what a person has to know more than that they were impatient.
        let interrupted = self.killed_by.map_or(0, |signal| exit_status(Some(Exit::Signal(signal.as_raw()))));
        let status = self.status.filter(|status| *status != 0).unwrap_or(interrupted);
        (Ended { status, is_told: self.is_told }, self.printer)
    }

    fn see_instance(&mut self, status: &Status, starts_in: Option<Duration>) -> Reaction {
        let slot = &status.slot;
        let before = self.running.get(slot).copied();
        let now = status.process.as_ref().map(|process| process.pid);
        let has_ended = status.state != State::Stopping && before.is_some_and(|(pid, _)| Some(pid) != now);
        let mut reaction = Reaction::GoOn;
        if let Some(text) = self.waiting.news(status).filter(|_| !self.is_ending) {
            self.printer.say(Some(slot), &text);
        }
        if let Some((_, since)) = before.filter(|_| has_ended) {
            self.running.remove(slot);
            reaction = self.see_end(status, since.elapsed(), starts_in);
        } else if let Some(reason) = status.reason.as_ref().filter(|_| now.is_none()) {
            reaction = self.see_failed_start(status, reason, starts_in);
        } else {
            self.see_schedule(status);
        }
        if let Some(pid) = now.filter(|pid| self.running.get(slot).is_none_or(|(known, _)| known != pid)) {
            self.running.insert(slot.clone(), (pid, Instant::now()));
            self.see_start(status, pid);
        }
        if let Some(text) = self.readiness.news(&self.spec, status).filter(|_| !self.is_ending) {
            self.printer.say(Some(slot), &text);
        }
        reaction
    }

    fn see_start(&mut self, status: &Status, pid: u32) {
        let slot = &status.slot;
        self.reasons.remove(slot);
        let text = match status.port {
            Some(port) => format!("started with pid {pid}, port {port}"),
            None => format!("started with pid {pid}"),
        };
        let before = self.ports.insert(slot.clone(), status.port);
        if let Some(port) = status.port.filter(|_| before != Some(status.port)) {
            let why = match ps_supervisor::port_by_place(&self.spec, slot) {
                Some(expected) if expected == port => None,
                Some(expected) => Some(ps_supervisor::port_obstacle(expected)),
                None => Some(format!("there is no port for {slot} from {} on", self.spec.base_port)),
            };
            if let Some(why) = why {
                self.printer.say(Some(slot), &format!("{why}: it gets {port}"));
            }
        }
        self.printer.say(Some(slot), &text);
        self.printer.listen(slot);
    }

    fn see_end(&mut self, status: &Status, lifetime: Duration, starts_in: Option<Duration>) -> Reaction {
        let slot = &status.slot;
        self.printer.drain(slot);
        let is_unknown_command = !self.is_ending
            && lifetime < AT_ONCE
            && matches!(status.last_exit, Some(Exit::Code(NOT_FOUND | NOT_EXECUTABLE)));
        let ended = if is_unknown_command { self.unknown_command(status) } else { how(status.last_exit) };
        let next = match (status.state, starts_in) {
            _ if is_unknown_command => String::new(),
            (State::Backoff, Some(delay)) => format!(", starts again in {}", seconds(delay)),
            (State::Scheduled, _) => self.schedule.due_again(status),
            (State::Crashed, _) if status.restarts > 0 => {
                let plural = if status.restarts == 1 { "" } else { "s" };
                format!(", given up after {} restart{plural}", status.restarts)
            }
            _ => self.hint(status, lifetime),
        };
        self.printer.say(Some(slot), &format!("{ended}{next}"));
        // The end of a scheduled run does not end the other processes.
        if self.is_ending || self.spec.is_scheduled(&slot.process_type) {
            return Reaction::GoOn;
        }
        let is_for_good = is_unknown_command || status.state == State::Crashed;
        if self.is_any_exit || is_for_good {
            self.status.get_or_insert(exit_status(status.last_exit));
        }
        match (self.is_any_exit, is_unknown_command) {
            (true, _) => Reaction::EndAll,
            (false, true) => Reaction::LeaveIt,
            (false, false) => Reaction::GoOn,
        }
    }

    /// Reports when an instance that waits for its scheduled time is due.
    fn see_schedule(&mut self, status: &Status) {
        if let Some(text) = self.schedule.due(status).filter(|_| !self.is_ending) {
            self.printer.say(Some(&status.slot), &text);
        }
    }

    fn see_failed_start(&mut self, status: &Status, reason: &str, starts_in: Option<Duration>) -> Reaction {
        let slot = &status.slot;
        let is_over = starts_in.is_none();
        // A reason beside another state does not mean that a start failed.
        if !matches!(status.state, State::Backoff | State::Crashed | State::Scheduled) || self.is_ending {
            return Reaction::GoOn;
        }
        let next = match starts_in {
            Some(delay) => format!("tried again in {}", seconds(delay)),
            None => "given up".to_owned(),
        };
        let is_new = self.reasons.insert(slot.clone(), reason.to_owned()).as_deref() != Some(reason);
        if is_new || is_over {
            self.printer.say(Some(slot), &format!("could not be started: {reason}; {next}"));
        }
        if is_over || self.is_any_exit {
            self.status.get_or_insert(1);
        }
        if self.is_any_exit { Reaction::EndAll } else { Reaction::GoOn }
    }

    fn unknown_command(&self, status: &Status) -> String {
        let command =
            self.spec.process(&status.slot.process_type).map_or("", |process| process.command.as_str());
        let exit = status.last_exit.map(|exit| exit.to_string()).unwrap_or_default();
        let is_missing = status.last_exit == Some(Exit::Code(NOT_FOUND));
        // Only the program's name is shown, so variables are left as written.
        let as_written = |name: &[u8]| Some([b"$", name].concat());
        let program = procfile::words(command, &as_written).and_then(|words| words.into_iter().next());
        let program = program.and_then(|program| String::from_utf8(program).ok());
        let program = program.filter(|program| !program.contains('$'));
        let interpreter = program.as_ref().filter(|_| is_missing).and_then(|program| {
            ps_supervisor::missing_interpreter(&self.spec.directory, OsStr::new(program))
        });
        let what = match (is_missing, &interpreter) {
            (true, Some(_)) => "interpreter not found",
            (true, None) => "command not found",
            (false, _) => "command cannot be executed",
        };
        match interpreter.or(program) {
            Some(program) => format!("{what}: {program} ({exit}), not started again"),
            None => format!("{what} in: {command} ({exit}), not started again"),
        }
    }

    /// A hint for a process that exited soon with success: it may have gone to the background, or have found no input.
    fn hint(&mut self, status: &Status, lifetime: Duration) -> String {
        let slot = &status.slot;
        let name = slot.process_type.as_str();
        let is_sudden = !self.is_ending && status.last_exit == Some(Exit::Code(0)) && lifetime < SOON;
        if let Some(note) = status.note.as_ref().filter(|_| is_sudden) {
            return format!(" ({note})");
        }
        let command = self.spec.process(&slot.process_type).map_or("", |process| process.command.as_str());
        let is_hinted = is_sudden
            && !slot.process_type.is_release()
            && self.stdin.as_ref() != Some(slot)
            && input::may_be_read(command)
            && self.hinted.insert(name.to_owned());
        if is_hinted {
            format!(" (its stdin is /dev/null; if it waits for input: --stdin {name})")
        } else {
            String::new()
        }
    }

    fn see_ending(&mut self, cause: Cause, waits_for: &[(Slot, u32)]) {
        self.is_ending = true;
        self.is_told = cause != Cause::Asked;
        let why = match cause {
            Cause::Signal(signal) => signal_name(signal.as_raw()),
            Cause::Descriptor(0) => "stdout is closed".to_owned(),
            Cause::Descriptor(_) => "the parent process has ended".to_owned(),
            Cause::Asked => "one has ended".to_owned(),
            Cause::Client => "asked to end".to_owned(),
        };
        let waits = if waits_for.is_empty() {
            String::new()
        } else {
            let key = if cause == Cause::Signal(Signal::INT) { "Ctrl-C again" } else { "Ctrl-C" };
            format!(", waiting for {}; {key} kills", names(waits_for))
        };
        self.printer.say_now(&format!("{why}: ending{waits}"));
    }
}

/// A pidfd of the parent process, readable once that has ended.
pub(crate) fn parent() -> Result<OwnedFd> {
    let parent = rustix::process::getppid();
    let parent =
        parent.context("--exit-with-parent: the process that started this one cannot be seen from here")?;
    rustix::process::pidfd_open(parent, PidfdFlags::empty()).context("--exit-with-parent")
}

/// Whether SIGHUP was ignored at our start, as under nohup (proc(5), `SigIgn`).
pub(crate) fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    ignored >> (Signal::HUP.as_raw() - 1) & 1 == 1
}

fn how(exit: Option<Exit>) -> String {
    match exit {
        Some(Exit::Code(NOT_FOUND)) => format!("ended with status {NOT_FOUND} (command not found)"),
        Some(Exit::Code(NOT_EXECUTABLE)) => format!("ended with status {NOT_EXECUTABLE} (not executable)"),
        Some(Exit::Code(code)) => format!("ended with status {code}"),
        Some(Exit::Signal(signal)) => format!("ended by {}", signal_name(signal)),
        None => "ended with an unknown status".to_owned(),
    }
}

/// 128 + n for signal n, as in a shell.
fn exit_status(exit: Option<Exit>) -> u8 {
    let status = match exit {
        Some(Exit::Code(code)) => code,
        Some(Exit::Signal(signal)) => 128 + signal,
        None => 1,
    };
    u8::try_from(status).unwrap_or(1)
}

fn signal_name(signal: i32) -> String {
    signal_hook::low_level::signal_name(signal).map_or_else(|| format!("signal {signal}"), str::to_owned)
}

fn names(processes: &[(Slot, u32)]) -> String {
    let name = |(slot, pid): &(Slot, u32)| format!("{slot} (pid {pid})");
    processes.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn seconds(delay: Duration) -> String {
    let seconds = delay.as_secs_f64();
    if seconds < 10.0 { format!("{seconds:.1} s") } else { format!("{seconds:.0} s") }
}
