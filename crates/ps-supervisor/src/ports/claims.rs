//! Who keeps which port: read from the files of all apps, so that two of them never choose the same, and locked while one of
//! them chooses. What a port is for is not known here.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use formation::Slot;
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::file::{PORT_FILE, SECOND_PORT_FILE, written};
use crate::spec::Spec;

const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// The ports that instances keep, read at most once in a turn of a supervisor: 300 instances that start at once read 300
/// files, not 300 each. Once one of them has chosen a port, nobody else chooses until the turn is over.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    others: Option<BTreeSet<u16>>,
    choosing: Option<Choosing>,
}

#[derive(Debug)]
struct Choosing {
    own: BTreeSet<u16>,
    /// `None` where it cannot be had.
    lock: Option<File>,
}

impl Claims {
    /// The turn is over: others may choose.
    pub(crate) fn release(&mut self) {
        *self = Self::default();
    }

    /// The ports that instances of other apps keep.
    pub(super) fn others(&mut self, spec: &Spec, service: &Path) -> &BTreeSet<u16> {
        self.others.get_or_insert_with(|| claims_of_others(spec, service))
    }

    /// From here on nobody else chooses, if that can be had.
    pub(super) fn begin_choice(&mut self, spec: &Spec, service: &Path) {
        if self.choosing.is_none() {
            let lock = all_services(spec, service).and_then(lock);
            self.choosing = Some(Choosing { own: claims_in(service).collect(), lock });
            // Whoever chose before us may have chosen since they were read.
            self.others = None;
        }
    }

    /// Notes what was chosen; whether nobody can have chosen at the same time.
    pub(super) fn note_choice(&mut self, port: Option<u16>) -> bool {
        let Some(choosing) = &mut self.choosing else { return false };
        choosing.own.extend(port);
        choosing.lock.is_some()
    }

    /// Whether an instance keeps the port, of this app or of another one.
    pub(super) fn has(&mut self, port: u16, spec: &Spec, service: &Path) -> bool {
        let is_own = self.choosing.as_ref().is_some_and(|choosing| choosing.own.contains(&port));
        is_own || self.others(spec, service).contains(&port)
    }
}

/// Ports that instances of the apps beside this one have, whether they run or not.
pub(super) fn claims_of_others(spec: &Spec, service: &Path) -> BTreeSet<u16> {
    let Some(parent) = all_services(spec, service) else { return BTreeSet::new() };
    let services = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
    services.filter(|other| other != service).flat_map(|other| claims_in(&other)).collect()
}

/// The directory of all service directories: they lie side by side where each is named for its app. Elsewhere one stands
/// alone, and what lies beside it is nobody's business.
pub(super) fn all_services<'a>(spec: &Spec, service: &'a Path) -> Option<&'a Path> {
    let is_one_of_many = service.file_name().is_some_and(|name| name == spec.app.as_str());
    service.parent().filter(|_| is_one_of_many)
}

fn claims_in(service: &Path) -> impl Iterator<Item = u16> + use<> {
    let entries = fs::read_dir(service).into_iter().flatten().flatten();
    let is_slot = |name: &str| name.parse::<Slot>().is_ok();
    let instances = entries.filter(move |entry| entry.file_name().to_str().is_some_and(is_slot));
    let of_both_lanes = |directory: PathBuf| {
        [PORT_FILE, SECOND_PORT_FILE].into_iter().filter_map(move |name| written(&directory, name))
    };
    instances.flat_map(move |entry| of_both_lanes(entry.path()))
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
