//! A moment as people write it: so long ago, or a time of day with its zone.

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use type_settings::Span;

/// A moment, before it is known when now is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// So long ago: `5m`.
    Ago(Duration),
    /// Then: `2026-11-26T14:00:00+01:00`.
    At(SystemTime),
}

impl Moment {
    /// When it is.
    pub(crate) fn seen_from(self, now: SystemTime) -> SystemTime {
        match self {
            Self::Ago(span) => now.checked_sub(span).unwrap_or(SystemTime::UNIX_EPOCH),
            Self::At(time) => time,
        }
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        // A number alone may be meant as seconds since 1970.
        let has_unit = word.ends_with(|last: char| last.is_ascii_alphabetic());
        if let Some(span) = word.parse::<Span>().ok().filter(|_| has_unit) {
            return Ok(Self::Ago(span.get()));
        }
        let time: Result<Timestamp, _> = word.parse();
        time.map(|time| Self::At(time.into())).map_err(|_| {
            "use a length of time before now, such as 90s, 5m, 2h or 1d, or a time with its zone, such as \
             2026-11-26T14:00:00Z or 2026-11-26T15:00:00+01:00"
                .to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_so_long_ago_or_a_time_with_its_zone_and_nothing_else() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        for (word, seconds) in [
            ("90s", 1_000_000 - 90),
            ("5m", 1_000_000 - 300),
            ("2h", 1_000_000 - 7200),
            ("1d", 1_000_000 - 86_400),
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
        for word in
            ["", "5", "1764166800", "-5m", "5 m", "yesterday", "2026-11-26", "2026-11-26T14:00:00", "400d"]
        {
            assert!(word.parse::<Moment>().is_err(), "{word}");
        }
    }
}
