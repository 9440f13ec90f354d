//! The content of block 0: which supervisor writes the file, and in which directory.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use os_process::ProcessId;
use serde::{Deserialize, Serialize};

use super::cell::{newest, read_block};
use crate::socket::CONTROL_SOCKET;

/// The name of the file in a service directory.
pub(crate) const FILE: &str = "state";
const FORMAT: u32 = 1;
/// The longest path that is recorded, in bytes: the head must fit into its cell.
const LONGEST_PATH: usize = 1024;

/// The content of block 0.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    format: u32,
    /// The socket of the supervisor that writes.
    pub(super) control: Birth,
    /// Itself, once it has looked at all that an earlier one has left. One of an earlier version does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) supervisor: Option<ProcessId>,
    /// The inode of the file. A copy that somebody put in its place, such as one of a backup, has another one, and nobody writes to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) inode: Option<u64>,
    /// The service directory, by which a copy of the whole directory is known. One of an earlier version does not say, and neither does
    /// one whose path is not UTF-8 or very long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<String>,
}

/// By what a socket is known: its inode, and the seconds and nanoseconds of its time of change.
pub(super) type Birth = (u64, i64, i64);

impl Head {
    /// The head that the supervisor of a service directory writes into this file.
    pub(super) fn of(service: &Path, file: &File, supervisor: Option<ProcessId>) -> io::Result<Self> {
        let directory = service.to_str().filter(|path| path.len() <= LONGEST_PATH).map(str::to_owned);
        let (control, inode) = (birth(service)?, Some(file.metadata()?.ino()));
        Ok(Self { format: FORMAT, control, supervisor, inode, directory })
    }
}

/// The head in the file of a service directory, up to date or not.
pub(crate) fn written(service: &Path) -> Option<Head> {
    let block = read_block(&durable::open(&service.join(FILE)).ok()?, 0)?;
    serde_json::from_slice(newest(&block)?.1).ok()
}

/// This head, if the supervisor that wrote it into this file is the last one that ran here.
pub(super) fn up_to_date(file: &File, head: &[u8], control: impl Fn() -> io::Result<Birth>) -> Option<Head> {
    let head: Head = serde_json::from_slice(head).ok()?;
    let is_copied =
        head.inode.is_some_and(|inode| file.metadata().is_ok_and(|metadata| metadata.ino() != inode));
    (!is_copied && head.format <= FORMAT && control().is_ok_and(|birth| birth == head.control))
        .then_some(head)
}

/// Identifies the socket in the service directory. Every supervisor makes its own.
pub(super) fn birth(service: &Path) -> io::Result<Birth> {
    let control = service.join(CONTROL_SOCKET).symlink_metadata()?;
    Ok((control.ino(), control.mtime(), control.mtime_nsec()))
}
