#![doc = include_str!("../README.md")]

mod history;
mod point;
mod slope;

pub use history::{DAY, History};
pub use point::{Point, Sample};
pub use slope::{GROWTH_MINUTES, grows, steady};
