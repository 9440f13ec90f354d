//! How much of a stream is kept, and what happens to bytes when the disk is full.

use std::time::Duration;

/// The limits of a series. With the defaults, a stream takes 100 MiB at most, and a tenth of that if it compresses like
/// text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The size of a segment, in bytes, at which the next one is begun.
    pub size: u64,
    /// The age limit: a segment that got its last byte longer ago is removed. A new segment is begun after a tenth of this
    /// time.
    pub age: Duration,
    /// The most segments of a series, including the one that is written to.
    pub files: usize,
    /// What happens to bytes when the disk is full.
    pub when_full: WhenFull,
}

/// What happens to bytes when the disk is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// They are dropped and counted; the process is never blocked.
    #[default]
    Drop,
    /// They stay in the FIFO. Once it is full, the process is blocked until there is room.
    Block,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            size: 10 << 20,
            age: Duration::from_secs(90 * 24 * 60 * 60),
            files: 10,
            when_full: WhenFull::default(),
        }
    }
}

impl Limits {
    /// Keeps everything and blocks the process: the behaviour before there were limits.
    #[must_use]
    pub fn none() -> Self {
        let a_hundred_years = Duration::from_secs(100 * 365 * 24 * 60 * 60);
        Self { size: u64::MAX, age: a_hundred_years, files: usize::MAX, when_full: WhenFull::Block }
    }

    /// How long a segment is written to.
    pub(crate) fn turn(&self) -> Duration {
        self.age / 10
    }

    /// The most bytes of a series on the disk.
    pub(crate) fn total(&self) -> u64 {
        self.size.saturating_mul(u64::try_from(self.files).unwrap_or(u64::MAX))
    }
}
