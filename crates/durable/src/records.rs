//! A file of records, one a line, that grows at its end. A record is appended with one `write`, under a lock of the file
//! itself, so that writers do not overwrite each other. A writer that was killed, or a full disk, can leave an incomplete
//! record at the very end: readers ignore it, and the next writer removes it. When the file is full, its older half is
//! removed in one step, so a reader sees the file as it was before or after.
//!
//! A record is not synced: it survives the death of its writer, but a power failure may take those of the last half minute.
//! Nothing is decided by these records, so no verb has to wait for the disk because of them.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Gid, Mode, OFlags, Uid};

use crate::{Access, Directory, ReadError, WriteError, create_below, turn};

/// How long another writer may hold the lock. It needs a few milliseconds; one that was stopped must not block all others.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the file may be replaced between opening and locking it.
const TRIES: usize = 100;
/// How much is read at once when the end of the last whole record is looked for.
const BLOCK: u64 = 4096;

/// A file of records, which need not exist.
#[derive(Clone, Debug)]
pub struct Records {
    base: PathBuf,
    path: PathBuf,
    max_bytes: u64,
    patience: Duration,
}

impl Records {
    /// The records in the file `path` below the directory `base`, which has at most `max_bytes`.
    pub fn new(base: &Path, path: &Path, max_bytes: u64) -> Self {
        Self { base: base.to_owned(), path: path.to_owned(), max_bytes, patience: PATIENCE }
    }

    /// As [`Records::new`], for a writer that must not wait long for others: it gives up after `patience`; the default is 2
    /// s.
    #[must_use]
    pub fn waiting_at_most(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Appends a record, which is one line without its end. Missing directories below `base` are created. After an error
    /// nothing of the record is left.
    pub fn append(&self, record: &str, access: Access) -> Result<(), WriteError> {
        self.append_all(&[record], access)
    }

    /// Appends several records at once: all of them or none.
    pub fn append_all(&self, records: &[impl AsRef<str>], access: Access) -> Result<(), WriteError> {
        let fail = |reason: io::Error| WriteError::new("append to", &self.path, reason);
        let bytes: usize = records.iter().map(|record| record.as_ref().len() + 1).sum();
        if records.iter().any(|record| record.as_ref().contains('\n')) || bytes as u64 > self.max_bytes / 2 {
            return Err(fail(io::Error::new(ErrorKind::InvalidInput, "it is no record, but longer")));
        }
        let (file, length) = match self.lock(access) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                create_below(&self.base, self.parent())?;
                self.lock(access)
            }
            locked => locked,
        }
        .map_err(fail)?;
        let whole = forget_half_a_record(&file, length).map_err(fail)?;
        let lines: String = records.iter().flat_map(|record| [record.as_ref(), "\n"]).collect();
        if whole + lines.len() as u64 > self.max_bytes {
            let mut kept = self.newer_half(&file, whole).map_err(fail)?;
            kept.extend_from_slice(lines.as_bytes());
            return Directory::open(&self.base, self.parent())?.write(&self.name(), &kept, access);
        }
        let written = (&file).write_all(lines.as_bytes());
        if written.is_err() {
            // If this fails too, an incomplete record is left at the end, or a complete one that the caller believes was
            // not written.
            let _ = file.set_len(whole);
        }
        written.map_err(fail)
    }

    /// The records, the oldest first. An incomplete record at the end is ignored. If another program has made the file
    /// larger than permitted, only its end is read.
    pub fn read(&self) -> Result<Vec<String>, ReadError> {
        let file = match crate::open(&self.path) {
            Err(ReadError::Missing) => return Ok(Vec::new()),
            file => file?,
        };
        let length = file.metadata()?.len();
        let begin = length.saturating_sub(self.max_bytes);
        let mut bytes = tail(&file, begin, length)?;
        if begin > 0 {
            forget_first(&mut bytes);
        }
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines = bytes[..whole].split(|byte| *byte == b'\n');
        Ok(lines
            .filter(|line| !line.is_empty())
            .map(|line| String::from_utf8_lossy(line).into_owned())
            .collect())
    }

    /// Opens and locks the file that has the name at the moment, and gives it its access. Returns it with its length.
    fn lock(&self, access: Access) -> io::Result<(File, u64)> {
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let begun = Instant::now();
        for _ in 0..TRIES {
            let file = rustix::fs::open(&self.path, flags | OFlags::CLOEXEC, Mode::from_raw_mode(0o600))?;
            let file = File::from(file);
            turn::wait(&file, begun, self.patience)?;
            let is = file.metadata()?;
            if !is.is_file() {
                return Err(io::Error::new(ErrorKind::InvalidData, "is not a file: remove it"));
            }
            let named = self.path.symlink_metadata();
            if named.is_ok_and(|named| (named.dev(), named.ino()) == (is.dev(), is.ino())) {
                set_access(&file, &is, access)?;
                return Ok((file, is.len()));
            }
        }
        Err(io::Error::new(ErrorKind::ResourceBusy, "it is replaced again and again"))
    }

    /// The newest records, up to half of the permitted size. `end` is the end of the last one.
    fn newer_half(&self, file: &File, end: u64) -> io::Result<Vec<u8>> {
        let mut bytes = tail(file, end.saturating_sub(self.max_bytes / 2), end)?;
        forget_first(&mut bytes);
        Ok(bytes)
    }

    fn parent(&self) -> &Path {
        self.path.parent().unwrap_or(&self.base)
    }

    fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// Removes an incomplete record at the end, and returns where the last complete one ends.
fn forget_half_a_record(file: &File, length: u64) -> io::Result<u64> {
    let mut end = length;
    if end > 0 && tail(file, end - 1, end)? == b"\n" {
        return Ok(end);
    }
    while end > 0 {
        let begin = end.saturating_sub(BLOCK);
        let block = tail(file, begin, end)?;
        if let Some(last) = block.iter().rposition(|byte| *byte == b'\n') {
            end = begin + last as u64 + 1;
            break;
        }
        end = begin;
    }
    if end < length {
        file.set_len(end)?;
    }
    Ok(end)
}

/// The bytes of a file from `begin` to `end`, or fewer if the file became shorter.
fn tail(file: &File, begin: u64, end: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(end - begin).unwrap_or(0)];
    let mut filled = 0;
    // A reader takes no lock, so the file may become shorter while it is read.
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], begin + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Removes a first record whose beginning is missing.
fn forget_first(bytes: &mut Vec<u8>) {
    let first = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1);
    bytes.drain(..first);
}

/// Gives the file its owner and mode, if it does not have them, because it was just made, or its maker was killed.
fn set_access(file: &File, is: &Metadata, access: Access) -> io::Result<()> {
    if let Some((uid, gid)) = access.owner.filter(|owner| *owner != (is.uid(), is.gid())) {
        rustix::fs::fchown(file, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    }
    if is.mode() & 0o7777 != access.mode {
        rustix::fs::fchmod(file, Mode::from_raw_mode(access.mode))?;
    }
    Ok(())
}
