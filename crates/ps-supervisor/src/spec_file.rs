//! The supervisor's knowledge of the file that its spec is in.

use std::time::Instant;

/// The file of the spec, as this supervisor last read or wrote it.
#[derive(Debug, Default)]
pub(crate) struct SpecFile {
    /// Its device, inode and time of change.
    pub(crate) stamp: Option<(u64, u64, i64, i64)>,
    /// When recording the stopped slots is tried again, and why it failed the last time.
    pub(crate) unwritten: Option<(Instant, String)>,
}
