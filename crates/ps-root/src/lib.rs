#![doc = include_str!("../README.md")]

mod client;
mod error;
mod glance;
mod keep;
mod kept;
mod place;
mod root;
mod server;
mod spawn;
mod wakeup;
mod words;

pub use client::{Client, Provision, Started};
pub use error::Error;
pub use place::Place;
pub use root::{Root, Stay};
pub use spawn::{Beginning, spawn_root, spawn_supervisor};
pub use words::{LastWill, PROTOCOL};
