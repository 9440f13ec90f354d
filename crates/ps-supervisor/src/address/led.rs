//! Instances that are not processes of this supervisor, such as containers, but get clients of the app's address. Their
//! scheduler sends the complete list of them each time ([`crate::Request::Lead`]). An instance that is missing from the
//! new list gets no more connections, and keeps those that it has until they end or its time is over.
//!
//! The list is written to `led.json` before it is acted on, so that the next supervisor knows it. For example, `web.1`
//! is replaced: the file has the new container in `backends` and the old one in `leaving`, until the old one has no
//! connection left.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use balance::wire::{State, Wanted};
use os_process::boot_id;
use serde::{Deserialize, Serialize};

use crate::layout::MAX_FILE_BYTES;

/// The file's name in a service directory.
const LED_FILE: &str = "led.json";
const FORMAT: u32 = 1;

/// An instance that the supervisor does not keep itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// Its name in numbers and receipts, which no other instance of the app has ever had.
    pub id: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Its part of the new connections, in proportion to the others: 100 usually, and 0 while it is not ready.
    pub weight: u32,
    /// The release that it runs, for the numbers.
    #[serde(default)]
    pub release: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Written {
    format: u32,
    /// The addresses of containers are of one boot.
    boot: String,
    backends: Vec<Backend>,
    leaving: Vec<Backend>,
}

/// Those of one app.
#[derive(Debug, Default)]
pub(crate) struct Led {
    backends: Vec<Backend>,
    /// Those that get no more connections, and may still have some.
    leaving: Vec<Backend>,
    /// The clients of the control socket that wait until everything is as they said.
    pub(crate) waiting: BTreeSet<u64>,
    /// Those that there were when counting began.
    earlier: Option<BTreeSet<String>>,
    /// Which outlived their time, and why one does not get connections, since a client last heard of it.
    pub(crate) late: Vec<String>,
    pub(crate) refused: Option<String>,
    /// Whether the numbers for the receipt are waited for.
    pub(crate) is_counting: bool,
}

/// What follows from what was said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) coming: Vec<String>,
    pub(crate) going: Vec<String>,
}

impl Led {
    /// Those that an earlier supervisor of this boot was told of.
    pub(crate) fn left(service: &Path) -> Self {
        let Some(Written { backends, leaving, .. }) = read(service) else { return Self::default() };
        Self { backends, leaving, ..Self::default() }
    }

    /// These there are from now on.
    ///
    /// # Errors
    /// It cannot be written down. Nothing has changed then.
    pub(crate) fn take_in(&mut self, service: &Path, said: Vec<Backend>) -> io::Result<Moved> {
        let is_said = |known: &Backend| said.iter().any(|backend| backend.id == known.id);
        let going: Vec<Backend> = self.backends.iter().filter(|known| !is_said(known)).cloned().collect();
        let coming = said.iter().filter(|backend| !self.backends.contains(backend));
        let moved = Moved {
            coming: coming.map(|backend| backend.id.clone()).collect(),
            going: going.iter().map(|backend| backend.id.clone()).collect(),
        };
        let still = self.leaving.iter().filter(|known| !is_said(known)).cloned();
        let leaving: Vec<Backend> = still.chain(going).collect();
        if self.backends != said || self.leaving != leaving {
            write(service, &said, &leaving)?;
        }
        (self.backends, self.leaving) = (said, leaving);
        Ok(moved)
    }

    /// One of them has no connection any more.
    pub(crate) fn has_gone(&mut self, service: &Path, id: &str) {
        self.leaving.retain(|backend| backend.id != id);
        // If that cannot be written, the next supervisor has it drained once more, which takes no time.
        let _ = write(service, &self.backends, &self.leaving);
    }

    /// The ids of those that may still have connections.
    pub(crate) fn leaving(&self) -> Vec<String> {
        self.leaving.iter().map(|backend| backend.id.clone()).collect()
    }

    /// What is counted from here on is of a rollout.
    pub(crate) fn begin_counting(&mut self) {
        self.earlier = Some(self.backends.iter().map(|backend| backend.id.clone()).collect());
    }

    /// Whether one came in since counting began; `None`: it did not begin here.
    pub(crate) fn is_new(&self) -> Option<impl Fn(&str) -> bool + use<'_>> {
        let earlier = self.earlier.as_ref()?;
        Some(|id: &str| !earlier.contains(id) && self.backends.iter().any(|backend| backend.id == id))
    }

    /// The entries for them in the table of `ps-balance`.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = Wanted> {
        let of = |backend: &Backend, state| {
            let Backend { id, address, weight, release } = backend.clone();
            Wanted { id, address, weight, state, release }
        };
        let ready = self.backends.iter().map(move |backend| of(backend, State::Ready));
        ready.chain(self.leaving.iter().map(move |backend| of(backend, State::Drain)))
    }
}

/// Whether clients were led to instances elsewhere in this boot, so that a supervisor that died is missed.
pub(crate) fn is_kept(service: &Path) -> bool {
    read(service).is_some()
}

/// Whether clients are sent to instances elsewhere now.
pub fn leads_elsewhere(service: &Path) -> bool {
    !led(service).is_empty()
}

/// The instances elsewhere to which clients are led now.
pub fn led(service: &Path) -> Vec<Backend> {
    read(service).map(|written| written.backends).unwrap_or_default()
}

/// Forgets to which backends clients were led.
pub(crate) fn forget(service: &Path) {
    // If the file cannot be removed, a supervisor is started for it once more, and the next verb ends that.
    let _ = fs::remove_file(service.join(LED_FILE));
}

/// What was written in this boot.
fn read(service: &Path) -> Option<Written> {
    let bytes = durable::state(&service.join(LED_FILE), MAX_FILE_BYTES).ok()?;
    let written: Written = serde_json::from_slice(&bytes).ok()?;
    (written.format <= FORMAT && written.boot == boot_id()).then_some(written)
}

fn write(service: &Path, backends: &[Backend], leaving: &[Backend]) -> io::Result<()> {
    let (backends, leaving) = (backends.to_vec(), leaving.to_vec());
    let written = Written { format: FORMAT, boot: boot_id().to_owned(), backends, leaving };
    let json = serde_json::to_vec(&written).expect("names and addresses are plain data");
    durable::replace(service, LED_FILE, &json)?;
    File::open(service.join(LED_FILE))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend(id: &str) -> Backend {
        let address = SocketAddr::from(([172, 17, 0, 2], 5000));
        Backend { id: id.to_owned(), address, weight: 100, release: Some(1) }
    }

    fn ids(led: &Led) -> Vec<(String, State)> {
        led.wanted().map(|wanted| (wanted.id, wanted.state)).collect()
    }

    #[test]
    fn one_that_is_not_named_any_more_leaves_and_the_next_supervisor_knows_both() {
        let service = tempfile::tempdir().expect("a directory");
        let mut led = Led::left(service.path());
        assert!(!is_kept(service.path()));
        let moved = led.take_in(service.path(), vec![backend("a"), backend("b")]).expect("written");
        assert_eq!((moved.coming.len(), moved.going.len()), (2, 0));
        led.begin_counting();
        let moved = led.take_in(service.path(), vec![backend("b"), backend("c")]).expect("written");
        assert_eq!(moved, Moved { coming: vec!["c".to_owned()], going: vec!["a".to_owned()] });
        let both = [("b", State::Ready), ("c", State::Ready), ("a", State::Drain)];
        let both = both.map(|(id, state)| (id.to_owned(), state));
        assert_eq!((ids(&led), ids(&Led::left(service.path()))), (both.to_vec(), both.to_vec()));
        assert!(is_kept(service.path()) && leads_elsewhere(service.path()));
        assert_eq!(super::led(service.path()), [backend("b"), backend("c")]);
        let is_new = led.is_new().expect("counting began");
        assert_eq!(["a", "b", "c"].map(is_new), [false, false, true]);
        led.has_gone(service.path(), "a");
        assert_eq!((led.leaving().len(), ids(&Led::left(service.path())).len()), (0, 2));
        forget(service.path());
        assert!(ids(&Led::left(service.path())).is_empty() && !is_kept(service.path()));
    }

    #[test]
    fn one_that_comes_back_before_it_has_gone_does_not_leave_and_one_that_moved_comes_in_anew() {
        let service = tempfile::tempdir().expect("a directory");
        let mut led = Led::default();
        led.take_in(service.path(), vec![backend("a")]).expect("written");
        led.take_in(service.path(), vec![]).expect("written");
        assert!(is_kept(service.path()) && !leads_elsewhere(service.path()));
        assert_eq!(led.leaving(), ["a"]);
        let moved = led.take_in(service.path(), vec![backend("a")]).expect("written");
        assert_eq!((moved.coming, led.leaving()), (vec!["a".to_owned()], Vec::new()));
        let elsewhere = Backend { address: SocketAddr::from(([172, 17, 0, 3], 5000)), ..backend("a") };
        let moved = led.take_in(service.path(), vec![elsewhere.clone()]).expect("written");
        assert_eq!(moved, Moved { coming: vec!["a".to_owned()], going: vec![] });
        assert_eq!(led.take_in(service.path(), vec![elsewhere]).expect("nothing to do"), Moved::default());
    }

    #[test]
    fn what_was_said_in_another_boot_and_what_cannot_be_read_is_nothing() {
        let service = tempfile::tempdir().expect("a directory");
        let earlier = r#"{"format":1,"boot":"another","backends":[{"id":"a","address":"172.17.0.2:5000","weight":100}],"leaving":[]}"#;
        for text in [earlier, "{", r#"{"format":9,"boot":"another"}"#] {
            fs::write(service.path().join(LED_FILE), text).expect("written");
            assert!(!is_kept(service.path()) && ids(&Led::left(service.path())).is_empty(), "{text}");
        }
    }
}
