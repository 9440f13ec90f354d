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

/// How long a look counts.
const FRESH: Duration = Duration::from_secs(1);

/// The last look.
#[derive(Debug, Default)]
pub(crate) struct Glance(Option<(Instant, Marked)>);

impl Glance {
    /// Whether nothing lives of a service directory that has no supervisor.
    pub(crate) fn shows_nothing_of(&mut self, service: &Path) -> bool {
        // Marks have the path without links.
        let Ok(service) = service.canonicalize() else { return false };
        self.look();
        self.0.as_ref().is_some_and(|(_, marked)| !marked.has(&service))
    }

    /// Looks, if the last look does not count any more.
    pub(crate) fn look(&mut self) {
        if self.0.as_ref().is_none_or(|(since, _)| since.elapsed() >= FRESH) {
            self.0 = Some((Instant::now(), Marked::read(MARKER)));
        }
    }

    /// A supervisor has ended: what it left is not known.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }
}
