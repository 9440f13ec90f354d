//! Durations and sizes, as Compose writes them: `1m30s`, `512m`.

use std::time::Duration;

/// A span such as `1h2m3.5s`, `500ms` or a number of seconds.
pub(crate) fn span(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let mut whole = Duration::ZERO;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit_end =
            rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |end| digits + end);
        let seconds = match &rest[digits..unit_end] {
            "h" => number * 3600.0,
            "m" => number * 60.0,
            "s" => number,
            "ms" => number / 1e3,
            "us" | "µs" => number / 1e6,
            "ns" => number / 1e9,
            _ => return None,
        };
        whole = whole.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
        rest = &rest[unit_end..];
    }
    Some(whole)
}

/// A size in bytes: `64m`, `1.5g`, `1gb`, `1048576`.
pub(crate) fn size(text: &str) -> Option<i64> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_suffix('b').unwrap_or(&text);
    let (number, factor) = match text.chars().last()? {
        'k' => (&text[..text.len() - 1], 1_u64 << 10),
        'm' => (&text[..text.len() - 1], 1 << 20),
        'g' => (&text[..text.len() - 1], 1 << 30),
        't' => (&text[..text.len() - 1], 1 << 40),
        _ => (text, 1),
    };
    if let Ok(number) = number.parse::<u64>() {
        return i64::try_from(number.checked_mul(factor)?).ok();
    }
    let number: f64 = number.parse().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "a factor is a power of two")]
    let bytes = number * factor as f64;
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
    ((0.0..9e18).contains(&bytes)).then_some(bytes as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_sizes_are_read_as_they_are_written() {
        for (text, millis) in
            [("1m30s", 90_000), ("500ms", 500), ("1.5s", 1500), ("10", 10_000), ("1h", 3_600_000)]
        {
            assert_eq!(span(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for (text, bytes) in [("64m", 64 << 20), ("1.5g", 3 << 29), ("1gb", 1 << 30), ("12", 12), ("5B", 5)] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "x", "5x", "-1s", "99999999999999999999h"] {
            assert!(span(text).is_none() && (text == "5x" || size(text).is_none() || text == "5"), "{text}");
        }
    }
}
