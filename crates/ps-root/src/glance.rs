//! A snapshot of the processes of the machine for many supervisors. Apps are often started together, after a reboot all
//! of them. Each supervisor would read all of /proc to learn what an earlier one left of its app, which would be most
//! of the time that a thousand apps take to start. So the root reads /proc once for all of them.
//!
//! The snapshot only says that an app had no processes. That stays true, because only the supervisor of an app starts
//! its processes: there was none when the root looked, and as soon as a supervisor ends, the root discards the
//! snapshot.

use std::path::Path;
use std::time::{Duration, Instant};

use os_process::Marked;
use ps_supervisor::MARKER;

/// How long a snapshot is used.
const FRESH: Duration = Duration::from_secs(1);

/// The last snapshot, with the time at which it was taken.
#[derive(Debug, Default)]
pub(crate) struct Glance(Option<(Instant, Marked)>);

impl Glance {
    /// Whether the snapshot shows that no process of a service directory lives. The directory must have no supervisor.
    pub(crate) fn shows_nothing_of(&mut self, service: &Path) -> bool {
        // The marks of processes contain the path without symbolic links.
        let Ok(service) = service.canonicalize() else { return false };
        self.look();
        self.0.as_ref().is_some_and(|(_, marked)| !marked.has(&service))
    }

    /// Takes a new snapshot, unless the last one is still fresh.
    pub(crate) fn look(&mut self) {
        if self.0.as_ref().is_none_or(|(since, _)| since.elapsed() >= FRESH) {
            self.0 = Some((Instant::now(), Marked::read(MARKER)));
        }
    }

    /// Discards the snapshot: a supervisor has ended, and what processes it left is not known.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }
}
