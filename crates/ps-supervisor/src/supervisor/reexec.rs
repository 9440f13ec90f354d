//! The upgrade of a running supervisor: it executes the new program in its own process. The pid stays the same, so running
//! processes stay its children, and their exit statuses are kept by the kernel until the new program reaps them.
//!
//! The new program is asked beforehand whether it can go on with this service directory. It reads everything else from
//! files, as it would after the death of a supervisor. The lock is never free meanwhile: the new program inherits it as
//! stdin.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use rustix::process::WaitStatus;

use super::Supervisor;
use crate::Error;
use crate::candidate::{Candidate, GOES_ON};
use crate::control::Message;
use crate::run::Run;
use crate::seat::Seat;
use crate::signals;
use crate::spec::Spec;

/// The `argv[0]` of the new program. Supervisors are recognised by it.
pub(super) const NAME: &str = "ps-supervise";

impl Supervisor {
    /// Whether a supervisor of this build could go on with a service directory.
    ///
    /// # Errors
    /// Why it could not.
    pub fn can_go_on(service: &Path) -> Result<(), Error> {
        Spec::read(service).map(drop)
    }

    /// Asks a program whether it can go on. Its answer is the exit status, which is handled when it exits.
    ///
    /// # Errors
    /// Why it cannot be asked, or not now.
    #[inline(never)]
    pub(crate) fn ask_candidate(&mut self, program: PathBuf, client: u64) -> Result<(), String> {
        self.refuse_while_rolling()?;
        let is_ending = |run: &Run| run.state().is_ending();
        let is_busy = self.is_ending
            || !self.leaving.is_empty()
            || self.seats.values().flat_map(Seat::runs).any(is_ending);
        if is_busy || self.attached.is_some() || self.candidate.is_some() {
            return Err("something is being ended or replaced here: ask again later".to_owned());
        }
        self.candidate = Some(Candidate::ask(program, &self.service, client)?);
        Ok(())
    }

    /// When the program must have answered.
    pub(crate) fn candidate_due(&self) -> Option<Instant> {
        self.candidate.as_ref().map(|candidate| candidate.until)
    }

    /// A child has exited that belongs to no run: it may be the program that was asked.
    pub(super) fn hear_candidate(&mut self, pid: u32, status: WaitStatus) {
        let Some(candidate) = self.candidate.take_if(|candidate| candidate.pid() == pid) else { return };
        let Candidate { program, client, .. } = candidate;
        let reason = if status.exit_status() == Some(0) {
            self.become_program(|service, lock| {
                let mut command = Command::new(&program);
                // Stdin is the lock from here on, also if exec fails.
                command.arg0(NAME).arg(service).arg(GOES_ON).stdin(lock.try_clone()?);
                // A program of an earlier version would wait for signals that are still blocked.
                signals::unblock();
                let error = command.exec();
                let _ = signals::shield();
                Err(error)
            })
            .to_string()
        } else {
            "it says that it cannot go on with what lies here".to_owned()
        };
        self.stay(&program, client, &reason);
    }

    /// A program that does not answer in time counts as one that cannot go on.
    pub(super) fn lose_patience(&mut self, now: Instant) {
        let Some(candidate) = self.candidate.take_if(|candidate| candidate.until <= now) else { return };
        candidate.kill();
        self.stay(&candidate.program, candidate.client, "it does not say whether it can go on");
    }

    /// Kills the program that was asked, because the supervisor ends.
    pub(super) fn drop_candidate(&mut self) {
        if let Some(candidate) = self.candidate.take() {
            candidate.kill();
        }
    }

    fn stay(&mut self, program: &Path, client: u64, reason: &str) {
        let reason = format!("{}: {reason}", program.display());
        self.server.say(client, &Message::Stays { reason });
    }

    /// Executes a program in this process by a function that returns only on failure, and then everything is as before,
    /// except for stdin. Processes that we start get another stdin.
    pub(super) fn become_program(
        &mut self,
        execute: impl FnOnce(&Path, &File) -> io::Result<Infallible>,
    ) -> io::Error {
        self.publish();
        self.means.begin_turn();
        self.server.flush();
        self.means.descriptors.give_back();
        let Err(error) = execute(&self.service, &self.lock);
        self.means.descriptors.take_again();
        error
    }
}
