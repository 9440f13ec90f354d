//! The kinds of values that no other crate has a word for. Each is parsed from the text that stands in a property or in
//! app.json, and displays as text that is read back as the same value.

mod account;
mod after;
mod amount;
mod checking;
mod command_line;
mod cpus;
mod exits;
mod io_priority;
mod limit;
mod list;
mod ready;
mod schedule;
mod span;
mod start_limit;
mod stop_tree;
mod switch;
mod umask;
mod when_full;
mod whole;

pub use account::Account;
pub use after::{After, Awaited};
pub use amount::{Age, Size};
pub use checking::Checking;
pub use command_line::CommandLine;
pub use cpus::Cpus;
pub use exits::Exits;
pub use io_priority::IoPriority;
pub use limit::Limit;
pub use list::{Paths, Patterns};
pub use ready::Ready;
pub use schedule::{Missed, Overlap};
pub use span::Span;
pub use start_limit::StartLimit;
pub use stop_tree::StopTree;
pub use switch::Switch;
pub use umask::Umask;
pub use when_full::WhenFull;
pub use whole::Whole;
