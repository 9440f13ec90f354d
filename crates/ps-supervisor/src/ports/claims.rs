//! The ports that the slots of all apps keep, read from their files, so that no two apps choose the same one. A lock is
//! held while an app chooses. This module does not know what a port is used for.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::index::{self, Index, Owner};
use super::kept::Kept;
use crate::spec::Spec;

const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// The kept ports, read and written at most once in a turn of a supervisor: a start of 300 instances reads one file for
/// each app, not 300. Once an instance has chosen a port, other apps have to wait with theirs until the turn ends.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    kept: Option<Kept>,
    others: Option<BTreeSet<u16>>,
    /// `None` in it: it cannot be used.
    index: OnceCell<Option<Index>>,
    choosing: Option<Choosing>,
    /// Ports that were chosen, for the index.
    chosen: Vec<u16>,
}

#[derive(Debug)]
struct Choosing {
    /// `None` if the lock is not held.
    lock: Option<File>,
}

impl Claims {
    /// The turn ends: chosen ports are written, and the lock is released.
    pub(crate) fn release(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.write();
            enter(kept.service(), &self.chosen);
        }
        *self = Self::default();
    }

    /// The ports that instances of this app keep.
    pub(super) fn kept(&mut self, service: &Path) -> &mut Kept {
        self.kept.get_or_insert_with(|| Kept::read(service))
    }

    /// The ports that instances of other apps keep.
    pub(super) fn others(&mut self, spec: &Spec, service: &Path) -> &BTreeSet<u16> {
        self.others.get_or_insert_with(|| claims_of_others(spec, service))
    }

    /// Whether another app keeps this port, which this one keeps or is about to keep. The index is asked, and the files of all apps only
    /// where it cannot be used.
    pub(super) fn is_anothers(&mut self, port: u16, spec: &Spec, service: &Path) -> bool {
        if all_services(spec, service).is_none() {
            return false;
        }
        let index = self.index.get_or_init(|| Index::beside(service)).as_ref();
        let asked = index.and_then(|index| index.claim(port, spec.app.as_str()).ok());
        asked.map_or_else(|| self.others(spec, service).contains(&port), |owner| owner == Owner::Other)
    }

    /// Notes a port that was chosen among those that no app keeps.
    pub(super) fn note_chosen(&mut self, port: u16, spec: &Spec, service: &Path) {
        if all_services(spec, service).is_some() {
            self.chosen.push(port);
        }
    }

    /// Takes the lock, if that is possible within its time limit.
    pub(super) fn begin_choice(&mut self, spec: &Spec, service: &Path) {
        if self.choosing.is_none() {
            self.choosing = Some(Choosing { lock: all_services(spec, service).and_then(lock) });
            // Another app may have chosen between our reading and our lock.
            self.others = None;
        }
    }

    /// Whether the lock is held. If it is not, chosen ports are written at once, so that another app sees them.
    pub(super) fn chooses_alone(&mut self, service: &Path) -> bool {
        let is_alone = self.choosing.as_ref().is_some_and(|choosing| choosing.lock.is_some());
        if !is_alone {
            self.kept(service).write();
        }
        is_alone
    }

    /// Whether a slot of any app keeps the port.
    pub(super) fn has(&mut self, port: u16, spec: &Spec, service: &Path) -> bool {
        self.kept(service).all().any(|kept| kept == port) || self.others(spec, service).contains(&port)
    }
}

/// Enters ports that an app keeps from now on into the index. If that cannot be, its next start does it.
fn enter(service: &Path, ports: &[u16]) {
    let Some(app) = service.file_name().and_then(|name| name.to_str()).filter(|_| !ports.is_empty()) else {
        return;
    };
    let Some(index) = Index::beside(service) else { return };
    for port in ports {
        let _ = index.claim(*port, app);
    }
}

/// The ports that slots of the other apps keep, whether they run or not.
pub(super) fn claims_of_others(spec: &Spec, service: &Path) -> BTreeSet<u16> {
    if all_services(spec, service).is_none() {
        return BTreeSet::new();
    }
    let kept = index::others(service).map(|other| Kept::read(&other));
    kept.flat_map(|kept| kept.all().collect::<Vec<_>>()).collect()
}

/// The directory that contains the service directories of all apps, if this service directory is named after its app and
/// is therefore one of them. A service directory elsewhere has no such neighbours.
pub(super) fn all_services<'a>(spec: &Spec, service: &'a Path) -> Option<&'a Path> {
    let is_one_of_many = service.file_name().is_some_and(|name| name == spec.app.as_str());
    service.parent().filter(|_| is_one_of_many)
}

/// Locks the choice of ports below `parent` while the returned file lives. `None` if the lock cannot be taken within the
/// time that a choice takes: starting matters more than the small risk of a doubled port.
pub(super) fn lock(parent: &Path) -> Option<File> {
    let directory = File::open(parent).ok()?;
    for _ in 0..LOCK_TRIES {
        match rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Some(directory),
            Err(Errno::WOULDBLOCK | Errno::INTR) => thread::sleep(LOCK_PAUSE),
            Err(_) => return None,
        }
    }
    None
}
