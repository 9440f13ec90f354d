//! How the instances of a type are reached from outside of a swarm.

use std::fmt;
use std::str::FromStr;

/// Where the instances of a type are reached from outside of a swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publish {
    /// Nowhere.
    None,
    /// Each at a port of the node that it runs on.
    Host,
    /// All of them together at one port of every node of the swarm.
    Ingress,
}

impl FromStr for Publish {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "none" => Ok(Self::None),
            "host" => Ok(Self::Host),
            "ingress" => Ok(Self::Ingress),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Host => "host",
            Self::Ingress => "ingress",
        })
    }
}
