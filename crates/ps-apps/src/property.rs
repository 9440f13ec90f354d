//! Properties: one file each, `config/<plugin>/<app or --global>/<property>`, with the value, no final newline, and the mode
//! 0600 (docs/contract.md#files). A list property has one entry a line, each with a newline. The properties of any plugin can
//! be read; writes are complete and durable, see [`crate::durable`].

use std::io;
use std::path::PathBuf;

use durable::{Access, Directory};

use crate::listing;
use crate::scope::Scope;
use crate::state_file;
use crate::{Error, World};

impl World {
    /// A property's value, `None` if it was never set. Trailing newlines, which an editor leaves, do not count.
    pub fn property(&self, plugin: &str, scope: Scope<'_>, key: &str) -> Result<Option<String>, Error> {
        let path = self.config_dir(plugin, scope).join(key);
        let value = state_file::read_text(&path, true)?;
        match value {
            Some(text) if text.contains('\0') => {
                let reason = "holds NUL bytes: set the property again".to_owned();
                Err(Error::Corrupt { path, line: None, reason })
            }
            Some(text) => Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned())),
            None => Ok(None),
        }
    }

    /// The names of the properties that are stored: any other was never set. For whoever reads many, since asking for each that is
    /// not there costs as much as reading one.
    pub fn stored_properties(&self, plugin: &str, scope: Scope<'_>) -> Result<Vec<String>, Error> {
        listing::names(&self.config_dir(plugin, scope))
    }

    /// Sets a property. [`Error::NoSuchApp`] if the app was destroyed; then no directory of it is made again.
    pub fn set_property(&self, plugin: &str, scope: Scope<'_>, key: &str, value: &str) -> Result<(), Error> {
        self.in_directory(plugin, scope, |directory| {
            Ok(directory.write(key, value.as_bytes(), self.access(scope))?)
        })
    }

    /// Forgets a property; one that was never set is success.
    pub fn unset_property(&self, plugin: &str, scope: Scope<'_>, key: &str) -> Result<(), Error> {
        let path = self.config_dir(plugin, scope);
        match path.symlink_metadata() {
            Ok(_) => self.in_directory(plugin, scope, |directory| Ok(directory.remove(key)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io("read", &path, error)),
        }
    }

    /// Changes something in the directory of a plugin's properties, while no other writer of ours can. If the app is
    /// destroyed meanwhile the result is [`Error::NoSuchApp`], whatever failed first, and its directory is not left behind.
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
        Ok(Directory::open(self.lib(), &self.config_dir(plugin, scope))?)
    }

    /// 0600, owned like the app's directory.
    pub fn access(&self, scope: Scope<'_>) -> Access {
        let like: PathBuf = match scope {
            Scope::Global => self.root().to_owned(),
            Scope::App(app) => self.app_dir(app),
        };
        Access::like(&like, 0o600)
    }
}
