//! Notes from the supervisor's thread to the printer's.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64};

use formation::Slot;

/// An order to the printer.
#[derive(Debug)]
pub(super) enum Note {
    /// The output of this slot comes from this descriptor.
    Open(Slot, OwnedFd),
    /// A process of this slot was started and reported: print its output.
    Listen(Slot),
    /// All processes of this slot have ended: print the rest of their output.
    Drain(Slot),
    /// Print this on stderr, about a slot or about everything.
    Say(Option<Slot>, String),
    /// Print the rest, and end.
    Finish,
}

/// State that both threads see.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) written: AtomicU64,
    pub(super) is_writing: AtomicBool,
}
