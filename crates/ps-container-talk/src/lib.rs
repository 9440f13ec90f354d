//! Commands in containers that a program waits for: connects the terminal or the pipes of this program with a
//! process in a container, and finds out whether the program that waits for a command lives. The callers choose the
//! container.

mod enter;
pub mod inmate;
mod missing_command;
mod name;
mod talk;
mod terminal;
pub mod waiter;

pub use enter::{enter, shell};
pub use missing_command::missing_command;
pub use name::draw_name;
pub use talk::{Over, Talk};

/// The signal that a process gets if it writes to a reader that is gone.
pub const SIGPIPE: i32 = 13;

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
