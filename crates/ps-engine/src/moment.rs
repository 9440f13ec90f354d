//! The time at which the engine received a piece of output. The engine writes it before each piece, in a form whose
//! text order is the order of time.

use std::time::SystemTime;

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::{Stream, TryStreamExt};
use jiff::Timestamp;

use crate::Fault;

/// The length of `2026-11-26T09:30:00.123456789Z`.
const LENGTH: usize = 30;

/// A time, to the nanosecond.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(String);

impl Moment {
    /// The time by this machine's clock.
    pub fn now() -> Self {
        Self(format!("{:.9}", Timestamp::now()))
    }

    /// Parses a time that was written earlier; `None` if it is invalid.
    pub fn parse(word: &str) -> Option<Self> {
        let is_one = word.len() == LENGTH && word.parse::<Timestamp>().is_ok();
        is_one.then(|| Self(word.to_owned()))
    }

    /// The time as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The time, for calculations.
    pub fn time(&self) -> Option<SystemTime> {
        self.0.parse::<Timestamp>().ok().map(SystemTime::from)
    }

    /// The second of this time, since 1970; 0 if the engine's client cannot send it.
    pub(crate) fn second(&self) -> i32 {
        let time: Option<Timestamp> = self.0.parse().ok();
        time.and_then(|time| i32::try_from(time.as_second()).ok()).unwrap_or(0)
    }
}

/// Splits a piece of output into the time that the engine wrote before it, and the rest.
pub(crate) fn dated(frame: LogOutput) -> (Option<Moment>, LogOutput) {
    let bytes = frame.as_ref();
    let stamp = bytes.get(..LENGTH).and_then(|stamp| std::str::from_utf8(stamp).ok());
    let is_followed = bytes.get(LENGTH) == Some(&b' ');
    let moment = stamp.filter(|stamp| is_followed && stamp.parse::<Timestamp>().is_ok());
    let Some(moment) = moment.map(|stamp| Moment(stamp.to_owned())) else { return (None, frame) };
    let frame = match frame {
        LogOutput::StdErr { message } => LogOutput::StdErr { message: message.slice(LENGTH + 1..) },
        LogOutput::StdOut { message } => LogOutput::StdOut { message: message.slice(LENGTH + 1..) },
        LogOutput::StdIn { message } => LogOutput::StdIn { message: message.slice(LENGTH + 1..) },
        LogOutput::Console { message } => LogOutput::Console { message: message.slice(LENGTH + 1..) },
    };
    (Some(moment), frame)
}

/// Asks for output from the second of `after` on, because the engine takes whole seconds.
pub(crate) fn after_second(options: LogsOptionsBuilder, after: Option<&Moment>) -> LogsOptionsBuilder {
    match after {
        Some(after) => options.since(after.second()),
        None => options,
    }
}

/// The frames with their times, without those that came at `after` or earlier.
pub(crate) fn later_than(
    frames: impl Stream<Item = Result<LogOutput, Fault>>,
    after: Option<Moment>,
) -> impl Stream<Item = Result<(Option<Moment>, LogOutput), Fault>> {
    frames.map_ok(dated).try_filter(move |(moment, _)| {
        std::future::ready(moment.is_none() || after.is_none() || *moment > after)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &'static str) -> LogOutput {
        LogOutput::StdErr { message: text.into() }
    }

    #[test]
    fn the_time_is_taken_off_and_nothing_else() {
        let (moment, rest) = dated(frame("2026-11-26T09:30:00.000000789Z a b\n"));
        assert_eq!(moment.as_ref().map(Moment::second), Some(1_795_685_400));
        assert_eq!(rest, frame("a b\n"));
        for odd in ["", "a b\n", "2026-11-26T09:30:00.000000789Z", "2026-11-26T09:30:00.12345678ZZ a\n"] {
            assert_eq!(dated(frame(odd)), (None, frame(odd)));
        }
        let now = Moment::now();
        assert!(now.0.len() == LENGTH && now > moment.expect("a time"), "{now:?}");
    }
}
