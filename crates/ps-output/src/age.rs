//! Formats a duration for people.

use jiff::Timestamp;

/// `3 m`: the time from `since` to `now` in the most suitable unit of s, m, h and d. A time in the future is `0 s`.
pub fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = (now.as_second() - since.as_second()).max(0);
    let (number, unit) = match seconds {
        ..60 => (seconds, "s"),
        60..3600 => (seconds / 60, "m"),
        3600..86_400 => (seconds / 3600, "h"),
        _ => (seconds / 86_400, "d"),
    };
    format!("{number} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_unit() {
        let now: Timestamp = "2026-01-10T12:00:00Z".parse().expect("a time");
        for (since, shown) in [
            ("2026-01-10T11:59:01.5Z", "59 s"),
            ("2026-01-10T11:01:00Z", "59 m"),
            ("2026-01-09T12:00:01Z", "23 h"),
            ("2026-01-01T12:00:00Z", "9 d"),
            ("2026-01-10T13:00:00Z", "0 s"),
        ] {
            assert_eq!(age(since.parse().expect("a time"), now), shown);
        }
    }
}
