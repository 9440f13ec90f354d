//! Who keeps which port: read from the files of all apps, so that two of them never choose the same, and locked while one of
//! them chooses. What a port is for is not known here.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::kept::Kept;
use crate::spec::Spec;

const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// The ports that instances keep, read and written at most once in a turn of a supervisor: 300 instances that start at once read
/// one file for each app, not 300. Once one of them has chosen a port, nobody else chooses until the turn is over.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    kept: Option<Kept>,
    others: Option<BTreeSet<u16>>,
    choosing: Option<Choosing>,
}

#[derive(Debug)]
struct Choosing {
    /// `None` where it cannot be had.
    lock: Option<File>,
}

impl Claims {
    /// The turn is over: what was chosen is written down, and others may choose.
    pub(crate) fn release(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.write();
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

    /// From here on nobody else chooses, if that can be had.
    pub(super) fn begin_choice(&mut self, spec: &Spec, service: &Path) {
        if self.choosing.is_none() {
            self.choosing = Some(Choosing { lock: all_services(spec, service).and_then(lock) });
            // Whoever chose before us may have chosen since they were read.
            self.others = None;
        }
    }

    /// Whether nobody can have chosen at the same time. Otherwise what was chosen is written down at once: whoever looks next sees it.
    pub(super) fn chooses_alone(&mut self, service: &Path) -> bool {
        let is_alone = self.choosing.as_ref().is_some_and(|choosing| choosing.lock.is_some());
        if !is_alone {
            self.kept(service).write();
        }
        is_alone
    }

    /// Whether an instance keeps the port, of this app or of another one.
    pub(super) fn has(&mut self, port: u16, spec: &Spec, service: &Path) -> bool {
        self.kept(service).all().any(|kept| kept == port) || self.others(spec, service).contains(&port)
    }
}

/// Ports that instances of the apps beside this one have, whether they run or not.
pub(super) fn claims_of_others(spec: &Spec, service: &Path) -> BTreeSet<u16> {
    let Some(parent) = all_services(spec, service) else { return BTreeSet::new() };
    let services = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
    let kept = services.filter(|other| other != service).map(|other| Kept::read(&other));
    kept.flat_map(|kept| kept.all().collect::<Vec<_>>()).collect()
}

/// The directory of all service directories: they lie side by side where each is named for its app. Elsewhere one stands
/// alone, and what lies beside it is nobody's business.
pub(super) fn all_services<'a>(spec: &Spec, service: &'a Path) -> Option<&'a Path> {
    let is_one_of_many = service.file_name().is_some_and(|name| name == spec.app.as_str());
    service.parent().filter(|_| is_one_of_many)
}

/// Held while it lives: whoever chooses ports below this directory waits. `None` where it cannot be locked, or is held for
/// longer than choosing takes: a start is worth more than the last doubt.
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
