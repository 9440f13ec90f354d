//! Pauses between attempts to reach another process that does not report when it is ready: a root that is about to
//! listen, a supervisor that is about to exit.

use std::thread;
use std::time::Duration;

const FIRST: Duration = Duration::from_micros(250);
const LONGEST: Duration = Duration::from_millis(5);

/// Short at first, because most starts take few milliseconds, then longer and longer.
#[derive(Debug)]
pub(crate) struct Pause(Duration);

impl Pause {
    /// Nothing was waited for yet.
    pub(crate) fn short() -> Self {
        Self(FIRST)
    }

    /// Waits once.
    pub(crate) fn rest(&mut self) {
        thread::sleep(self.0);
        self.0 = (self.0 * 2).min(LONGEST);
    }
}
