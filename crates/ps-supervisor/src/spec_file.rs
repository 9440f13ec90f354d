//! What a supervisor knows of the file of its spec.

use std::time::Instant;

/// The spec's file, as this supervisor knows it.
#[derive(Debug, Default)]
pub(crate) struct SpecFile {
    /// Which file was read or written last: device, inode, and time of change.
    pub(crate) stamp: Option<(u64, u64, i64, i64)>,
    /// When it is tried again to write down what was stopped by hand, and why that could not be written.
    pub(crate) unwritten: Option<(Instant, String)>,
}
