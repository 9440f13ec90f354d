//! `data/scheduler-docker-local/<app>/watch.json`: what `ps-lifecycle watch` has found and done about the containers of
//! an app. A file of another version, or one that cannot be read, is ignored, because its content will be found again.

use std::collections::BTreeMap;
use std::path::Path;

use formation::{AppName, Slot, Which};
use ps_apps::World;
use ps_scheduler::Error;
use serde::{Deserialize, Serialize};

use crate::docker_local::DockerLocal;
use crate::watch_notes;

const FILE: &str = "watch.json";
const FORMAT: u8 = 1;

/// How often an instance of one release is started again after the engine has given it up.
pub(crate) const MOST_STARTS: u32 = 3;

/// The content of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Watched {
    format: u8,
    /// The release that the starts are counted for.
    #[serde(default)]
    pub(crate) release: u64,
    /// How often an instance was started again after the engine had given it up.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) starts: BTreeMap<Slot, u32>,
    /// The container of each instance that is not started any more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) given_up: BTreeMap<Slot, String>,
    /// The instances to which clients are not directed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) withdrawn: BTreeMap<Slot, Withdrawn>,
}

/// An instance that is not ready, and keeps running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Withdrawn {
    /// The container of the instance.
    pub(crate) id: String,
    /// The failed check, as a phrase.
    pub(crate) why: String,
}

impl Watched {
    /// The content of an app's file.
    pub(crate) fn read(world: &World, app: &AppName) -> Self {
        let read: Option<Self> = watch_notes::read(world, app, FILE);
        read.filter(|watched| watched.format == FORMAT).unwrap_or_default()
    }

    /// Writes the file, if its content has changed.
    pub(crate) fn write(&self, world: &World, app: &AppName) -> Result<(), ps_apps::Error> {
        let written = Self { format: FORMAT, ..self.clone() };
        if written == (Self { format: FORMAT, ..Self::read(world, app) }) {
            return Ok(());
        }
        watch_notes::write(world, app, FILE, &written)
    }

    /// The entry of an instance to whose container clients are not directed; `None` if they are.
    pub(crate) fn withdrawn(&self, slot: &Slot, id: &str) -> Option<&Withdrawn> {
        self.withdrawn.get(slot).filter(|withdrawn| withdrawn.id == id)
    }

    /// Whether the container of an instance is given up.
    pub(crate) fn is_given_up(&self, slot: &Slot, id: &str) -> bool {
        self.given_up.get(slot).is_some_and(|given_up| given_up == id)
    }

    /// Counts a start of an instance of this release. False if all starts are used up; the instance is given up then.
    pub(crate) fn may_start(&mut self, release: u64, slot: &Slot, id: &str) -> bool {
        if self.release != release {
            (self.release, self.starts, self.given_up) = (release, BTreeMap::new(), BTreeMap::new());
        }
        let starts = self.starts.entry(slot.clone()).or_default();
        if *starts >= MOST_STARTS {
            self.given_up.insert(slot.clone(), id.to_owned());
            return false;
        }
        *starts += 1;
        true
    }
}

/// Resets the counts of starts to 0.
pub(crate) fn reset(docker: &DockerLocal, app: &AppName, which: &Which) -> Result<(), Error> {
    let mut watched = Watched::read(docker.world(), app);
    watched.starts.retain(|slot, _| !which.includes(slot));
    watched.given_up.retain(|slot, _| !which.includes(slot));
    watched.write(docker.world(), app).map_err(|error| Error::Backend {
        context: format!("write the watch file of {app}"),
        reason: error.to_string(),
    })
}

/// Removes the file of an app that is destroyed.
pub(crate) fn forget(directory: &Path) {
    let _ = std::fs::remove_file(directory.join(FILE));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch_notes::directory;

    #[test]
    fn an_instance_is_started_three_times_for_one_release_and_then_given_up() {
        let slot: Slot = "web.1".parse().expect("a slot");
        let mut watched = Watched::default();
        assert!((0..MOST_STARTS).all(|_| watched.may_start(4, &slot, "a")));
        assert!(!watched.may_start(4, &slot, "b"));
        assert!(watched.is_given_up(&slot, "b") && !watched.is_given_up(&slot, "c"));
        assert!(watched.may_start(5, &slot, "b"), "another release begins anew");
        assert!(!watched.is_given_up(&slot, "b"));
    }

    #[test]
    fn what_is_written_reads_back_and_what_makes_no_sense_says_nothing() {
        let place = tempfile::tempdir().expect("a directory");
        let world = World::new(place.path().join("home"), place.path().join("lib"));
        let app: AppName = "shop".parse().expect("a name");
        assert_eq!(Watched::read(&world, &app), Watched::default());
        let slot: Slot = "web.1".parse().expect("a slot");
        let withdrawn = Withdrawn { id: "a".to_owned(), why: "did not answer".to_owned() };
        let watched = Watched { withdrawn: [(slot.clone(), withdrawn)].into(), ..Watched::default() };
        std::fs::create_dir_all(directory(&world, &app)).expect("a directory");
        watched.write(&world, &app).expect("written");
        let read = Watched::read(&world, &app);
        assert!(read.withdrawn(&slot, "a").is_some() && read.withdrawn(&slot, "b").is_none());
        std::fs::write(directory(&world, &app).join(FILE), r#"{"format": 9}"#).expect("written");
        assert_eq!(Watched::read(&world, &app), Watched::default());
    }
}
