//! The init systems for which files can be made.

use std::fmt;
use std::str::FromStr;

/// An init system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// systemd as process 1.
    Systemd,
    /// The systemd of one user.
    SystemdUser,
    /// OpenRC.
    Openrc,
    /// runit.
    Runit,
    /// System V init: scripts with an LSB header.
    Sysv,
}

/// The name of an unknown init system.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no init system that is known here: systemd, systemd-user, openrc, runit, sysv")]
pub struct UnknownInit(String);

impl Init {
    /// All init systems.
    pub const ALL: [Self; 5] = [Self::Systemd, Self::SystemdUser, Self::Openrc, Self::Runit, Self::Sysv];

    /// The name of the init system.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::SystemdUser => "systemd-user",
            Self::Openrc => "openrc",
            Self::Runit => "runit",
            Self::Sysv => "sysv",
        }
    }
}

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Init {
    type Err = UnknownInit;

    fn from_str(word: &str) -> Result<Self, UnknownInit> {
        let named = Self::ALL.into_iter().find(|init| init.as_str() == word);
        named.ok_or_else(|| UnknownInit(word.to_owned()))
    }
}
