#![doc = include_str!("../README.md")]

mod init;
mod installation;
mod name;
mod openrc;
mod piece;
mod quote;
mod runit;
mod systemd;
mod sysv;
mod watch;

pub use init::{Init, UnknownInit};
pub use installation::Installation;
pub use name::{USUAL, service_of};
pub use piece::{Content, MARK, Piece};
pub use quote::Unusable;

/// The files for an init system: first the unit or script, then the links that enable it.
///
/// # Errors
/// A path that cannot be written into such a file.
pub fn pieces(init: Init, installation: &Installation) -> Result<Vec<Piece>, Unusable> {
    let mut pieces = match init {
        Init::Systemd => systemd::of_machine(installation),
        Init::SystemdUser => systemd::of_user(installation),
        Init::Openrc => openrc::pieces(installation),
        Init::Runit => runit::pieces(installation),
        Init::Sysv => sysv::pieces(installation),
    }?;
    if installation.watches {
        pieces.extend(watch::pieces(init, installation)?);
    }
    Ok(pieces)
}
