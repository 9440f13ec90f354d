#![doc = include_str!("../README.md")]

mod client;
mod descriptors;
mod error;
mod glance;
mod holder;
mod holding;
mod keep;
mod kept;
mod place;
mod removals;
mod root;
mod server;
mod spawn;
mod wakeup;
mod words;

pub use client::{Client, Provision, Started};
pub use error::Error;
pub use holder::{HOLD_OUTPUT, Holder};
pub use place::Place;
pub use root::{Root, Stay};
pub use spawn::{Beginning, spawn_root, spawn_supervisor};
pub use words::{LastWill, PROTOCOL};
