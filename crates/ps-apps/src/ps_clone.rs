//! Copies the ps plugin's files about an app to another app, when Dokku's `apps` plugin clones or renames one. Neither app
//! needs a directory. Only regular files are copied, unchanged.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use durable::{Access, Directory};
use formation::AppName;

use crate::scope::Scope;
use crate::state_file;
use crate::{Error, World};

const PLUGIN: &str = "ps";
/// `Procfile.<pid>` belongs to a deploy in progress.
const OF_A_DEPLOY: &str = "Procfile.";
/// The size limit for files that Formation keeps about an app, in bytes; the largest is the description of the services of a Compose file.
const LARGEST_KEPT: u64 = 16 << 20;

impl World {
    /// Copies every ps property of an app to another one; other properties of the other app stay.
    pub fn copy_ps_properties(&self, old: &AppName, new: &AppName) -> Result<(), Error> {
        let from = self.config_dir(PLUGIN, Scope::App(old));
        let files = regular_files(&from)?;
        if files.is_empty() {
            return Ok(());
        }
        copy(&files, &self.property_directory(PLUGIN, Scope::App(new))?, |_| self.access(Scope::Global))
    }

    /// Copies the data of an app to another one, above all its Procfile, and the kept releases; the data directory is made
    /// in any case.
    pub fn copy_ps_data(&self, old: &AppName, new: &AppName) -> Result<(), Error> {
        self.copy_releases(old, new)?;
        let to = self.data_dir(PLUGIN, new);
        durable::create_below(self.lib(), &to)?;
        let mut files = regular_files(&self.data_dir(PLUGIN, old))?;
        files.retain(|(name, _)| !name.starts_with(OF_A_DEPLOY));
        if files.is_empty() {
            return Ok(());
        }
        copy(&files, &Directory::open(self.lib(), &to)?, |mode| Access::like(self.lib(), mode))
    }

    /// Copies every file that Formation itself keeps about an app to the app's new name, when the app is renamed: its journal, the last lines
    /// of a failed task, the position of its alerts and so on. A file that the new name already has stays. Directories are not copied: kept
    /// releases are copied by [`World::copy_ps_data`], and the other directories belong to running instances.
    pub fn hand_on_kept(&self, old: &AppName, new: &AppName) -> Result<(), Error> {
        let to = self.kept_dir(new);
        let mut files = regular_files(&self.kept_dir(old))?;
        files.retain(|(name, _)| !to.join(name).exists());
        if files.is_empty() {
            return Ok(());
        }
        copy_up_to(LARGEST_KEPT, &files, &Directory::open(self.lib(), &to)?, |mode| {
            Access::like(self.lib(), mode)
        })
    }

    /// Removes every ps property of an app; success also if there is none.
    pub fn remove_ps_properties(&self, app: &AppName) -> Result<(), Error> {
        let path = self.config_dir(PLUGIN, Scope::App(app));
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", &path, error)),
            _ => Ok(()),
        }
    }
}

fn copy(files: &[(String, PathBuf)], to: &Directory, access: impl Fn(u32) -> Access) -> Result<(), Error> {
    copy_up_to(state_file::MAX_BYTES, files, to, access)
}

/// As [`copy`], for files of this many bytes at most.
fn copy_up_to(
    most: u64,
    files: &[(String, PathBuf)],
    to: &Directory,
    access: impl Fn(u32) -> Access,
) -> Result<(), Error> {
    for (name, path) in files {
        let mode =
            path.metadata().map_err(|error| Error::io("read", path, error))?.permissions().mode() & 0o777;
        if let Some(bytes) = state_file::read_up_to(most, path)? {
            to.write(name, &bytes, access(mode))?;
        }
    }
    Ok(())
}

/// Name and path of each regular file, sorted; empty if the directory does not exist.
fn regular_files(directory: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let fail = |error| Error::io("read", directory, error);
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(fail)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(fail)?;
        if let (Ok(name), true) =
            (entry.file_name().into_string(), entry.file_type().map_err(fail)?.is_file())
        {
            files.push((name, entry.path()));
        }
    }
    files.sort();
    Ok(files)
}
