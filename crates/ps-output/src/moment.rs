//! A time as people write it: an age, a time with its zone, or a local time.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use type_settings::Span;

/// A time that may be relative to the present, which is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// This long ago: `5m`.
    Ago(Duration),
    /// A fixed time: `2026-11-26T14:00:00+01:00`.
    At(SystemTime),
    /// The last time that it was this time of day, in the time zone of the user: `14:03`.
    LastAt(Time),
}

impl Moment {
    /// The time, if the present is `now`.
    pub fn seen_from(self, now: SystemTime) -> SystemTime {
        match self {
            Self::Ago(span) => now.checked_sub(span).unwrap_or(SystemTime::UNIX_EPOCH),
            Self::At(time) => time,
            Self::LastAt(time) => last_at(time, now).unwrap_or(now),
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        // A number without a unit might mean seconds since 1970.
        let has_unit = word.ends_with(|last: char| last.is_ascii_alphabetic());
        let span = word.strip_prefix('-').unwrap_or(word).parse::<Span>();
        if let Some(span) = span.ok().filter(|_| has_unit) {
            return Ok(Self::Ago(span.get()));
        }
        if let Ok(time) = word.parse::<Timestamp>() {
            return Ok(Self::At(time.into()));
        }
        // A date alone would be read as its midnight, and a time alone as one of today.
        if word.len() <= "14:03:07".len()
            && let Ok(time) = word.parse::<Time>()
        {
            return Ok(Self::LastAt(time));
        }
        let is_local = word.parse::<Date>().is_ok() && word.contains(':');
        let local = word.parse::<DateTime>().ok().filter(|_| is_local);
        let local = local.and_then(|time| time.to_zoned(TimeZone::system()).ok());
        local.map(|time| Self::At(time.timestamp().into())).ok_or_else(|| {
            "use a length of time before now, such as 90s, 5m, 2h or 1d, a time of day, such as 14:03, or a time with \
             or without its zone, such as 2026-11-26T14:00:00Z or 2026-11-26T15:00:00"
                .to_owned()
        })
    }
}

/// The last time before `now` at which clocks here showed `time`.
fn last_at(time: Time, now: SystemTime) -> Option<SystemTime> {
    let now = Timestamp::try_from(now).ok()?.to_zoned(TimeZone::system());
    let today = now.date().to_datetime(time).to_zoned(now.time_zone().clone()).ok()?;
    let last = if today > now { today.checked_sub(1.day()).ok()? } else { today };
    Some(last.timestamp().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_so_long_ago_or_a_time_and_nothing_else() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (word, seconds) in [
            ("90s", 1_000_000 - 90),
            ("5m", 1_000_000 - 300),
            ("2h", 1_000_000 - 7200),
            ("1d", 1_000_000 - 86_400),
            ("-5m", 1_000_000 - 300),
            ("1970-01-02T00:00:00Z", 86_400),
            ("1970-01-02 01:00+01:00", 86_400),
        ] {
            let moment: Moment = word.parse().expect("a moment");
            assert_eq!(
                moment.seen_from(now),
                SystemTime::UNIX_EPOCH + Duration::from_secs(seconds),
                "{word}"
            );
        }
        let last = "14:03".parse::<Moment>().expect("a time of day").seen_from(now);
        assert!(last <= now && last + Duration::from_secs(86_400) > now, "{last:?}");
        let local = "1970-01-05T14:00:00".parse::<Moment>().expect("a time of here").seen_from(now);
        let midday = SystemTime::UNIX_EPOCH + Duration::from_secs(4 * 86_400 + 14 * 3600);
        assert!(local < midday + Duration::from_secs(86_400) && local > midday - Duration::from_secs(86_400));
        for word in ["", "5", "1764166800", "5 m", "yesterday", "2026-11-26", "25:00", "400d"] {
            assert!(word.parse::<Moment>().is_err(), "{word}");
        }
    }
}
