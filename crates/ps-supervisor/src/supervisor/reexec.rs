//! An upgrade in place: the supervisor becomes the new program. Its pid stays the same, so what it started stays its children, and
//! how they end is seen, also while nobody looks: whoever died meanwhile waits to be reaped.
//!
//! The new program is asked first whether it can go on with what lies here. It finds everything else in the files, as after the
//! death of a supervisor; but the lock is never free meanwhile: it is handed on as stdin.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
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
use crate::spec::Spec;

/// How the program is called to others: by it a supervisor is known.
const NAME: &str = "ps-supervise";
const FIRST: i32 = 3;

impl Supervisor {
    /// Whether a supervisor of this build could go on with what lies in a service directory.
    ///
    /// # Errors
    /// Why not.
    pub fn can_go_on(service: &Path) -> Result<(), Error> {
        Spec::read(service).map(drop)
    }

    /// Goes on in the place of a supervisor that has become this program.
    ///
    /// # Errors
    /// As for [`Supervisor::open`].
    pub fn go_on(service: &Path) -> Result<Self, Error> {
        Self::open_with(service, inherited_lock(service))
    }

    /// Asks a program whether it can go on; what it says is heard when it ends.
    ///
    /// # Errors
    /// Why this is no moment for it, or why it could not be asked.
    pub(crate) fn ask_candidate(&mut self, program: PathBuf, client: u64) -> Result<(), String> {
        self.refuse_while_rolling()?;
        let is_ending = |run: &Run| run.state().is_ending();
        let is_busy = self.is_ending || self.seats.values().flat_map(Seat::runs).any(is_ending);
        if is_busy || self.attached.is_some() || self.candidate.is_some() {
            return Err("something is being ended or replaced here: ask again later".to_owned());
        }
        self.candidate = Some(Candidate::ask(program, &self.service, client)?);
        Ok(())
    }

    /// When the program that is asked has had enough time.
    pub(crate) fn candidate_due(&self) -> Option<Instant> {
        self.candidate.as_ref().map(|candidate| candidate.until)
    }

    /// A child that is no process of a run has ended: the program that was asked, perhaps.
    pub(super) fn hear_candidate(&mut self, pid: u32, status: WaitStatus) {
        let Some(candidate) = self.candidate.take_if(|candidate| candidate.pid() == pid) else { return };
        let Candidate { program, client, .. } = candidate;
        let reason = if status.exit_status() == Some(0) {
            self.become_program(&program).to_string()
        } else {
            "it says that it cannot go on with what lies here".to_owned()
        };
        self.stay(&program, client, &reason);
    }

    /// A program that does not say whether it can go on cannot.
    pub(super) fn lose_patience(&mut self, now: Instant) {
        let Some(candidate) = self.candidate.take_if(|candidate| candidate.until <= now) else { return };
        candidate.kill();
        self.stay(&candidate.program, candidate.client, "it does not say whether it can go on");
    }

    /// The supervisor ends: nobody waits for an answer any more.
    pub(super) fn drop_candidate(&mut self) {
        if let Some(candidate) = self.candidate.take() {
            candidate.kill();
        }
    }

    fn stay(&mut self, program: &Path, client: u64, reason: &str) {
        let reason = format!("{}: {reason}", program.display());
        self.server.say(client, &Message::Stays { reason });
    }

    /// Executes the program in this process; returns only where that fails, and then everything is as before.
    fn become_program(&mut self, program: &Path) -> io::Error {
        self.publish();
        self.means.begin_turn();
        self.server.flush();
        let lock = match self.lock.try_clone() {
            Ok(lock) => lock,
            Err(error) => return error,
        };
        self.means.descriptors.give_back();
        let mut command = Command::new(program);
        // Our stdin is the lock from here on, also where this fails: what we start has another one.
        let error = command.arg0(NAME).arg(&self.service).arg(GOES_ON).stdin(lock).exec();
        self.means.descriptors.take_again();
        error
    }
}

/// The lock of a service directory, if our stdin is that: then nobody else has had it meanwhile.
fn inherited_lock(service: &Path) -> Option<File> {
    let lock = File::from(rustix::io::fcntl_dupfd_cloexec(io::stdin(), FIRST).ok()?);
    let (ours, there) = (lock.metadata().ok()?, service.join("lock").symlink_metadata().ok()?);
    ((ours.dev(), ours.ino()) == (there.dev(), there.ino())).then_some(lock)
}
