//! How the terminal treats what is typed. A program that has our stdin may change that (no echo, no lines) and be killed
//! before it has changed it back.

use std::io;

use rustix::termios::{OptionalActions, Termios};

/// The settings of the terminal behind stdin.
#[derive(Debug)]
pub(crate) struct Typing(Termios);

impl Typing {
    /// The settings now; `None` if stdin is no terminal.
    pub(crate) fn keep() -> Option<Self> {
        rustix::termios::tcgetattr(io::stdin()).ok().map(Self)
    }

    /// Puts them back.
    pub(crate) fn restore(&self) {
        // A terminal that was closed has none.
        let _ = rustix::termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
