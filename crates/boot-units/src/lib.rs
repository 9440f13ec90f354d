#![doc = include_str!("../README.md")]

mod init;
mod openrc;
mod piece;
mod quote;
mod runit;
mod systemd;
mod sysv;

use std::path::PathBuf;

pub use init::{Init, UnknownInit};
pub use piece::{Content, MARK, Piece};
pub use quote::Unusable;

/// What is to be brought back, by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// The path of `ps-lifecycle`.
    pub lifecycle: PathBuf,
    /// The path of `ps-supervise`.
    pub supervise: PathBuf,
    /// `DOKKU_ROOT`.
    pub root: PathBuf,
    /// `DOKKU_LIB_ROOT`.
    pub lib: PathBuf,
    /// Who runs it; `None` is root, or the user whose systemd it is.
    pub user: Option<String>,
    /// Where a user's own configuration lies (`~/.config`); for [`Init::SystemdUser`] alone.
    pub config: PathBuf,
    /// The directory whose services runit runs; for [`Init::Runit`] alone.
    pub scanned: PathBuf,
}

impl Installation {
    /// A command line of a shell that runs a verb as whoever runs the apps.
    fn verb(&self, words: &str) -> Result<String, Unusable> {
        let verb = format!("{} {words}", quote::shell_path(&self.lifecycle)?);
        Ok(match &self.user {
            Some(user) => format!("su -s /bin/sh -c {} {}", quote::shell(&verb), quote::shell(user)),
            None => verb,
        })
    }
}

/// What an init system is given: the file with the words comes first, then the links that enable it.
///
/// # Errors
/// A path that cannot be written into such a file.
pub fn pieces(init: Init, installation: &Installation) -> Result<Vec<Piece>, Unusable> {
    match init {
        Init::Systemd => systemd::of_machine(installation),
        Init::SystemdUser => systemd::of_user(installation),
        Init::Openrc => openrc::pieces(installation),
        Init::Runit => runit::pieces(installation),
        Init::Sysv => sysv::pieces(installation),
    }
}
