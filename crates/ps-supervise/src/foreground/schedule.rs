//! Messages about scheduled instances.

use std::collections::BTreeMap;

use formation::{Slot, State};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ps_supervisor::Status;
use timetable::Course;

/// The time at which each instance is due, as last reported.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    told: BTreeMap<Slot, Timestamp>,
}

impl Schedule {
    /// The message that says when a waiting instance is due; `None` if that time was reported already.
    pub(crate) fn due(&mut self, status: &Status) -> Option<String> {
        let next = next(status).filter(|_| status.state == State::Scheduled)?;
        let is_news = self.told.insert(status.slot.clone(), next) != Some(next);
        is_news.then(|| format!("is due at {}", shown(next)))
    }

    /// The end of a sentence that says when an instance that has just ended is due again.
    pub(crate) fn due_again(&mut self, status: &Status) -> String {
        let Some(next) = next(status) else { return String::new() };
        self.told.insert(status.slot.clone(), next);
        format!(", due again at {}", shown(next))
    }
}

fn next(status: &Status) -> Option<Timestamp> {
    status.course.as_ref().and_then(Course::next)
}

/// A time in the time zone of the user.
fn shown(time: Timestamp) -> String {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}
