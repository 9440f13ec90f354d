//! Memory that a rollout has needed. What a rollout allocates lies between what stays, so that its pages cannot be given
//! back: a third of what a supervisor of one process has. A supervisor that has carried out a rollout therefore executes its
//! own program once more when it has nothing to do, as in an upgrade: the same process, whose children stay its children.
//! What the program then reads from the files takes no more room than it needs.

use std::convert::Infallible;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::reexec::NAME;
use super::{LOOK, Supervisor, handed_on};
use crate::candidate::GOES_ON;
use crate::holder;
use crate::seat::Seat;

/// For how long nothing must have happened. Somebody who types or runs one verb after the other is not made to wait.
const QUIET: Duration = Duration::from_secs(1);

impl Supervisor {
    /// Called in every turn: executes the own program if that is due. Returns if it is not, and if it fails, which leaves everything as
    /// it was.
    #[inline(never)]
    pub(super) fn renew(&mut self, now: Instant) {
        if self.rollout.is_some() || (self.worn_since.is_some() && !self.rests(now)) {
            self.worn_since = Some(now);
        } else if self.renewal_due(now).is_some_and(|due| due <= now) {
            self.worn_since = None;
            // What was damaged meanwhile is written anew, and a spec that cannot be read is for the next verb to replace.
            self.check_files();
            if self.is_held()
                && Self::can_go_on(&self.service).is_ok()
                && let Some(program) = os_process::own_program()
            {
                let listener = self.server.fd().try_clone_to_owned();
                let _: io::Error = self.become_program(|service, lock| {
                    execute(&program, service, handed_on::hand_on(lock, listener?.as_fd())?)
                });
            }
        }
    }

    /// Whether the outputs of all runs, and the sockets of the app's address, stay open without this process.
    fn is_held(&self) -> bool {
        let listens = self.address.as_ref().is_some_and(|address| !address.sockets.is_empty());
        holder::answer(&self.service).is_some_and(|copies| !listens || !copies.is_empty())
    }

    /// When that is due, unless something happens before.
    pub(super) fn renewal_due(&self, now: Instant) -> Option<Instant> {
        let worn_since = self.worn_since?;
        (self.rollout.is_none() && self.rests(now)).then(|| worn_since + QUIET)
    }

    /// Whether all that this process knows is written down, and nothing is under way or waited for except the next event.
    fn rests(&self, now: Instant) -> bool {
        let is_settled =
            |seat: &Seat| seat.due(now, LOOK).is_none() && seat.is_written() && !seat.has_changed();
        let is_asked = self.attached.is_some() || self.candidate.is_some() || self.server.has_clients();
        let is_ending = self.is_ending || !self.leaving.is_empty() || self.clears_since.is_some();
        let is_waiting = !self.paused.is_empty()
            || !self.unseen.is_empty()
            || self.refresh.is_some()
            || !self.flow.large.is_empty()
            || [self.spec_due(), self.checks_due(now), self.files_due(), self.clock_due(now)]
                .iter()
                .any(Option::is_some)
            || self.address_due().is_some();
        let has_helpers = self.errand.pid().is_some()
            || self.tidier.pid().is_some()
            || self.address.as_ref().is_some_and(|address| address.balance.is_some());
        !is_asked
            && !is_ending
            && !is_waiting
            && !has_helpers
            && self.clock.is_none()
            && self.seats.values().all(is_settled)
    }
}

/// Executes the program with that stdin. The signals of this process stay blocked, so that none is lost.
fn execute(program: &Path, service: &Path, stdin: OwnedFd) -> io::Result<Infallible> {
    let word = |word: &OsStr| CString::new(word.as_bytes()).map_err(io::Error::from);
    let words = [word(NAME.as_ref())?, word(service.as_os_str())?, word(GOES_ON.as_ref())?];
    let program = word(program.as_os_str())?;
    rustix::stdio::dup2_stdin(stdin)?;
    let failed = nix::unistd::execv(&program, &words);
    let _ = File::open("/dev/null").map(rustix::stdio::dup2_stdin);
    Ok(failed?)
}
