#![doc = include_str!("../README.md")]

mod ignored;
mod pack;
mod pattern;

pub use ignored::Ignored;
pub use pack::{Context, PackError, Packed};

/// The file with the rules.
pub const DOCKERIGNORE: &str = ".dockerignore";
