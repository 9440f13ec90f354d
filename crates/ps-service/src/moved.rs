//! A supervisor whose directory was moved while it ran. Its socket has moved along and answers, but the supervisor writes to the path
//! that it was started with, so its records do not arrive.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::Service;

/// A supervisor that works in another directory than the one in which its socket lies.
#[derive(Debug)]
pub struct Moved {
    /// The pid of the supervisor.
    pub supervisor: u32,
    /// The directory that the supervisor works in, by the path that it was started with.
    pub from: PathBuf,
}

/// The supervisor of a service, if the directory of the service was moved since the supervisor was started.
pub fn moved(service: &Service) -> Option<Moved> {
    let supervisor = service.connect()?.supervisor()?;
    let line = std::fs::read(format!("/proc/{supervisor}/cmdline")).ok()?;
    let words = line.split(|byte| *byte == 0).map(|word| Path::new(OsStr::from_bytes(word)));
    let from = words.skip(1).find(|word| word.is_absolute())?.to_owned();
    let place = |path: &Path| path.metadata().ok().map(|file| (file.dev(), file.ino()));
    (place(&from) != place(&service.directory)).then_some(Moved { supervisor, from })
}
