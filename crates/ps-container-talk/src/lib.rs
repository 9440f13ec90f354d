//! Commands that somebody waits for in containers: connects our terminal or pipes with a process in a container, and
//! says whether the program that waits for a command lives. Which container is meant is for its callers.

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
