//! Who listens on a port, as far as /proc lets us see it.

use std::fs;
use std::path::Path;

/// The state of a socket that listens, as the kernel's table writes it.
const LISTENS: &str = "0A";

/// `nginx (pid 12)`; less where less can be seen.
pub(crate) fn describe(port: u16) -> String {
    let inode = ["tcp", "tcp6"].into_iter().find_map(|table| listener(table, port));
    let pid = inode.and_then(|inode| owner(&format!("socket:[{inode}]")));
    match pid {
        Some(pid) => {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            format!("{} (pid {pid})", name.trim_end())
        }
        None => "another process".to_owned(),
    }
}

/// The inode of the socket that listens on a port, in one of the kernel's tables (proc(5), net/tcp).
fn listener(table: &str, port: u16) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/net/{table}")).ok()?;
    text.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let is_meant = u16::from_str_radix(local, 16) == Ok(port) && *fields.get(3)? == LISTENS;
        fields.get(9)?.parse().ok().filter(|_| is_meant)
    })
}

fn owner(target: &str) -> Option<u32> {
    let entries = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.find(|pid| {
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        descriptors
            .map(|entry| entry.path())
            .any(|fd| fs::read_link(fd).is_ok_and(|link| link == Path::new(target)))
    })
}
