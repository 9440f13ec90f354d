//! The files by which Dokku's layout records an app's instances, `$DOKKU_ROOT/<app>/{CONTAINER,IP,PORT}.<type>.<n>`
//! (docs/contract.md#files): which container fills a slot, and where the instance listens. Dokku's docker-local and ours
//! write all three. A native app has only the last two, so that Dokku's proxies find it ([`World::listen`]). A container
//! without such a file is not an instance of the app, even if its labels say so: a killed deploy may have left it behind. No
//! engine is asked here, so a file may name a container that no longer exists.

mod listeners;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use durable::{Access, Directory, OpenDirectory};
use formation::{AppName, Slot};

use crate::listing;
use crate::state_file;

pub use listeners::LISTENING_HOST;

use crate::{Error, World};

const CONTAINER: &str = "CONTAINER";
const IP: &str = "IP";
const PORT: &str = "PORT";
/// The instance of a file without a suffix: a very old Dokku wrote only `CONTAINER`.
const UNNUMBERED: &str = "web.1";

/// The content of a file `CONTAINER.<type>.<n>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerFile {
    /// The path of the file.
    pub path: PathBuf,
    /// The instance in the file's name, for example `web.1`. Dokku also counts names that are no legal slot, so this is text.
    pub instance: String,
    /// Whether the file's name has no instance; then `web.1` is meant.
    pub is_unnumbered: bool,
    /// Its first line, without blanks around it: the container's id, if nothing went wrong.
    pub id: String,
}

/// The record of one instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceRecord {
    /// The container's full id; `None` if none is recorded.
    pub id: Option<String>,
    /// Its address.
    pub ip: Option<String>,
    /// The port it listens on.
    pub port: Option<u16>,
}

/// The records of the containers of one app.
#[derive(Clone, Debug)]
pub struct InstanceFiles {
    dir: PathBuf,
    /// One for each instance that has a file `CONTAINER`.
    pub slots: BTreeMap<Slot, InstanceRecord>,
}

impl World {
    /// The files `CONTAINER.*` of an app, in the order of their names; none for an app without a directory. The file
    /// `CONTAINER`, without a type and a number, counts only if no other file stands for `web.1`.
    pub fn container_files(&self, app: &AppName) -> Result<Vec<ContainerFile>, Error> {
        let path = self.app_dir(app);
        let Some(opened) = listing::open(&path)? else { return Ok(Vec::new()) };
        container_names(&opened).iter().map(|name| read_container(&opened, &path, name)).collect()
    }

    /// Whether an app has a file `CONTAINER.*`.
    pub(crate) fn has_containers(&self, app: &AppName) -> bool {
        names(&self.app_dir(app), &[CONTAINER]).is_ok_and(|names| !names.is_empty())
    }

    /// The records of an app's containers: the files `CONTAINER`, `IP` and `PORT` of each.
    pub fn instance_files(&self, app: &AppName) -> Result<InstanceFiles, Error> {
        let dir = self.app_dir(app);
        let mut slots = BTreeMap::new();
        let Some(opened) = listing::open(&dir)? else { return Ok(InstanceFiles { dir, slots }) };
        for name in container_names(&opened) {
            let Ok(slot) = instance_of(&name).parse() else { continue };
            slots.insert(slot, read_record(&opened, &dir, &read_container(&opened, &dir, &name)?)?);
        }
        Ok(InstanceFiles { dir, slots })
    }
}

impl InstanceFiles {
    /// Whether a container with this id is recorded.
    pub fn contains(&self, id: &str) -> bool {
        self.slots.values().any(|record| record.id.as_deref() == Some(id))
    }

    /// Whether the app has a directory, so that records can be written.
    pub fn have_a_place(&self) -> bool {
        self.dir.is_dir()
    }

    /// Writes the files of each of `new`. Those of one instance are durable before those of the next are written. After an
    /// error the earlier files are restored.
    pub fn replace(&mut self, new: &[(Slot, InstanceRecord)]) -> Result<(), Error> {
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

    /// Removes the records of these slots.
    pub fn remove(&mut self, slots: &[Slot]) -> Result<(), Error> {
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

    /// Removes the files IP and PORT of these slots, so that no client is sent there. Their containers stay recorded.
    pub fn withdraw(&self, slots: &[Slot]) -> Result<(), Error> {
        if slots.is_empty() {
            return Ok(());
        }
        let directory = Directory::open(&self.dir, &self.dir)?;
        for slot in slots {
            directory.remove(&format!("{IP}.{slot}"))?;
            directory.remove(&format!("{PORT}.{slot}"))?;
        }
        Ok(())
    }

    /// Writes the record of the container last, so that a reader who finds an id finds the address too.
    fn write(&self, directory: &Directory, slot: &Slot, record: &InstanceRecord) -> Result<(), Error> {
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
        Ok(put(CONTAINER, record.id.as_ref().map(|id| format!("{id}\n")).as_deref())?)
    }

    fn erase(&self, directory: &Directory, slot: &Slot) -> Result<(), Error> {
        for kind in [CONTAINER, IP, PORT] {
            directory.remove(&format!("{kind}.{slot}"))?;
            if slot.to_string() == UNNUMBERED && self.dir.join(kind).is_file() {
                directory.remove(kind)?;
            }
        }
        Ok(())
    }
}

/// The files in an app's directory that are of these kinds, in order.
fn names(dir: &Path, kinds: &[&str]) -> Result<Vec<String>, Error> {
    Ok(listing::open(dir)?.map(|opened| names_in(&opened, kinds)).unwrap_or_default())
}

fn names_in(opened: &OpenDirectory, kinds: &[&str]) -> Vec<String> {
    let is_one = |name: &&str| kinds.contains(&name.split('.').next().unwrap_or_default());
    let mut names: Vec<String> = opened.names().filter(is_one).map(str::to_owned).collect();
    names.sort();
    names
}

/// The files `CONTAINER.*` of an app, each instance only once.
fn container_names(opened: &OpenDirectory) -> Vec<String> {
    let mut names = names_in(opened, &[CONTAINER]);
    let is_numbered = names.iter().any(|name| instance_of(name) == UNNUMBERED && name != CONTAINER);
    names.retain(|name| name != CONTAINER || !is_numbered);
    names
}

/// The instance that a file's name ends with.
fn instance_of(name: &str) -> &str {
    name.split_once('.').map_or(UNNUMBERED, |(_, instance)| instance)
}

fn read_container(opened: &OpenDirectory, dir: &Path, name: &str) -> Result<ContainerFile, Error> {
    let text = state_file::read_text_in(opened, dir, name, true)?.unwrap_or_default();
    Ok(ContainerFile {
        path: dir.join(name),
        instance: instance_of(name).to_owned(),
        is_unnumbered: name == CONTAINER,
        id: text.lines().next().unwrap_or_default().trim().to_owned(),
    })
}

fn read_record(opened: &OpenDirectory, dir: &Path, file: &ContainerFile) -> Result<InstanceRecord, Error> {
    let suffix = if file.is_unnumbered { String::new() } else { format!(".{}", file.instance) };
    let read = |kind: &str| -> Result<Option<String>, Error> {
        let name = format!("{kind}{suffix}");
        if !opened.has(&name) {
            return Ok(None);
        }
        let text = state_file::read_text_in(opened, dir, &name, false)?;
        Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    };
    let is_id = |id: &&String| id.len() >= 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    Ok(InstanceRecord {
        id: Some(&file.id).filter(is_id).cloned(),
        ip: read(IP)?,
        port: read(PORT)?.and_then(|port| port.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

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

        fn files(&self) -> InstanceFiles {
            let world = World::new(self.0.path(), self.0.path().join("lib"));
            world.instance_files(&"shop".parse().expect("a legal name")).expect("readable records")
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
        let slots = place.files().slots;
        assert_eq!(slots.keys().map(ToString::to_string).collect::<Vec<_>>(), ["web.1", "worker.12"]);
        let web = InstanceRecord { id: Some(id('a')), ip: Some("172.17.0.2".into()), port: Some(5000) };
        assert_eq!(slots[&slot("web.1")], web);
    }

    #[test]
    fn a_record_that_holds_no_id_is_kept_as_such() {
        let place = Place::new(&[("CONTAINER.web.1", ""), ("CONTAINER.web.2", "../../etc\n")]);
        let slots = place.files().slots;
        assert!(slots.len() == 2 && slots.values().all(|record| record.id.is_none()), "{slots:?}");
    }

    #[test]
    fn a_record_without_a_number_is_web_1_unless_there_is_one_with_a_number() {
        let place = Place::new(&[("CONTAINER", &id('a'))]);
        assert!(place.files().contains(&id('a')));
        let place = Place::new(&[("CONTAINER", &id('a')), ("CONTAINER.web.1", &id('b'))]);
        assert!(!place.files().contains(&id('a')) && place.files().contains(&id('b')));
    }

    #[test]
    fn what_was_written_reads_back_and_what_is_gone_leaves_nothing() {
        let place = Place::new(&[("IP.web.1", "stale")]);
        let record = InstanceRecord { id: Some(id('a')), ip: None, port: Some(5000) };
        let mut records = place.files();
        records.replace(&[(slot("web.1"), record.clone())]).expect("written");
        assert_eq!(place.files().slots[&slot("web.1")], record);
        assert_eq!(place.text("CONTAINER.web.1"), Some(format!("{}\n", id('a'))));
        assert_eq!(place.text("PORT.web.1").as_deref(), Some("5000"));
        assert_eq!(place.text("IP.web.1"), None, "a stale address was left");
        records.remove(&[slot("web.1")]).expect("removed");
        assert!(place.files().slots.is_empty() && place.text("PORT.web.1").is_none());
    }

    #[test]
    fn a_write_that_fails_half_way_brings_the_old_records_back() {
        let place = Place::new(&[("CONTAINER.web.1", &id('a')), ("IP.web.1", "172.17.0.2")]);
        // A directory stands where the second record should go, so its write fails even for root.
        fs::create_dir(place.0.path().join("shop/CONTAINER.web.2.d")).expect("a directory");
        fs::create_dir(place.0.path().join("shop/PORT.web.2")).expect("a directory");
        let before = place.files().slots;
        let new =
            |digit| InstanceRecord { id: Some(id(digit)), ip: Some("172.17.0.9".into()), port: Some(5000) };
        let result = place.files().replace(&[(slot("web.1"), new('b')), (slot("web.2"), new('c'))]);
        assert!(result.is_err(), "a record was written over a directory");
        assert_eq!(place.files().slots, before);
    }
}
