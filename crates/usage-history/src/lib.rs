#![doc = include_str!("../README.md")]

mod history;
mod slope;

pub use history::{DAY, History, Point, Sample};
pub use slope::{GROWTH_MINUTES, grows, steady};
