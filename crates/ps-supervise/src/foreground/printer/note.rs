//! What passes between whoever has something to print and the thread that prints.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64};

use formation::Slot;

/// What the printer is told to do, in order.
#[derive(Debug)]
pub(super) enum Note {
    /// What this slot writes can be read there.
    Open(Slot, OwnedFd),
    /// A process of this slot was started, and that was said: print what it writes.
    Listen(Slot),
    /// All processes of this slot have ended: print what is left of their output.
    Drain(Slot),
    /// Say this on stderr, about a slot or about everything.
    Say(Option<Slot>, String),
    /// Print what is left, and end.
    Finish,
}

/// What both sides see.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) written: AtomicU64,
    pub(super) is_writing: AtomicBool,
}
