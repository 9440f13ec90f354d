//! `ports.json`: the ports that the slots of one app keep. That of the own lane is kept from start to start, that of the
//! second lane while a run uses it, and the next one of the own lane from the beginning of a rollout until it is over. The file is written once a turn, before other apps may choose, so a start of 300
//! instances writes one file.
//!
//! Earlier versions kept each port in a file of its own, `port` and `second-port` in the slot's directory. They are read if
//! there is no `ports.json`, and removed once it is written.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use durable::ReadError;
use formation::Slot;
use ps_rollout::Lane;
use serde::{Deserialize, Serialize};

use crate::layout;
use crate::layout::MAX_FILE_BYTES;

pub(super) const FILE: &str = "ports.json";
const FORMAT: u32 = 1;
/// The files of earlier versions, in the directory of a slot.
const EARLIER_FILES: [(&str, Lane); 2] = [("port", Lane::Own), ("second-port", Lane::Second)];

/// The ports of one app.
#[derive(Debug)]
pub(crate) struct Kept {
    service: PathBuf,
    ports: BTreeMap<Slot, Ports>,
    is_unwritten: bool,
    /// Whether the ports were read from the files of earlier versions.
    is_earlier: bool,
}

/// The ports of one slot, by lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Ports {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    own: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    second: Option<u16>,
    /// That of the own lane once the rollout that is under way has come so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<u16>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    format: u32,
    /// By slot. A key that is no slot comes from a later version and is ignored.
    ports: BTreeMap<String, Ports>,
}

impl Ports {
    fn lane(&mut self, lane: Lane) -> &mut Option<u16> {
        match lane {
            Lane::Own => &mut self.own,
            Lane::Second => &mut self.second,
        }
    }
}

impl Kept {
    /// Reads the ports of a service directory. An unreadable file counts as empty: ports are chosen again at the next
    /// start.
    pub(super) fn read(service: &Path) -> Self {
        let written = match durable::state(&service.join(FILE), MAX_FILE_BYTES) {
            Err(ReadError::Missing) => None,
            Err(_) => Some(BTreeMap::new()),
            Ok(bytes) => Some(understood(&bytes)),
        };
        let is_earlier = written.is_none();
        let ports = written.unwrap_or_else(|| earlier(service));
        Self { service: service.to_owned(), ports, is_unwritten: false, is_earlier }
    }

    /// The service directory.
    pub(super) fn service(&self) -> &Path {
        &self.service
    }

    /// The port of a lane of a slot.
    pub(super) fn port(&self, slot: &Slot, lane: Lane) -> Option<u16> {
        *self.ports.get(slot).copied().unwrap_or_default().lane(lane)
    }

    /// Records the port of a lane; `None`: it has none any more.
    pub(super) fn keep(&mut self, slot: &Slot, lane: Lane, port: Option<u16>) {
        if self.port(slot, lane) != port {
            *self.ports.entry(slot.clone()).or_default().lane(lane) = port;
            self.is_unwritten = true;
        }
    }

    /// Records the port that a slot is going to have.
    pub(super) fn reserve(&mut self, slot: &Slot, port: u16) {
        self.ports.entry(slot.clone()).or_default().next = Some(port);
        self.is_unwritten = true;
    }

    /// No slot is going to have another port.
    pub(super) fn give_back_reserved(&mut self) {
        for ports in self.ports.values_mut() {
            self.is_unwritten |= ports.next.take().is_some();
        }
    }

    /// Every port.
    pub(super) fn all(&self) -> impl Iterator<Item = u16> {
        self.ports.values().flat_map(|ports| [ports.own, ports.second, ports.next]).flatten()
    }

    /// Writes changes to disk. If that fails, for example on a full disk, the next start chooses again.
    pub(super) fn write(&mut self) {
        if !std::mem::take(&mut self.is_unwritten) {
            return;
        }
        let named = self.ports.iter().filter(|(_, ports)| **ports != Ports::default());
        let ports = named.map(|(slot, ports)| (slot.to_string(), *ports)).collect();
        let json = serde_json::to_vec(&Written { format: FORMAT, ports }).expect("numbers are plain data");
        let is_written = durable::replace(&self.service, FILE, &json).is_ok();
        if is_written && std::mem::take(&mut self.is_earlier) {
            for slot in layout::slots(&self.service) {
                for (name, _) in EARLIER_FILES {
                    let _ = fs::remove_file(self.service.join(slot.to_string()).join(name));
                }
            }
        }
    }
}

fn understood(bytes: &[u8]) -> BTreeMap<Slot, Ports> {
    let written = serde_json::from_slice(bytes).ok().filter(|written: &Written| written.format <= FORMAT);
    let ports = written.map(|written| written.ports).unwrap_or_default();
    ports.into_iter().filter_map(|(slot, ports)| Some((slot.parse().ok()?, ports))).collect()
}

/// The ports in the files of earlier versions.
fn earlier(service: &Path) -> BTreeMap<Slot, Ports> {
    let of_slot = |slot: Slot| {
        let directory = service.join(slot.to_string());
        let mut ports = Ports::default();
        for (name, lane) in EARLIER_FILES {
            let bytes = durable::state(&directory.join(name), 64).ok();
            let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
            *ports.lane(lane) = text.and_then(|text| text.trim().parse().ok());
        }
        (ports != Ports::default()).then_some((slot, ports))
    };
    layout::slots(service).filter_map(of_slot).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::slot;
    use super::*;

    fn service_of_before() -> tempfile::TempDir {
        let service = tempfile::tempdir().expect("a directory");
        for (name, text) in [("web.1/port", "5000\n"), ("web.1/second-port", "20001\n"), ("web.2/port", "x")]
        {
            let path = service.path().join(name);
            fs::create_dir_all(path.parent().expect("a slot")).expect("made");
            fs::write(path, text).expect("written");
        }
        service
    }

    #[test]
    fn the_files_of_before_are_read_until_there_is_another_one_and_go_then() {
        let service = service_of_before();
        let mut kept = Kept::read(service.path());
        assert_eq!(kept.all().collect::<Vec<_>>(), [5000, 20_001]);
        kept.write();
        assert!(!service.path().join(FILE).exists(), "nothing has changed");
        kept.keep(&slot("web.1"), Lane::Second, None);
        kept.keep(&slot("web.2"), Lane::Own, Some(5001));
        kept.write();
        let left = |name: &str| service.path().join(name).exists();
        assert_eq!([left("web.1/port"), left("web.1/second-port"), left("web.2/port")], [false; 3]);
        let kept = Kept::read(service.path());
        assert_eq!(kept.all().collect::<Vec<_>>(), [5000, 5001]);
        assert_eq!(kept.port(&slot("web.1"), Lane::Own), Some(5000));
        assert_eq!(kept.port(&slot("web.1"), Lane::Second), None);
    }

    #[test]
    fn what_makes_no_sense_keeps_nothing_and_what_only_a_later_version_knows_is_passed_over() {
        let service = service_of_before();
        let read = |text: &str| {
            fs::write(service.path().join(FILE), text).expect("written");
            Kept::read(service.path()).all().collect::<Vec<_>>()
        };
        for text in ["", "{", "[]", r#"{"format":2,"ports":{"web.1":{"own":1}}}"#] {
            assert_eq!(read(text), [] as [u16; 0], "{text}");
        }
        let text = r#"{"format":1,"ports":{"web.1":{"own":5000,"third":7},"web.*":{"own":6}},"more":[]}"#;
        assert_eq!(read(text), [5000]);
    }
}
