#![doc = include_str!("../README.md")]

mod environment;

pub use environment::{Environment, MAX_ENV_FILE_BYTES};
