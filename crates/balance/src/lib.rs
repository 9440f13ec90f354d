//! Chooses the instance for a new connection. The table of backends is a pure value: it takes the wanted backends, and
//! returns choices and counts. The caller makes the connections and passes the time.

mod backend;
mod faults;
mod health;
mod latency;
mod options;
mod receipt;
mod share;
mod standing;
mod table;
pub mod wire;

pub use backend::{Ending, Key};
pub use faults::{Fault, Faults};
pub use latency::Latency;
pub use options::{
    Cookie, Frontend, InvalidOption, OF_HTTP, OPTIONS, Options, PASS_SOCKET, ProxyVersion, network,
};
pub use receipt::{Before, Latencies, OfRelease, Receipt, Unit};
pub use table::{Choice, InvalidSet, Table};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
