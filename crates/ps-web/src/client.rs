//! The client at the other end of a connection.

use std::net::SocketAddr;

/// The other end of a connection.
#[derive(Clone, Debug)]
pub(crate) enum Client {
    /// A program of this machine that may use the socket, with its user, if the kernel reports it.
    Local(Option<String>),
    /// Whoever reaches the address; what it sends has to bear the token.
    Remote(SocketAddr),
}

impl Client {
    /// As the journal has it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Local(Some(user)) => format!("{user} by ps-web"),
            Self::Local(None) => "ps-web".to_owned(),
            Self::Remote(address) => format!("{} by ps-web", address.ip()),
        }
    }
}
