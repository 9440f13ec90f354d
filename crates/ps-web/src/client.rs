//! The client at the other end of a connection.

use std::net::SocketAddr;

/// The other end of a connection.
#[derive(Clone, Debug)]
pub(crate) enum Client {
    /// A program of this machine that may use the socket, with its user, if the kernel reports it.
    Local(Option<String>),
    /// A client of the address. Its requests need the token.
    Remote(SocketAddr),
}

impl Client {
    /// The name of the client for the journal.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Local(Some(user)) => format!("{user} by ps-web"),
            Self::Local(None) => "ps-web".to_owned(),
            Self::Remote(address) => format!("{} by ps-web", address.ip()),
        }
    }
}
