//! The records of an app's containers, `$DOKKU_ROOT/<app>/{CONTAINER,IP,PORT}.<type>.<n>` (docs/contract.md#files). A container
//! without a record is not an instance of the app, even if its labels say so: a deploy that was killed may have left it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use formation::Slot;
use ps_apps::World;
use ps_apps::durable::{self, Access, Directory};
use ps_scheduler::Error;

const CONTAINER: &str = "CONTAINER";
const IP: &str = "IP";
const PORT: &str = "PORT";
/// The instance that a record without a suffix stands for: a very old Dokku wrote `CONTAINER` alone.
const UNNUMBERED: &str = "web.1";

/// What is recorded about one instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// The container's full id; `None` if the record holds none.
    pub(crate) id: Option<String>,
    /// Its address.
    pub(crate) ip: Option<String>,
    /// The port it listens on.
    pub(crate) port: Option<u16>,
}

/// The records of one app.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    dir: PathBuf,
    /// One for each instance.
    pub(crate) slots: BTreeMap<Slot, Record>,
}

impl Records {
    /// Reads them all; an app without a directory has none.
    pub(crate) fn read(world: &World, app: &str) -> Result<Self, Error> {
        let name = app.parse().map_err(|invalid| failed(app, &invalid))?;
        let dir = world.app_dir(&name);
        let mut slots = BTreeMap::new();
        for file in files(&dir).map_err(|error| failed(app, &error))? {
            let Some(slot) = slot_of(&file) else { continue };
            // A numbered record wins over one without a number.
            if file != CONTAINER || !slots.contains_key(&slot) {
                let record = read_record(&dir, file.trim_start_matches(CONTAINER));
                slots.insert(slot, record.map_err(|error| failed(app, &error))?);
            }
        }
        Ok(Self { dir, slots })
    }

    /// Whether a container is recorded.
    pub(crate) fn contains(&self, id: &str) -> bool {
        self.slots.values().any(|record| record.id.as_deref() == Some(id))
    }

    /// Whether the app has a directory to write them to.
    pub(crate) fn have_a_place(&self) -> bool {
        self.dir.is_dir()
    }

    /// Writes one record for each of `new`, each durable before the next. After an error those that stood before
    /// stand again.
    pub(crate) fn replace(&mut self, new: &[(Slot, Record)]) -> Result<(), ps_apps::Error> {
        let directory = Directory::open(&self.dir, &self.dir)?;
        for (done, (slot, record)) in new.iter().enumerate() {
            if let Err(error) = self.write(&directory, slot, record) {
                for (slot, _) in &new[..=done] {
                    // Best effort: what made the write fail may make this fail too, and the first error says why.
                    let _ = match self.slots.get(slot) {
                        Some(old) => self.write(&directory, slot, old),
                        None => self.erase(&directory, slot),
                    };
                }
                return Err(error);
            }
        }
        self.slots.extend(new.iter().cloned());
        Ok(())
    }

    /// Forgets these slots.
    pub(crate) fn remove(&mut self, slots: &[Slot]) -> Result<(), ps_apps::Error> {
        if slots.is_empty() {
            return Ok(());
        }
        let directory = Directory::open(&self.dir, &self.dir)?;
        for slot in slots {
            self.erase(&directory, slot)?;
            self.slots.remove(slot);
        }
        Ok(())
    }

    /// Writes the record of the container last, so that a reader who finds an id finds the address too.
    fn write(&self, directory: &Directory, slot: &Slot, record: &Record) -> Result<(), ps_apps::Error> {
        let access = Access::like(&self.dir, 0o644);
        let put = |kind: &str, value: Option<&str>| {
            let name = format!("{kind}.{slot}");
            value.map_or_else(
                || directory.remove(&name),
                |value| directory.write(&name, value.as_bytes(), access),
            )
        };
        put(IP, record.ip.as_deref())?;
        put(PORT, record.port.map(|port| port.to_string()).as_deref())?;
        put(CONTAINER, record.id.as_ref().map(|id| format!("{id}\n")).as_deref())
    }

    fn erase(&self, directory: &Directory, slot: &Slot) -> Result<(), ps_apps::Error> {
        for kind in [CONTAINER, IP, PORT] {
            directory.remove(&format!("{kind}.{slot}"))?;
            if slot.to_string() == UNNUMBERED && self.dir.join(kind).is_file() {
                directory.remove(kind)?;
            }
        }
        Ok(())
    }
}

fn failed(app: &str, reason: &dyn std::fmt::Display) -> Error {
    Error::Backend { context: format!("read what runs of {app}"), reason: reason.to_string() }
}

/// Names in the app's directory that begin like a record, in order.
fn files(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok().filter(|name| name.starts_with(CONTAINER)));
    }
    names.sort_by(|a, b| b.cmp(a));
    Ok(names)
}

fn slot_of(file: &str) -> Option<Slot> {
    match file.strip_prefix(CONTAINER)? {
        "" => UNNUMBERED.parse().ok(),
        suffix => suffix.strip_prefix('.')?.parse().ok(),
    }
}

fn read_record(dir: &Path, suffix: &str) -> Result<Record, ps_apps::Error> {
    let read = |kind: &str, settle: bool| -> Result<Option<String>, ps_apps::Error> {
        let text = durable::read_text(&dir.join(format!("{kind}{suffix}")), settle)?;
        Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    };
    let is_id = |id: &String| id.len() >= 12 && id.bytes().all(|b| b.is_ascii_hexdigit());
    Ok(Record {
        id: read(CONTAINER, true)?.filter(is_id),
        ip: read(IP, false)?,
        port: read(PORT, false)?.and_then(|port| port.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place(tempfile::TempDir);

    impl Place {
        fn new(files: &[(&str, &str)]) -> Self {
            let place = tempfile::tempdir().expect("a directory for the test");
            fs::create_dir(place.path().join("shop")).expect("the app's directory");
            for (name, text) in files {
                fs::write(place.path().join("shop").join(name), text).expect("a record");
            }
            Self(place)
        }

        fn records(&self) -> Records {
            let world = World::new(self.0.path(), self.0.path().join("lib"));
            Records::read(&world, "shop").expect("readable records")
        }

        fn text(&self, name: &str) -> Option<String> {
            fs::read_to_string(self.0.path().join("shop").join(name)).ok()
        }
    }

    fn id(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    fn slot(word: &str) -> Slot {
        word.parse().expect("a legal slot")
    }

    #[test]
    fn records_are_read_as_dokku_writes_them() {
        let newline = format!("{}\n", id('a'));
        let place = Place::new(&[
            ("CONTAINER.web.1", &newline),
            ("IP.web.1", "172.17.0.2"),
            ("PORT.web.1", "5000"),
            ("CONTAINER.worker.12", &id('b')),
            ("CONTAINER.x.01", &id('c')),
            ("ENV", "A=1"),
        ]);
        let slots = place.records().slots;
        assert_eq!(slots.keys().map(ToString::to_string).collect::<Vec<_>>(), ["web.1", "worker.12"]);
        let web = Record { id: Some(id('a')), ip: Some("172.17.0.2".into()), port: Some(5000) };
        assert_eq!(slots[&slot("web.1")], web);
    }

    #[test]
    fn a_record_that_holds_no_id_is_kept_as_such() {
        let place = Place::new(&[("CONTAINER.web.1", ""), ("CONTAINER.web.2", "../../etc\n")]);
        let slots = place.records().slots;
        assert!(slots.len() == 2 && slots.values().all(|record| record.id.is_none()), "{slots:?}");
    }

    #[test]
    fn a_record_without_a_number_is_web_1_unless_there_is_one_with_a_number() {
        let place = Place::new(&[("CONTAINER", &id('a'))]);
        assert!(place.records().contains(&id('a')));
        let place = Place::new(&[("CONTAINER", &id('a')), ("CONTAINER.web.1", &id('b'))]);
        assert!(!place.records().contains(&id('a')) && place.records().contains(&id('b')));
    }

    #[test]
    fn what_was_written_reads_back_and_what_is_gone_leaves_nothing() {
        let place = Place::new(&[("IP.web.1", "stale")]);
        let record = Record { id: Some(id('a')), ip: None, port: Some(5000) };
        let mut records = place.records();
        records.replace(&[(slot("web.1"), record.clone())]).expect("written");
        assert_eq!(place.records().slots[&slot("web.1")], record);
        assert_eq!(place.text("CONTAINER.web.1"), Some(format!("{}\n", id('a'))));
        assert_eq!(place.text("PORT.web.1").as_deref(), Some("5000"));
        assert_eq!(place.text("IP.web.1"), None, "a stale address was left");
        records.remove(&[slot("web.1")]).expect("removed");
        assert!(place.records().slots.is_empty() && place.text("PORT.web.1").is_none());
    }

    #[test]
    fn a_write_that_fails_half_way_brings_the_old_records_back() {
        let place = Place::new(&[("CONTAINER.web.1", &id('a')), ("IP.web.1", "172.17.0.2")]);
        // A directory stands where the second record should go, so its write fails whoever we are.
        fs::create_dir(place.0.path().join("shop/CONTAINER.web.2.d")).expect("a directory");
        fs::create_dir(place.0.path().join("shop/PORT.web.2")).expect("a directory");
        let before = place.records().slots;
        let new = |digit| Record { id: Some(id(digit)), ip: Some("172.17.0.9".into()), port: Some(5000) };
        let result = place.records().replace(&[(slot("web.1"), new('b')), (slot("web.2"), new('c'))]);
        assert!(result.is_err(), "a record was written over a directory");
        assert_eq!(place.records().slots, before);
    }
}
