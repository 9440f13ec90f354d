#![doc = include_str!("../README.md")]

mod answer;
mod channel;
mod check;
mod checks;
mod connection;
mod probe;
mod status_line;

pub use channel::Channel;
pub use check::{Ask, Check, Get, Scheme};
pub use checks::Checks;
pub use connection::Connection;
pub use probe::{Probe, Standing, ask};
