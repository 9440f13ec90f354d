//! Detects that a file has changed, without reading it.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::source::Source;

/// Without a change for this long, no program is expected to be in the middle of replacing the files.
const CALM: Duration = Duration::from_secs(1);

/// Both files of a source at one moment; `None` if a file does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    certificate: Option<OfFile>,
    key: Option<OfFile>,
}

/// The time is that of the last change of the file or of its name: a file that was renamed into its place may be old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OfFile {
    device: u64,
    inode: u64,
    size: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Stamp {
    /// As the files are now.
    pub(crate) fn of(source: &Source) -> Self {
        let of = |path| std::fs::metadata(path).ok().map(|metadata| OfFile::of(&metadata));
        Self { certificate: of(&source.certificate), key: of(&source.key) }
    }

    /// False if one of the files was changed just before `clock`, since a program that replaces both files writes one
    /// after the other.
    pub(crate) fn is_calm(&self, clock: SystemTime) -> bool {
        let is_old = |file: &OfFile| clock.duration_since(file.changed()).is_ok_and(|age| age >= CALM);
        [&self.certificate, &self.key].into_iter().flatten().all(is_old)
    }
}

impl OfFile {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            seconds: metadata.ctime(),
            nanoseconds: metadata.ctime_nsec(),
        }
    }

    fn changed(&self) -> SystemTime {
        let since = |seconds, nanoseconds| {
            Some(Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?))
        };
        since(self.seconds, self.nanoseconds).map_or(UNIX_EPOCH, |since| UNIX_EPOCH + since)
    }
}
