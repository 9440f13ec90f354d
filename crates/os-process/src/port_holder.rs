//! Which process listens on a port: `/proc/net/tcp*` gives the inode of the socket, and a descriptor of the process leads
//! to it. If that process may not be examined, its user is named, which the table gives.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::stat::{has_open, name, pids};

/// The state of a listening socket in the table.
const LISTENS: &str = "0A";

/// The process that listens on a port. Displays as `nginx (pid 12)`, or as `a process of uid 33` if its pid is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its pid, if it could be found.
    pub pid: Option<u32>,
    /// The user it runs as.
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
    let (uid, inode) = ["tcp", "tcp6"].into_iter().find_map(|table| listener(table, port))?;
    let pid = owner(&format!("socket:[{inode}]"));
    Some(Holder { pid, uid, name: pid.map(name).unwrap_or_default() })
}

/// The process that listens on a port, in words. A socket that is bound without listening cannot be traced.
pub fn describe_port_holder(port: u16) -> String {
    port_holder(port).map_or_else(|| "something that does not listen".to_owned(), |holder| holder.to_string())
}

/// User and inode of the socket that listens on a port, from one of the kernel's tables (proc(5), net/tcp).
fn listener(table: &str, port: u16) -> Option<(u32, u64)> {
    let text = fs::read_to_string(format!("/proc/net/{table}")).ok()?;
    text.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let is_meant = u16::from_str_radix(local, 16) == Ok(port) && *fields.get(3)? == LISTENS;
        Some((fields.get(7)?.parse().ok()?, fields.get(9)?.parse().ok()?)).filter(|_| is_meant)
    })
}

/// The process that has a descriptor of this file.
fn owner(target: &str) -> Option<u32> {
    pids().find(|pid| has_open(*pid, Path::new(target)))
}
