//! The supervisor in the foreground: it runs inside the process of whoever looks on. That one is given the output of each
//! instance and is told what happens; the spec is in memory, and no value of the environment is ever on disk.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use formation::Slot;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal};
use signal_hook::consts::{
    SIGALRM, SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH,
};

use super::{Supervisor, Until};
use crate::attachment::{Attached, Attachment, Cause, Change, Reaction, Waited};
use crate::run::Run;
use crate::seat_table::Event;
use crate::source::Source;
use crate::spec::Spec;
use crate::status::Status;
use crate::{Error, seat::Seat};

const SIGNALS: [i32; 10] =
    [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGTSTP, SIGCONT, SIGUSR1, SIGUSR2, SIGWINCH];
/// A second SIGINT so soon after the first is the same key: a terminal sends it to us, and so does a parent that heard it too.
const SAME_KEY: Duration = Duration::from_millis(100);

impl Supervisor {
    /// Takes charge of a service directory of its own and starts what the spec wants. SIGHUP, SIGINT, SIGQUIT, SIGTERM and
    /// SIGALRM end everything; a later SIGINT or SIGQUIT kills it; SIGTSTP and SIGCONT stop and continue all of it;
    /// SIGUSR1 and SIGUSR2 are passed on, SIGWINCH to those that have terminals.
    pub fn attached(service: &Path, spec: Spec, attachment: Attachment) -> Result<Self, Error> {
        let attached = Attached { attachment, news: Vec::new(), ending_since: None };
        let mut supervisor =
            Self::take_charge(service, spec, super::take_lock(service)?, Some(attached), &SIGNALS)?;
        supervisor.watch_ends().map_err(|errno| Error::io("watch", service, errno))?;
        supervisor.apply();
        supervisor.unattached.take().map_or(Ok(supervisor), Err)
    }

    /// Ends whatever a supervisor that died left running in a service directory, and returns what that was.
    pub fn end_what_is_left(service: &Path, grace: Duration) -> Result<Vec<Status>, Error> {
        let nothing = Spec {
            app: String::new(),
            revision: 0,
            directory: service.to_owned(),
            typed: None,
            env: BTreeMap::new(),
            env_files: Vec::new(),
            dokku_env_files: Vec::new(),
            base_port: 0,
            port_is_set: false,
            places: BTreeMap::new(),
            restart_policy: formation::RestartPolicy::No,
            stop_timeout_seconds: grace.as_secs(),
            processes: Vec::new(),
            stopped: Vec::new(),
        };
        let mut supervisor =
            Self::take_charge(service, nothing, super::take_lock(service)?, None, &super::END_SIGNALS)?;
        supervisor.adopt()?;
        let left = supervisor.seats.values().filter(|seat| !seat.is_at_rest());
        let left = left.map(|seat| seat.status().clone()).collect();
        supervisor.apply();
        supervisor.run(Until::AtRest)?;
        Ok(left)
    }

    /// Runs until everything has ended or was given up. Each change is passed to `observe`, in order.
    pub fn run_attached(&mut self, observe: &mut dyn FnMut(Change) -> Reaction) -> Result<(), Error> {
        loop {
            self.publish();
            let news = self.attached.as_mut().map(|attached| std::mem::take(&mut attached.news));
            let news = news.unwrap_or_default();
            if news.is_empty() && self.is_over(Until::AtRest) {
                return Ok(());
            }
            let is_quiet = news.is_empty();
            for change in news {
                self.pass(change, observe);
            }
            if is_quiet {
                self.turn()?;
            }
        }
    }

    /// Once it has run: waits until this can be read, until a signal comes, or for that long.
    pub fn wait_for(&self, what: BorrowedFd<'_>, timeout: Option<Duration>) -> Waited {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let mut ready = [
            PollFd::from_borrowed_fd(what, PollFlags::IN),
            PollFd::from_borrowed_fd(self.signals.fd(), PollFlags::IN),
        ];
        // An interruption is a signal, which the next look finds.
        let found = rustix::io::retry_on_intr(|| rustix::event::poll(&mut ready, timeout.as_ref()));
        match found {
            Ok(0) => Waited::Late,
            Ok(_) if !ready[0].revents().is_empty() => Waited::Ready,
            Ok(_) | Err(_) => Waited::Signal,
        }
    }

    fn pass(&mut self, change: Change, observe: &mut dyn FnMut(Change) -> Reaction) {
        let slot = match &change {
            Change::Instance { status, .. } => Some(status.slot.clone()),
            Change::Output { .. } | Change::Ending { .. } | Change::Killing { .. } | Change::PassedOn(_) => {
                None
            }
        };
        match observe(change) {
            Reaction::GoOn => (),
            Reaction::LeaveIt => {
                if let Some(seat) = slot.and_then(|slot| self.seats.get_mut(&slot)) {
                    seat.handle(Event::Stop, &mut self.means);
                }
            }
            Reaction::EndAll => self.end_for(Cause::Asked),
        }
    }

    /// Somebody sent us signals.
    pub(super) fn hear_signals(&mut self) {
        for signal in self.signals.take() {
            let Some(name) = Signal::from_named_raw(signal) else { continue };
            match (&self.attached, signal) {
                (None, _) => self.leave(),
                (Some(attached), SIGHUP) if attached.attachment.ignores_hangup => (),
                (Some(_), SIGTSTP) => self.suspend(),
                (Some(_), SIGCONT) => self.signal_trees(Signal::CONT),
                (Some(_), SIGUSR1 | SIGUSR2) => self.pass_on(name),
                (Some(_), SIGWINCH) => self.resize_terminals(),
                (Some(_), _) if self.is_ending => self.hear_again(signal),
                (Some(_), _) => self.end_for(Cause::Signal(name)),
            }
        }
    }

    /// Whoever ends the supervisor itself, at a shutdown for example, does not wait for what cannot be written.
    fn leave(&mut self) {
        self.is_told_to_rest = false;
        self.begin_end();
    }

    /// Everything ends, and whoever looks on is told why.
    pub(crate) fn end_for(&mut self, cause: Cause) {
        if self.is_ending {
            return;
        }
        // What runs now is waited for: a process that obeys at once has still been waited for.
        let waits_for = self.running();
        self.begin_end();
        if let Some(attached) = &mut self.attached {
            attached.ending_since = Some(Instant::now());
            attached.news.push(Change::Ending { cause, waits_for });
        }
    }

    /// That descriptor of the attachment can be read.
    pub(super) fn reach_end(&mut self, index: usize) {
        self.poll.forget(&Source::End(index));
        if let Some(attached) = &self.attached {
            // Else it would wake us again and again: what can be read once can be read for ever.
            let _ = self.poll.unwatch(attached.attachment.ends_with[index].as_fd());
        }
        self.end_for(Cause::Descriptor(index));
    }

    fn hear_again(&mut self, signal: i32) {
        let since = self.attached.as_ref().and_then(|attached| attached.ending_since);
        let is_anew = since.is_none_or(|since| since.elapsed() >= SAME_KEY);
        if !is_anew || !matches!(signal, SIGINT | SIGQUIT) {
            return;
        }
        let waits_for = self.running();
        for run in self.seats.values_mut().flat_map(Seat::runs_mut) {
            run.hurry(&mut self.means);
        }
        if let Some(attached) = &mut self.attached {
            attached.news.push(Change::Killing { waits_for });
        }
    }

    /// As a shell expects of a job: all of it stops, ourselves included, until SIGCONT.
    fn suspend(&mut self) {
        self.signal_trees(Signal::STOP);
        // It cannot fail: we may always stop ourselves.
        let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::STOP);
    }

    fn signal_trees(&mut self, signal: Signal) {
        for run in self.seats.values().flat_map(Seat::runs) {
            run.signal(signal, &mut self.means.census);
        }
    }

    /// Our terminal has another size. Theirs are nobody's controlling terminal: the kernel tells no one.
    fn resize_terminals(&mut self) {
        let terminals = self.attached.as_ref().and_then(|attached| attached.attachment.terminals);
        let Some(indent) = terminals else { return };
        for run in self.seats.values_mut().flat_map(Seat::runs_mut) {
            if let Some(output) = run.outputs().output() {
                output.resize(indent);
            }
        }
        self.signal_trees(Signal::WINCH);
    }

    fn pass_on(&mut self, signal: Signal) {
        let main = |run: &Run| Pid::from_raw(i32::try_from(run.process()?.pid()).ok()?);
        // Our own children, not yet reaped: the pids are still theirs.
        for pid in self.seats.values().flat_map(Seat::runs).filter_map(main) {
            let _ = rustix::process::kill_process(pid, signal);
        }
        if let Some(attached) = &mut self.attached {
            attached.news.push(Change::PassedOn(signal));
        }
    }

    fn running(&self) -> Vec<(Slot, u32)> {
        let running = |run: &Run| Some((run.status.slot.clone(), run.process()?.pid()));
        self.seats.values().flat_map(Seat::runs).filter_map(running).collect()
    }

    fn watch_ends(&mut self) -> rustix::io::Result<()> {
        let Some(attached) = &self.attached else { return Ok(()) };
        for (index, end) in attached.attachment.ends_with.iter().enumerate() {
            self.poll.watch(end.as_fd(), Source::End(index))?;
        }
        Ok(())
    }
}
