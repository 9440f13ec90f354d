//! `deploy --archive`: unpacks the archive into a directory of the app's data, from which the app is deployed as from
//! any other directory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use formation::AppName;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use unpack::{Limits, unpack};

use crate::session::Session;

/// Standard input.
const DASH: &str = "-";
/// How often it is checked whether the verb was cancelled.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// A source that was unpacked. Its directory is removed when this is dropped, unless `keep` is called.
pub(crate) struct Unpacked {
    /// The name of its directory.
    pub(crate) name: String,
    /// The directory of the source.
    pub(crate) directory: PathBuf,
    whole: PathBuf,
    is_kept: bool,
}

impl Unpacked {
    /// Keeps the directory, because the deploy runs from it.
    pub(crate) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        if !self.is_kept {
            // Files that cannot be removed now are removed by the next deploy.
            let _ = fs::remove_dir_all(&self.whole);
            // The directories of an app that was never created are removed too; one that is not empty stays.
            for above in self.whole.ancestors().skip(1).take(2) {
                let _ = fs::remove_dir(above);
            }
        }
    }
}

/// Unpacks an archive, a file or `-` for standard input; the caller holds the app's lock.
pub(crate) fn take(session: &Session, app: &AppName, archive: &Path) -> Result<Unpacked> {
    let shown =
        if archive == Path::new(DASH) { "standard input".to_owned() } else { archive.display().to_string() };
    let place = || format!("the archive {shown}");
    let file = open(archive).with_context(place)?;
    let (name, whole) = session.world.new_source_tree(app)?;
    let mut unpacked = Unpacked { name, directory: whole.clone(), whole, is_kept: false };
    session.step(&format!("Unpacking {shown}..."))?;
    let done = unpack(Interruptible { file, session }, &unpacked.whole, Limits::default());
    session.check()?;
    let done = done.with_context(place)?;
    session.detail(&format!("files: {}, size: {} KiB", done.files, done.bytes.div_ceil(1024)))?;
    unpacked.directory = only_directory(&unpacked.whole).unwrap_or_else(|| unpacked.whole.clone());
    Ok(unpacked)
}

fn open(archive: &Path) -> Result<File> {
    if archive == Path::new(DASH) {
        return Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?));
    }
    // Opening a FIFO without a writer would wait for one.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(archive)?;
    if file.metadata()?.is_dir() {
        bail!("it is a directory: --dir deploys one");
    }
    Ok(file)
}

/// The only directory at the top of an archive, if it has no other entries there, as is common.
fn only_directory(whole: &Path) -> Option<PathBuf> {
    let mut entries = fs::read_dir(whole).ok()?.flatten();
    let only = entries.next()?;
    (entries.next().is_none() && only.file_type().ok()?.is_dir()).then(|| only.path())
}

/// A file whose reading ends when the verb is cancelled.
struct Interruptible<'a> {
    file: File,
    session: &'a Session,
}

impl Read for Interruptible<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.session.check().is_err() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            let mut wanted = [PollFd::new(&self.file, PollFlags::IN)];
            match poll(&mut wanted, Some(&LOOK)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => continue,
                Ok(_) => {}
                Err(error) => return Err(error.into()),
            }
            match self.file.read(buffer) {
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                read => return read,
            }
        }
    }
}
