//! Which part of what a container wrote is wanted.

use std::time::{SystemTime, UNIX_EPOCH};

use bollard::query_parameters::LogsOptionsBuilder;

/// Which part of what a container wrote is wanted; by default all that is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputRange {
    /// Only what was written at that time or later, to the second.
    pub since: Option<SystemTime>,
    /// Only what had been written by then, to the second.
    pub until: Option<SystemTime>,
    /// Only so many of the last lines of all that is kept, whatever the times say.
    pub tail: Option<usize>,
}

impl OutputRange {
    /// The last lines; `None`: all of them.
    pub fn last(lines: Option<usize>) -> Self {
        Self { tail: lines, ..Self::default() }
    }

    pub(crate) fn options(&self) -> LogsOptionsBuilder {
        let tail = self.tail.map_or("all".to_owned(), |lines| lines.to_string());
        let options = LogsOptionsBuilder::new().tail(&tail);
        let options = self.since.map_or(options.clone(), |since| options.since(seconds(since, 0)));
        // 0 is no time to the engine: of what was written by 1970 there is nothing.
        self.until.map_or(options.clone(), |until| options.until(seconds(until, 999).max(1)))
    }
}

/// A time in seconds since 1970, as far as the engine can be told; rather too much than too little is asked for.
fn seconds(time: SystemTime, more_millis: u128) -> i32 {
    let millis = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() + more_millis;
    i32::try_from(millis / 1000).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_range_goes_to_the_whole_seconds_around_it() {
        let at = |millis| Some(UNIX_EPOCH + Duration::from_millis(millis));
        let range = OutputRange { since: at(1_999), until: at(3_001), ..OutputRange::default() };
        let options = range.options().build();
        assert_eq!((options.since, options.until, &*options.tail), (1, 4, "all"));
        let options = OutputRange { until: at(0), ..OutputRange::last(Some(7)) }.options().build();
        assert_eq!((options.since, options.until, &*options.tail), (0, 1, "7"));
    }
}
