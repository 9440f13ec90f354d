//! Schedules: when something is due. Values and rules only: the caller passes the time and the time zone.

mod course;
mod error;
mod field;
mod next;
mod schedule;
mod zone;

pub use course::{Course, Due, LATE, Timetable};
pub use error::InvalidSchedule;
pub use schedule::Schedule;
pub use zone::ZoneName;

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
