#![doc = include_str!("../README.md")]

mod check;
mod connection;
mod probe;
mod status_line;

pub use check::Check;
pub use probe::{Probe, Standing, ask};
