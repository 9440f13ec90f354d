//! Properties: one file each, `config/<plugin>/<app or --global>/<property>`, with the value, no final newline, and the mode
//! 0600 (docs/contract.md#files). A list property has one entry a line, each with a newline. The properties of any plugin can
//! be read; writes are complete and durable, see [`crate::durable`].

use std::io;
use std::path::{Path, PathBuf};

use durable::{Access, Directory, OpenDirectory};

use crate::listing;
use crate::scope::Scope;
use crate::state_file;
use crate::{Error, World};

impl World {
    /// A property's value, `None` if it was never set. Trailing newlines, which an editor leaves, do not count.
    pub fn property(&self, plugin: &str, scope: Scope<'_>, key: &str) -> Result<Option<String>, Error> {
        let path = self.config_dir(plugin, scope).join(key);
        state_file::read_text(&path, true)?.map(|text| value(&text, || path)).transpose()
    }

    /// The stored properties of a scope, for a caller that reads many: the directory is opened and listed once, and a property that is
    /// not in the list costs nothing.
    pub fn stored_properties(&self, plugin: &str, scope: Scope<'_>) -> Result<StoredProperties, Error> {
        let path = self.config_dir(plugin, scope);
        Ok(StoredProperties { directory: listing::open(&path)?, path })
    }

    /// Sets a property. [`Error::NoSuchApp`] if the app was destroyed; then no directory of it is made again.
    pub fn set_property(&self, plugin: &str, scope: Scope<'_>, key: &str, value: &str) -> Result<(), Error> {
        self.in_directory(plugin, scope, |directory| {
            Ok(directory.write(key, value.as_bytes(), self.access(scope))?)
        })
    }

    /// Removes a property; success also if it was never set.
    pub fn unset_property(&self, plugin: &str, scope: Scope<'_>, key: &str) -> Result<(), Error> {
        let path = self.config_dir(plugin, scope);
        match path.symlink_metadata() {
            Ok(_) => self.in_directory(plugin, scope, |directory| Ok(directory.remove(key)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io("read", &path, error)),
        }
    }

    /// Changes something in the directory of a plugin's properties, while other writers of this project wait. If the app is destroyed
    /// meanwhile the result is [`Error::NoSuchApp`], whatever else failed before, and its directory is not left behind.
    pub(crate) fn in_directory<T, E: From<Error>>(
        &self,
        plugin: &str,
        scope: Scope<'_>,
        change: impl FnOnce(&Directory) -> Result<T, E>,
    ) -> Result<T, E> {
        self.refuse_gone(scope)?;
        let opened = self.property_directory(plugin, scope);
        if let Err(gone) = self.refuse_gone(scope) {
            opened.into_iter().for_each(Directory::abandon);
            return Err(gone.into());
        }
        change(&opened?).or_else(|error| self.refuse_gone(scope).map_err(E::from).and(Err(error)))
    }

    fn refuse_gone(&self, scope: Scope<'_>) -> Result<(), Error> {
        match scope {
            Scope::App(app) if !self.is_app(app)? => Err(self.no_such_app(app)),
            Scope::App(_) | Scope::Global => Ok(()),
        }
    }

    /// The directory of a plugin's properties, open for changes.
    pub(crate) fn property_directory(&self, plugin: &str, scope: Scope<'_>) -> Result<Directory, Error> {
        durable::create_root(self.lib()).map_err(Error::no_place)?;
        Ok(self.open_for_changes(&self.config_dir(plugin, scope))?)
    }

    /// Mode 0600, and the owner of the app's directory.
    pub fn access(&self, scope: Scope<'_>) -> Access {
        let like: PathBuf = match scope {
            Scope::Global => self.root().to_owned(),
            Scope::App(app) => self.app_dir(app),
        };
        Access::like(&like, 0o600)
    }
}

/// The properties of one scope as they were when their directory was listed. The value of each is read when it is asked for.
#[derive(Debug)]
pub struct StoredProperties {
    path: PathBuf,
    /// `None`: the directory does not exist, so nothing was ever set.
    directory: Option<OpenDirectory>,
}

impl StoredProperties {
    /// As [`World::property`].
    pub fn value(&self, key: &str) -> Result<Option<String>, Error> {
        self.text(key)?.map(|text| value(&text, || self.path.join(key))).transpose()
    }

    /// The text of a file, unchanged.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Error> {
        match &self.directory {
            Some(directory) if directory.has(name) => {
                state_file::read_text_in(directory, &self.path, name, true)
            }
            Some(_) | None => Ok(None),
        }
    }

    /// The directory of the properties.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn value(text: &str, path: impl FnOnce() -> PathBuf) -> Result<String, Error> {
    if text.contains('\0') {
        let reason = "holds NUL bytes: set the property again".to_owned();
        return Err(Error::Corrupt { path: path(), line: None, reason });
    }
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
