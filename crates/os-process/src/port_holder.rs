//! Finds the process that listens on a port: `/proc/net/tcp*` gives the inode of the socket, and a descriptor of the
//! process refers to it. If the process may not be examined, the user is named, which the table contains.

use std::fmt;
use std::path::Path;

use crate::listeners;
use crate::stat::{has_open, name, pids};

/// The process that listens on a port. Displays as `nginx (pid 12)`, or as `a process of uid 33` if its pid is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The pid, if it could be found.
    pub pid: Option<u32>,
    /// The number of the user that it runs as.
    pub uid: u32,
    name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "{} (pid {pid})", self.name),
            None => write!(f, "a process of uid {}", self.uid),
        }
    }
}

/// The process that listens on this TCP port, on any address; `None` if there is none.
pub fn port_holder(port: u16) -> Option<Holder> {
    let listener = listeners::all().into_iter().find(|listener| listener.port == port)?;
    let pid = owner(&format!("socket:[{}]", listener.inode));
    Some(Holder { pid, uid: listener.uid, name: pid.map(name).unwrap_or_default() })
}

/// The process that listens on a port, as text. A socket that is bound without listening cannot be found.
pub fn describe_port_holder(port: u16) -> String {
    port_holder(port).map_or_else(|| "something that does not listen".to_owned(), |holder| holder.to_string())
}

/// The process that has a descriptor of this file.
fn owner(target: &str) -> Option<u32> {
    pids().find(|pid| has_open(*pid, Path::new(target)))
}
