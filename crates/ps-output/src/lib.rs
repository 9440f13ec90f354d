#![doc = include_str!("../README.md")]

mod age;
mod choice;
mod gather;
mod key;
mod moment;
mod pattern;
mod show;
mod text;

pub use age::age;
pub use choice::Choice;
pub use gather::{Outputs, gather};
pub use key::Key;
pub use moment::Moment;
pub use pattern::{InvalidPattern, Pattern};
pub use show::{Manner, Show};
pub use text::{Look, Text, Times};
