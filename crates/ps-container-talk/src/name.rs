//! Names of one-offs.

use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

use formation::Slot;

/// The first part of the name of a one-off, where the name of an instance has its type.
const RUN: &str = "run";

/// A random name for a one-off, such as `run.4711`. The caller checks whether it is free.
pub fn draw_name() -> Slot {
    let random = RandomState::new().hash_one(SystemTime::now()) % u64::from(u16::MAX);
    let index = u16::try_from(random + 1).expect("it is at most the largest number of 16 bits");
    Slot::new(RUN.parse().expect("run is a process type"), index)
}
