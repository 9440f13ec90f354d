//! What a run wrote goes into its logs; what becomes of that is shown in its status.

use std::time::Instant;

use super::{Run, TRY_AGAIN};
use crate::pace::Advice;

/// What came of taking from a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    /// Whether the log takes nothing, and what is written has to wait.
    pub(crate) waits: bool,
    /// Whether a segment was full: the logs of the slot are to be tidied.
    pub(crate) has_rotated: bool,
    /// When the stream is looked at again.
    pub(crate) advice: Advice,
}

impl Run {
    /// Whether it writes to the logs that this run began.
    pub(crate) fn writes_to_logs_of(&self, began: u64) -> bool {
        self.outputs.began() == began
    }

    /// Takes what is there of a stream, one turn at most.
    pub(crate) fn take_output(&mut self, index: usize, now: Instant) -> Taken {
        let (moved, advice) = self.outputs.take(index, now);
        let waits = moved.is_err();
        let any_waits = self.outputs.any_waits();
        self.changed |= any_waits != self.status.log_waits;
        self.status.log_waits = any_waits;
        let moved = moved.unwrap_or_default();
        if moved.dropped > 0 {
            // A status for each piece that was dropped would keep a full disk busy.
            self.try_again.get_or_insert_with(|| now + TRY_AGAIN);
        }
        Taken { waits, has_rotated: moved.has_rotated, advice }
    }

    /// Counts what was dropped of its output.
    pub(super) fn count_lost(&mut self) {
        let Some(lost) = self.outputs.lost() else { return };
        if (lost.dropped, lost.in_doubt) != (self.status.log_dropped, self.status.log_in_doubt) {
            (self.status.log_dropped, self.status.log_in_doubt) = (lost.dropped, lost.in_doubt);
            self.changed = true;
        }
    }
}
