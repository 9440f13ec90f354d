//! Pauses between attempts to reach another process that does not report when it is ready: a root that is about to
//! listen, a supervisor that is about to exit.

use std::thread;
use std::time::Duration;

const FIRST: Duration = Duration::from_micros(250);
const LONGEST: Duration = Duration::from_millis(5);

/// The length of the next pause. The first is short, because most starts take few milliseconds; each further one
/// is twice as long.
#[derive(Debug)]
pub(crate) struct Pause(Duration);

impl Pause {
    /// The first pause.
    pub(crate) fn short() -> Self {
        Self(FIRST)
    }

    /// Waits once.
    pub(crate) fn rest(&mut self) {
        thread::sleep(self.0);
        self.0 = (self.0 * 2).min(LONGEST);
    }
}
