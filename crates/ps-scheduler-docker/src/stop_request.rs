//! A stop during a rollout. The executor of the rollout carries it out, because during a rollout only the executor may
//! touch the app's containers.
//!
//! A request is a file beside `rollout.json`. The asking verb keeps it locked while it waits. The request of a verb that
//! has died is therefore ignored: otherwise it could be carried out hours later, and stop a later deploy.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use formation::{Slot, Which};
use ps_scheduler::StopOrder;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

const DIRECTORY: &str = "stops";
const FORMAT: u8 = 1;
const MAX_BYTES: u64 = 4096;
/// The number of requests that this process has made, for their names.
static ASKED: AtomicU32 = AtomicU32::new(0);

/// A request.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StopRequest {
    format: u8,
    /// A type or an instance; `None`: the whole app.
    #[serde(default)]
    which: Option<String>,
    /// The grace period from SIGTERM to SIGKILL.
    pub(crate) grace: Duration,
}

impl StopRequest {
    /// Whether the request includes this slot.
    pub(crate) fn includes(&self, slot: &Slot) -> bool {
        match self.which.as_deref().map(str::parse) {
            None => true,
            Some(Ok(which)) => Which::includes(&which, slot),
            // A later version has written a value that this one does not know.
            Some(Err(_)) => false,
        }
    }
}

/// A request of this process, which waits. Dropping it withdraws the request.
pub(crate) struct Asked {
    path: PathBuf,
    file: File,
}

impl Asked {
    /// Makes a request to the executor of the rollout whose file is in `rollouts`.
    pub(crate) fn of(rollouts: &Path, order: &StopOrder) -> io::Result<Self> {
        let which = (order.which != Which::All).then(|| order.which.to_string());
        let request = StopRequest { format: FORMAT, which, grace: order.grace };
        let directory = rollouts.join(DIRECTORY);
        match fs::create_dir(&directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => (),
        }
        let name = format!("{}-{}", std::process::id(), ASKED.fetch_add(1, Ordering::Relaxed));
        let staged = directory.join(format!("{name}.new"));
        fs::write(&staged, serde_json::to_vec(&request).expect("a request is plain data"))?;
        let file = File::open(&staged)?;
        // The file is locked before it gets its final name, because an unlocked request counts as abandoned.
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        let path = directory.join(format!("{name}.json"));
        fs::rename(&staged, &path)?;
        Ok(Self { path, file })
    }

    /// Whether the executor has taken the request in.
    pub(crate) fn is_taken(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if !self.is_taken() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Takes in the requests whose verbs still wait, and removes the others.
pub(crate) fn take(rollouts: &Path) -> Vec<StopRequest> {
    let entries = fs::read_dir(rollouts.join(DIRECTORY)).into_iter().flatten().flatten();
    let requests = entries.map(|entry| entry.path()).filter(|path| path.extension() == Some("json".as_ref()));
    requests.filter_map(|path| take_one(&path)).collect()
}

fn take_one(path: &Path) -> Option<StopRequest> {
    let file = File::open(path).ok()?;
    let is_waited_for = flock(&file, FlockOperation::NonBlockingLockShared) == Err(Errno::WOULDBLOCK);
    let bytes = durable::state(path, MAX_BYTES);
    fs::remove_file(path).ok()?;
    let request: StopRequest = serde_json::from_slice(&bytes.ok()?).ok()?;
    (is_waited_for && request.format == FORMAT).then_some(request)
}

/// Removes all requests.
pub(crate) fn forget(rollouts: &Path) {
    let _ = fs::remove_dir_all(rollouts.join(DIRECTORY));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(which: &str) -> StopOrder {
        StopOrder {
            app: "shop".parse().expect("a legal name"),
            which: which.parse().expect("an instance"),
            grace: Duration::from_millis(1500),
            remove: false,
        }
    }

    #[test]
    fn a_request_is_taken_once_and_its_asker_sees_that() {
        let place = tempfile::tempdir().expect("a directory");
        assert!(take(place.path()).is_empty());
        let asked = Asked::of(place.path(), &order("web.2")).expect("asked");
        assert!(!asked.is_taken());
        let taken = take(place.path());
        let [request] = &taken[..] else { panic!("{taken:?}") };
        assert_eq!(request.grace, Duration::from_millis(1500));
        let slot = |word: &str| word.parse::<Slot>().expect("a slot");
        assert!(request.includes(&slot("web.2")) && !request.includes(&slot("web.1")));
        assert!(asked.is_taken() && take(place.path()).is_empty());
    }

    #[test]
    fn what_nobody_waits_for_or_nobody_understands_is_not_carried_out() {
        let place = tempfile::tempdir().expect("a directory");
        drop(Asked::of(place.path(), &order("web.2")).expect("asked"));
        assert!(take(place.path()).is_empty());
        let left = place.path().join(DIRECTORY).join("7.json");
        fs::write(&left, r#"{"format":1,"grace":{"secs":1,"nanos":0}}"#).expect("written");
        assert!(take(place.path()).is_empty() && !left.exists(), "its asker is gone");
        let asked = Asked::of(place.path(), &order("web.2")).expect("asked");
        fs::write(&asked.path, "{").expect("written");
        assert!(take(place.path()).is_empty(), "it makes no sense");
    }
}
