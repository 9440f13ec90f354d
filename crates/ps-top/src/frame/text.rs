//! Text for the screen, wrapped and with control characters made visible, and small charts of numbers.

use std::collections::VecDeque;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::text::Span;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASCII_BARS: [char; 8] = ['_', '.', ':', '-', '=', '+', '*', '#'];

/// The text with control characters replaced by visible ones, so that a terminal does not interpret them.
pub(crate) fn harmless(text: &str) -> String {
    if !text.contains(char::is_control) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\t' => shown.push_str("    "),
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// The number of columns of a text.
pub(crate) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { Span::raw(text).width() }
}

/// The parts of a text, each as wide as possible; an empty text has one empty part.
pub(crate) fn chunks(text: &str, room: usize) -> Vec<&str> {
    let room = room.max(2);
    let mut chunks = Vec::new();
    let (mut begin, mut used) = (0, 0);
    let mut buffer = [0; 4];
    for (at, c) in text.char_indices() {
        let columns = width(c.encode_utf8(&mut buffer));
        if used + columns > room {
            chunks.push(&text[begin..at]);
            (begin, used) = (at, 0);
        }
        used += columns;
    }
    chunks.push(&text[begin..]);
    chunks
}

/// The lines of a text, broken between words.
pub(crate) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && width(&line) + 1 + width(word) > room {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            for (number, part) in chunks(word, room).into_iter().enumerate() {
                if number > 0 {
                    lines.push(std::mem::take(&mut line));
                }
                line.push_str(part);
            }
        }
        lines.push(line);
    }
    lines
}

/// The newest numbers as bars, right-aligned; `most` has the highest bar.
pub(crate) fn sparkline(numbers: &VecDeque<u64>, most: u64, room: usize, is_ascii: bool) -> String {
    let bars = if is_ascii { ASCII_BARS } else { BARS };
    let most = most.max(1);
    let skipped = numbers.len().saturating_sub(room);
    let bar = |number: &u64| {
        let height = number.saturating_mul(bars.len() as u64 - 1).div_ceil(most);
        bars[usize::try_from(height).unwrap_or(usize::MAX).min(bars.len() - 1)]
    };
    let drawn: String = numbers.iter().skip(skipped).map(bar).collect();
    format!("{drawn:>room$}")
}

/// `14:03:07`, in this time zone.
pub(crate) fn time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// `12 MiB`, at most eight characters up to tens of tebibytes.
pub(crate) fn memory(bytes: u64) -> String {
    match bytes >> 20 {
        mib @ ..10_000 => format!("{mib} MiB"),
        mib => format!("{} GiB", mib >> 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_cannot_control_the_terminal() {
        assert_eq!(harmless("a\x1b[2Jb\tc\r"), "a\\u{1b}[2Jb    c\\r");
        assert_eq!(harmless("plain é"), "plain é");
    }

    #[test]
    fn long_lines_are_broken_where_there_is_no_more_room() {
        assert_eq!(chunks("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(chunks("", 4), [""]);
        assert_eq!(chunks("日本語", 4), ["日本", "語"], "each takes two columns");
        assert_eq!(wrapped("one two three\nfour", 8), ["one two", "three", "four"]);
        assert_eq!(wrapped("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
    }

    #[test]
    fn bars_are_as_high_as_their_part_of_the_most_and_the_newest_is_last() {
        let numbers = VecDeque::from([0, 1, 50, 100, 900]);
        assert_eq!(sparkline(&numbers, 100, 6, false), " ▁▂▅██");
        assert_eq!(sparkline(&numbers, 100, 2, true), "##");
        assert_eq!(sparkline(&VecDeque::new(), 0, 3, false), "   ");
    }
}
