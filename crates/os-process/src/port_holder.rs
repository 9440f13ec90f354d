//! Who listens on a port: from `/proc/net/tcp*`, which names a socket, and the descriptors of processes, of which one is
//! that socket. Processes of others may not be looked into: then their user is named, which the table tells.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::stat::{has_open, name, pids};

/// The state of a socket that listens, as the table writes it.
const LISTENS: &str = "0A";

/// Who listens on a port. Displays as `nginx (pid 12)`, or as `a process of uid 33` where more cannot be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its pid, where it can be seen.
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

/// Who listens on this TCP port, on whatever address; `None` if nobody does.
pub fn port_holder(port: u16) -> Option<Holder> {
    let (uid, inode) = ["tcp", "tcp6"].into_iter().find_map(|table| listener(table, port))?;
    let pid = owner(&format!("socket:[{inode}]"));
    Some(Holder { pid, uid, name: pid.map(name).unwrap_or_default() })
}

/// Who listens on a port, in words; of what is bound and does not listen no more can be said.
pub fn describe_port_holder(port: u16) -> String {
    port_holder(port).map_or_else(|| "something that does not listen".to_owned(), |holder| holder.to_string())
}

/// User and inode of the socket that listens on a port, in one of the kernel's tables (proc(5), net/tcp).
fn listener(table: &str, port: u16) -> Option<(u32, u64)> {
    let text = fs::read_to_string(format!("/proc/net/{table}")).ok()?;
    text.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let is_meant = u16::from_str_radix(local, 16) == Ok(port) && *fields.get(3)? == LISTENS;
        Some((fields.get(7)?.parse().ok()?, fields.get(9)?.parse().ok()?)).filter(|_| is_meant)
    })
}

/// The process that has a descriptor which is this file.
fn owner(target: &str) -> Option<u32> {
    pids().find(|pid| has_open(*pid, Path::new(target)))
}
