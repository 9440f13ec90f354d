//! The terminal's input settings. A program that has our stdin may change them (no echo, no line mode) and be killed before
//! it restores them.

use std::io;

use rustix::termios::{OptionalActions, Termios};

/// The settings of the terminal at stdin.
#[derive(Debug)]
pub(crate) struct Typing(Termios);

impl Typing {
    /// The current settings; `None` if stdin is no terminal.
    pub(crate) fn keep() -> Option<Self> {
        rustix::termios::tcgetattr(io::stdin()).ok().map(Self)
    }

    /// Restores the settings.
    pub(crate) fn restore(&self) {
        // A terminal that was closed has no settings.
        let _ = rustix::termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
