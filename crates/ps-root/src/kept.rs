//! The supervisor of one app, and the main processes that dead supervisors of it have left to the root.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Instant;

use formation::Exit;
use os_process::{ProcessId, Stat, boot_id, service_unit};
use ps_supervisor::{Bereft, Request, Spec, bereft, misses_supervisor};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, getpid, pidfd_open, waitid};

use crate::keep::{Action, Deaths, Event, Keep};
use crate::spawn::{Beginning, spawn_supervisor};

/// The supervisor of one app.
#[derive(Debug)]
pub(crate) struct Kept {
    service: PathBuf,
    keep: Keep,
    supervisor: Option<Supervisor>,
    since: Instant,
    due: Option<Instant>,
    deaths: Deaths,
    /// Main processes that became children of the root when their supervisor died.
    orphans: Vec<Bereft>,
}

#[derive(Debug)]
struct Supervisor {
    process: ProcessId,
    /// A pidfd, if the supervisor is no child of the root.
    pidfd: Option<OwnedFd>,
}

/// How the end of a supervisor was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// The supervisor was a child of the root, and exited like this.
    Seen(Exit),
    /// The supervisor was no child of the root, so its exit status is not known.
    Unseen,
}

impl Kept {
    /// The entry for a service directory whose supervisor is not known yet.
    pub(crate) fn of(service: PathBuf) -> Self {
        let (deaths, orphans) = Default::default();
        Self {
            service,
            keep: Keep::Gone,
            supervisor: None,
            since: Instant::now(),
            due: None,
            deaths,
            orphans,
        }
    }

    /// The state of the supervisor.
    pub(crate) fn keep(&self) -> Keep {
        self.keep
    }

    /// When the supervisor is restarted, if it waits for that.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The process of the supervisor, while it lives.
    pub(crate) fn process(&self) -> Option<&ProcessId> {
        self.supervisor.as_ref().map(|supervisor| &supervisor.process)
    }

    /// The descriptor that reports the end of the supervisor, if the supervisor is not a child of this process.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.supervisor.as_ref()?.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// Looks for a living supervisor, whichever program has started it; false if there is none, or if systemd restarts
    /// it.
    pub(crate) fn find(&mut self) -> bool {
        let client = ps_supervisor::Client::connect(&self.service).ok();
        let Some(pid) = client.and_then(|client| client.supervisor()) else { return false };
        let Some(process) = ProcessId::of(pid).filter(|_| service_unit(pid).is_none()) else { return false };
        let pidfd = raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        if pidfd.is_none() || !process.is_alive() {
            return false;
        }
        self.supervisor = Some(Supervisor { process, pidfd });
        (self.keep, self.since, self.due) = (Keep::Alive, Instant::now(), None);
        true
    }

    /// At the start of a root: restarts a supervisor that died while no root lived, if the app needs it, and watches main processes that are
    /// children of this process.
    pub(crate) fn take_over(&mut self) {
        self.inherit();
        if self.find() {
            // The init system may have removed the controllers of cgroups before it started this root, and the holder may have been
            // replaced. So the supervisor is asked to set limits again and to register its outputs with the holder.
            self.say(&[Request::Limit, Request::Hold]);
        } else if misses_supervisor(&self.service) {
            (self.keep, self.due) = (Keep::Waiting, Some(Instant::now()));
        }
    }

    /// Sends requests to the supervisor without waiting for an answer. A supervisor that has left meanwhile, or is too old to know a
    /// request, does not act on it.
    pub(crate) fn say(&self, requests: &[Request]) {
        let Ok(mut client) = ps_supervisor::Client::connect(&self.service) else { return };
        for request in requests {
            let _ = client.send(request);
        }
    }

    /// Handles an event; whether a supervisor has to be started now.
    pub(crate) fn handle(&mut self, event: Event) -> bool {
        let (keep, action) = self.keep.after(event);
        self.keep = keep;
        if keep != Keep::Waiting {
            self.due = None;
        }
        action == Action::Start
    }

    /// Starts the supervisor, unless one lives already.
    ///
    /// # Errors
    /// The supervisor could not be started. The start is tried again later.
    pub(crate) fn start(&mut self, program: &Path, beginning: &Beginning) -> io::Result<()> {
        if self.find() {
            return Ok(());
        }
        self.since = Instant::now();
        let started = spawn_supervisor(program, &self.service, beginning)
            .and_then(|child| named(child.id()).ok_or_else(|| io::ErrorKind::NotFound.into()));
        match started {
            Ok(process) => self.supervisor = Some(Supervisor { process, pidfd: None }),
            Err(error) => {
                self.wait(false);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Handles the end of the supervisor.
    pub(crate) fn died(&mut self, how: How) {
        self.supervisor = None;
        self.inherit();
        let (is_missed, was_killed) = match how {
            How::Seen(exit) if exit.is_success() => (false, false),
            How::Seen(Exit::Signal(signal)) => (Spec::is_in(&self.service), signal == Signal::KILL.as_raw()),
            How::Seen(_) => (misses_supervisor(&self.service), false),
            How::Unseen => (misses_supervisor(&self.service), true),
        };
        let event = if is_missed { Event::Died } else { Event::Left };
        let (keep, action) = self.keep.after(event);
        self.keep = keep;
        if action == Action::Delay {
            self.wait(was_killed);
        }
    }

    fn wait(&mut self, was_killed: bool) {
        self.deaths.count(self.since.elapsed());
        self.keep = Keep::Waiting;
        self.due = Some(Instant::now() + self.deaths.delay(was_killed));
    }

    /// Looks for main processes that became our children when their supervisor died.
    fn inherit(&mut self) {
        let own = u32::try_from(getpid().as_raw_nonzero().get()).unwrap_or(0);
        let is_ours = |process: &ProcessId| {
            Stat::of(process.pid)
                .is_some_and(|stat| stat.parent == own && stat.start_time == process.start_time)
        };
        self.orphans = bereft(&self.service).into_iter().filter(|orphan| is_ours(&orphan.process)).collect();
        self.look_at_orphans();
    }

    /// Records the exit status of those main processes that have ended. They stay zombies until then, so that other programs do not see them
    /// disappear before their status is recorded.
    pub(crate) fn look_at_orphans(&mut self) {
        self.orphans.retain(|orphan| {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            let Some(pid) = raw(orphan.process.pid) else { return false };
            match waitid(WaitId::Pid(pid), options) {
                Ok(Some(status)) => {
                    let code = status.exit_status().map(Exit::Code);
                    if let Some(exit) = code.or_else(|| status.terminating_signal().map(Exit::Signal)) {
                        orphan.ended(exit);
                    }
                    false
                }
                Ok(None) => true,
                // The process is no child of this one.
                Err(_) => false,
            }
        });
    }

    /// Handles that a child was reaped which may be one of these main processes: it may have ended after the last look.
    pub(crate) fn buried(&mut self, pid: u32, exit: Exit) {
        if let Some(index) = self.orphans.iter().position(|orphan| orphan.process.pid == pid) {
            self.orphans.swap_remove(index).ended(exit);
        }
    }
}

/// The identity of a child that was not reaped yet, and so has its pid even if it has exited.
fn named(pid: u32) -> Option<ProcessId> {
    let start_time = Stat::of(pid)?.start_time;
    Some(ProcessId { pid, start_time, boot_id: boot_id().to_owned() })
}

fn raw(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}
