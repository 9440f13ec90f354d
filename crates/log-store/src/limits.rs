//! How much of a stream is kept, and what happens to bytes for which there is no room.

use std::time::Duration;

/// What is kept of a series. The defaults hold a stream to 100 MiB at the very most, and to a tenth of that where it
/// compresses as text does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes that a segment has before the next one is begun.
    pub size: u64,
    /// How old a segment may become: one that got its last byte longer ago is removed, and one that is written to for a
    /// tenth of this time is followed by the next.
    pub age: Duration,
    /// How many segments a series has at most, the one that is written to included.
    pub files: usize,
    /// What happens to bytes for which there is no room.
    pub when_full: WhenFull,
}

/// What happens to bytes while the disk is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// They are dropped and counted: who writes is never held up.
    #[default]
    Drop,
    /// They stay in the FIFO; once that is full, who writes waits until there is room.
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
    /// Everything is kept, and who writes waits for room: what held before there were limits.
    #[must_use]
    pub fn none() -> Self {
        let a_hundred_years = Duration::from_secs(100 * 365 * 24 * 60 * 60);
        Self { size: u64::MAX, age: a_hundred_years, files: usize::MAX, when_full: WhenFull::Block }
    }

    /// For how long a segment is written to.
    pub(crate) fn turn(&self) -> Duration {
        self.age / 10
    }

    /// How many bytes a series has on the disk at most.
    pub(crate) fn total(&self) -> u64 {
        self.size.saturating_mul(u64::try_from(self.files).unwrap_or(u64::MAX))
    }
}
