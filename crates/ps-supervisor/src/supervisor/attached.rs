//! The supervisor in the foreground, as part of the foreground program's process. The program gets the output of each
//! instance and is told of changes. The spec is in memory alone, so no value of the environment is written to disk.

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

use super::handed_on::HandedOn;
use super::{Supervisor, Until};
use crate::attachment::{Attached, Attachment, Cause, Change, Reaction, Waited};
use crate::run::Run;
use crate::seat_table::Event;
use crate::signals::Heard;
use crate::spec::Spec;
use crate::status::Status;
use crate::wakeup::Wakeup;
use crate::{Error, seat::Seat};

const SIGNALS: [i32; 10] =
    [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGALRM, SIGTSTP, SIGCONT, SIGUSR1, SIGUSR2, SIGWINCH];
/// Two SIGINT within this time come from one Ctrl-C: the terminal sends it to us, and a parent process may forward it as
/// well.
const SAME_KEY: Duration = Duration::from_millis(100);

fn handled(service: &Path, signals: &[i32]) -> Result<Heard, Error> {
    Heard::handled(signals).map_err(|error| Error::io("watch", service, error))
}

impl Supervisor {
    /// Takes over a service directory of its own and starts what the spec wants. SIGHUP, SIGINT, SIGQUIT, SIGTERM and
    /// SIGALRM begin the shutdown; a later SIGINT or SIGQUIT kills what is left. SIGTSTP and SIGCONT stop and continue all
    /// processes. SIGUSR1 and SIGUSR2 are forwarded, SIGWINCH to processes with a terminal of their own.
    pub fn attached(service: &Path, spec: Spec, attachment: Attachment) -> Result<Box<Self>, Error> {
        let attached = Attached { attachment, news: Vec::new(), ending_since: None };
        let mut supervisor = Self::take_charge(
            service,
            spec,
            HandedOn::only(super::lock::take(service)?),
            Some(attached),
            handled(service, &SIGNALS)?,
        )?;
        supervisor.watch_ends().map_err(|errno| Error::io("watch", service, errno))?;
        supervisor.apply();
        supervisor.unattached.take().map_or(Ok(supervisor), Err)
    }

    /// Ends the processes that a dead supervisor left running in a service directory, and returns their statuses.
    pub fn end_what_is_left(service: &Path, grace: Duration) -> Result<Vec<Status>, Error> {
        let nothing = Spec {
            app: String::new(),
            revision: 0,
            deploy: None,
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
            listen: Vec::new(),
            frontend: balance::Frontend::default(),
            certificates: std::path::PathBuf::new(),
            processes: Vec::new(),
            stopped: Vec::new(),
        };
        let mut supervisor = Self::take_charge(
            service,
            nothing,
            HandedOn::only(super::lock::take(service)?),
            None,
            handled(service, &super::END_SIGNALS)?,
        )?;
        supervisor.adopt()?;
        let left = supervisor.seats.values().filter(|seat| !seat.is_at_rest());
        let left = left.map(Seat::status).collect();
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

    /// After it has run: waits until the descriptor is readable, a signal comes, or the timeout passes.
    pub fn wait_for(&self, what: BorrowedFd<'_>, timeout: Option<Duration>) -> Waited {
        let timeout = timeout.map(|timeout| Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let mut ready = [
            PollFd::from_borrowed_fd(what, PollFlags::IN),
            PollFd::from_borrowed_fd(self.signals.fd(), PollFlags::IN),
        ];
        // A signal interrupts the wait; it is found below.
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
            Change::Output { .. }
            | Change::Note { .. }
            | Change::Ending { .. }
            | Change::Killing { .. }
            | Change::PassedOn(_) => None,
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

    /// Acts on the signals that have arrived.
    #[inline(never)]
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
                (Some(_), _) if self.is_ending => self.hear_again(name),
                (Some(_), _) => self.end_for(Cause::Signal(name)),
            }
        }
    }

    /// A signal that ends the supervisor, for example at a shutdown of the machine, does not wait until everything can be
    /// recorded.
    fn leave(&mut self) {
        self.is_told_to_rest = false;
        self.begin_end();
    }

    /// Begins the shutdown and tells the foreground program why.
    pub(crate) fn end_for(&mut self, cause: Cause) {
        if self.is_ending {
            return;
        }
        // Listed now, because a process that obeys the signal at once would be missing from the list later.
        let waits_for = self.running();
        self.begin_end();
        if let Some(attached) = &mut self.attached {
            attached.ending_since = Some(Instant::now());
            attached.news.push(Change::Ending { cause, waits_for });
        }
    }

    /// The descriptor of this index in the attachment is readable.
    #[inline(never)]
    pub(super) fn reach_end(&mut self, index: usize) {
        self.poll.forget(&Wakeup::End(index));
        if let Some(attached) = &self.attached {
            // A descriptor that was closed at its other end stays readable and would wake us in every turn.
            let _ = self.poll.unwatch(attached.attachment.ends_with[index].as_fd());
        }
        self.end_for(Cause::Descriptor(index));
    }

    fn hear_again(&mut self, signal: Signal) {
        let since = self.attached.as_ref().and_then(|attached| attached.ending_since);
        let is_anew = since.is_none_or(|since| since.elapsed() >= SAME_KEY);
        if !is_anew || !matches!(signal, Signal::INT | Signal::QUIT) {
            return;
        }
        let waits_for = self.running();
        self.end_the_rest();
        for run in self.seats.values_mut().flat_map(Seat::runs_mut) {
            run.hurry(&mut self.means);
        }
        if let Some(attached) = &mut self.attached {
            attached.news.push(Change::Killing { signal, waits_for });
        }
    }

    /// SIGTSTP: stops all processes and this one, as a shell expects of a job, until SIGCONT.
    fn suspend(&mut self) {
        self.signal_trees(Signal::STOP);
        // A process may always stop itself, so this cannot fail.
        let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::STOP);
    }

    fn signal_trees(&mut self, signal: Signal) {
        for run in self.seats.values().flat_map(Seat::runs) {
            run.signal(signal, &mut self.means.census);
        }
    }

    /// SIGWINCH: our terminal was resized. The instances' terminals have no foreground process group that the kernel could
    /// tell, so we do.
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
        // Our own children that we have not reaped, so the pids cannot have been reused.
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
            self.poll.watch(end.as_fd(), Wakeup::End(index))?;
        }
        Ok(())
    }
}
