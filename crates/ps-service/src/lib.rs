//! The service directory of one app, for programs: its files, its supervisor, and the root above the supervisor.

mod balanced;
pub mod earlier;
mod lead;
mod leave;
mod moved;
mod opened;
pub mod orphan;
mod outward;
mod pause;
mod reach;
pub mod root;
mod served;
mod service;
mod supervised;

pub use balanced::slot_of_backend;
pub use lead::Led;
pub use moved::{Moved, moved};
pub use opened::Opened;
pub use outward::Skipped;
pub use ps_supervisor::Backend;
pub use reach::reached_by;
pub use served::Served;
pub use service::{Listing, Service, backend, witness};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
