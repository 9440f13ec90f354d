//! Moves the output of a run into its logs and shows losses in its status.

use std::time::Instant;

use super::{Run, TRY_AGAIN};
use crate::pace::Advice;

/// The result of moving data from a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    /// Whether the log cannot be written, so that the process will block once the pipe is full.
    pub(crate) waits: bool,
    /// Whether a segment was full, so that the slot's logs have to be tidied.
    pub(crate) has_rotated: bool,
    /// When to look at the stream again.
    pub(crate) advice: Advice,
}

impl Run {
    /// Whether it writes to the logs that run `began` began.
    pub(crate) fn writes_to_logs_of(&self, began: u64) -> bool {
        self.outputs.began() == began
    }

    /// Moves what one stream has to its log, as much as one turn allows.
    pub(crate) fn take_output(&mut self, index: usize, now: Instant) -> Taken {
        let (moved, advice) = self.outputs.take(index, now);
        let waits = moved.is_err();
        let any_waits = self.outputs.any_waits();
        self.changed |= any_waits != self.status.log_waits;
        self.status.log_waits = any_waits;
        let moved = moved.unwrap_or_default();
        if moved.dropped > 0 {
            // The loss is shown a little later: writing the status for each lost piece would keep a full disk busy.
            self.try_again.get_or_insert_with(|| now + TRY_AGAIN);
        }
        Taken { waits, has_rotated: moved.has_rotated, advice }
    }

    /// Takes in what its process left, which ended while no supervisor lived.
    pub(crate) fn take_last_words(&mut self) {
        self.outputs.take_last_words();
        self.count_lost();
    }

    /// Updates the number of lost bytes in the status.
    pub(super) fn count_lost(&mut self) {
        let Some(lost) = self.outputs.lost() else { return };
        if (lost.dropped, lost.in_doubt) != (self.status.log_dropped, self.status.log_in_doubt) {
            (self.status.log_dropped, self.status.log_in_doubt) = (lost.dropped, lost.in_doubt);
            self.changed = true;
        }
    }
}
