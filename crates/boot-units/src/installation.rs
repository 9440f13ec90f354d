//! The installation whose apps are to be started at boot.

use std::path::PathBuf;

use crate::quote::{self, Unusable};

/// What is to be brought back, by whom.
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
    /// Whether the containers are watched too.
    pub watches: bool,
    /// Who runs it; `None` is root, or the user whose systemd it is.
    pub user: Option<String>,
    /// The directory of a user's configuration (`~/.config`); only for [`crate::Init::SystemdUser`].
    pub config: PathBuf,
    /// The directory whose services runit runs; for [`crate::Init::Runit`] alone.
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
