//! The installation whose apps are to be started at boot.

use std::path::PathBuf;

use crate::quote::{self, Unusable};

/// The programs, directories and user of an installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// The path of `ps-lifecycle`.
    pub lifecycle: PathBuf,
    /// The path of `ps-supervise`.
    pub supervise: PathBuf,
    /// The name of the service, [`crate::USUAL`] or another one by [`crate::service_of`].
    pub name: String,
    /// `DOKKU_ROOT`.
    pub root: PathBuf,
    /// `DOKKU_LIB_ROOT`.
    pub lib: PathBuf,
    /// Whether containers are watched too.
    pub watches: bool,
    /// The user who runs the apps; `None` for root, or for the user whose systemd is used.
    pub user: Option<String>,
    /// The directory of a user's configuration (`~/.config`); only for [`crate::Init::SystemdUser`].
    pub config: PathBuf,
    /// The directory whose services runit runs; only for [`crate::Init::Runit`].
    pub scanned: PathBuf,
}

impl Installation {
    /// The name of the service that watches containers.
    pub fn name_of_watch(&self) -> String {
        format!("{}-watch", self.name)
    }

    /// A shell command that runs a verb as the user who runs the apps.
    pub(crate) fn verb(&self, words: &str) -> Result<String, Unusable> {
        let verb = format!("{} {words}", quote::shell_path(&self.lifecycle)?);
        Ok(match &self.user {
            Some(user) => format!("su -s /bin/sh -c {} {}", quote::shell(&verb), quote::shell(user)),
            None => verb,
        })
    }
}
