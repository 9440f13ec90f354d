//! Which instance a new connection goes to. A table of backends as a value: what is wanted comes in, choices and counts go
//! out. Whoever uses it makes the connections and says what time it is.

mod backend;
mod health;
mod latency;
mod options;
mod receipt;
mod share;
mod standing;
mod table;
pub mod wire;

pub use backend::{Ending, Key};
pub use latency::Latency;
pub use options::{Cookie, Frontend, InvalidOption, OF_HTTP, OPTIONS, Options, ProxyVersion, network};
pub use receipt::{Before, Latencies, OfRelease, Receipt};
pub use table::{Choice, InvalidSet, Table};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
