#![doc = include_str!("../README.md")]

mod answer;
mod check;
mod checks;
mod connection;
mod probe;
mod status_line;

pub use check::{Ask, Check, Get};
pub use checks::Checks;
pub use probe::{Probe, Standing, ask};
