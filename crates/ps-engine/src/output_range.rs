//! The selected part of a container's output.

use std::time::{SystemTime, UNIX_EPOCH};

use bollard::query_parameters::LogsOptionsBuilder;

/// The selected part of a container's output. The default is everything that the engine has kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputRange {
    /// Only output from this time on, to the second.
    pub since: Option<SystemTime>,
    /// Only output up to this time, to the second.
    pub until: Option<SystemTime>,
    /// Only this many of the last lines of everything that was kept, independent of the times.
    pub tail: Option<usize>,
}

impl OutputRange {
    /// The last lines of the output; `None`: all of it.
    pub fn last(lines: Option<usize>) -> Self {
        Self { tail: lines, ..Self::default() }
    }

    pub(crate) fn options(&self) -> LogsOptionsBuilder {
        let tail = self.tail.map_or("all".to_owned(), |lines| lines.to_string());
        let options = LogsOptionsBuilder::new().tail(&tail);
        let options = self.since.map_or(options.clone(), |since| options.since(seconds(since, 0)));
        // The engine takes 0 for "no limit", so a time before 1970 becomes second 1.
        self.until.map_or(options.clone(), |until| options.until(seconds(until, 999).max(1)))
    }
}

/// A time in seconds since 1970, within the range that the engine's client can send. It is rounded so that rather too
/// much than too little output is returned.
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
