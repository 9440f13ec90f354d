//! `data/formation/<app>/sources/<name>`: sources of deploys that have no directory of their own, such as an unpacked
//! archive. They stay as long as a kept release runs from them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;

use formation::AppName;

use crate::{Error, World};

const DIRECTORY: &str = "sources";

impl World {
    /// Makes an empty directory for a source of an app; the caller holds the app's lock.
    pub fn new_source_tree(&self, app: &AppName) -> Result<(String, PathBuf), Error> {
        let all = self.source_trees(app);
        durable::create_below(self.lib(), &all)?;
        for number in self.next_release(app)?.. {
            let name = number.to_string();
            let path = all.join(&name);
            match fs::create_dir(&path) {
                Ok(()) => return Ok((name, path)),
                // The directory is left over from a deploy that failed or was killed, or belongs to a release whose file was
                // removed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create", &path, error)),
            }
        }
        unreachable!("numbers do not end")
    }

    /// Removes the source directories of an app, except those of kept releases and of the last deploy; the caller holds the app's
    /// lock.
    pub fn forget_source_trees(&self, app: &AppName) -> Result<(), Error> {
        let all = self.source_trees(app);
        let entries = match fs::read_dir(&all) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(|error| Error::io("read", &all, error))?,
        };
        let mut needed: BTreeSet<String> = self.source_record(app)?.archive.into_iter().collect();
        // The source of a damaged release is unknown, so if there is one, everything stays.
        let kept = self.kept_releases(app)?.into_iter().collect::<Result<Vec<_>, _>>()?;
        needed.extend(kept.into_iter().filter_map(|release| release.source.archive));
        for entry in entries.flatten() {
            let name = entry.file_name();
            if !name.to_str().is_some_and(|name| needed.contains(name)) {
                fs::remove_dir_all(entry.path())
                    .map_err(|error| Error::io("remove", &entry.path(), error))?;
            }
        }
        Ok(())
    }

    fn source_trees(&self, app: &AppName) -> PathBuf {
        self.kept_dir(app).join(DIRECTORY)
    }
}
