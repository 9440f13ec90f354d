//! What lived on the machine a moment ago. Apps are often started together, after a reboot all of them, and each supervisor would read
//! all of /proc to learn what an earlier one left of its app: for a thousand apps that is most of the time that their start takes. The root
//! looks once for all of them.
//!
//! It says only that nothing was there. Nothing can have come since then, because processes of an app are started by its supervisor alone:
//! there was none when the root looked, and as soon as one ends the root forgets what it saw.

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
