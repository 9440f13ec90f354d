//! The last lines of output of the selected instances, including those from before they were selected. Long lines are
//! cut, and the oldest lines are removed, so that at most a few mebibytes are kept.

use std::collections::VecDeque;

use crate::message::Line;

/// How many lines are kept, and how many bytes of them together.
const LINES: usize = 5_000;
const BYTES: usize = 4 << 20;
/// The longest line, in bytes.
const LONGEST: usize = 4 << 10;

/// The lines, and which of them are visible.
#[derive(Debug, Default)]
pub(crate) struct Output {
    lines: VecDeque<Line>,
    bytes: usize,
    /// How many of the selected lines are below the screen; 0: the newest one is visible.
    pub(crate) back: usize,
    /// Whether the visible lines stay where they are.
    pub(crate) is_held: bool,
    /// Whether long lines are continued in the next row.
    pub(crate) is_wrapped: bool,
    /// The filter, in lower case.
    pub(crate) filter: String,
    /// Why no more lines come.
    pub(crate) ended: Option<String>,
}

impl Output {
    /// Removes all lines, because another app or instance is selected.
    pub(crate) fn begin_anew(&mut self) {
        let (is_wrapped, filter) = (self.is_wrapped, std::mem::take(&mut self.filter));
        *self = Self { is_wrapped, filter, ..Self::default() };
    }

    /// Adds lines. If earlier lines are visible, they stay in place.
    pub(crate) fn add(&mut self, lines: Vec<Line>) {
        for mut line in lines {
            cut(&mut line.text);
            self.bytes += line.text.len();
            if self.is_held && self.is_shown(&line) {
                self.back += 1;
            }
            self.lines.push_back(line);
            while self.lines.len() > LINES || self.bytes > BYTES {
                let gone = self.lines.pop_front().map_or(0, |line| line.text.len());
                self.bytes -= gone;
            }
        }
        self.back = self.back.min(self.lines.len().saturating_sub(1));
    }

    /// The lines that are shown, the newest first, without those below the screen.
    pub(crate) fn upwards(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().rev().filter(|line| self.is_shown(line)).skip(self.back)
    }

    fn is_shown(&self, line: &Line) -> bool {
        self.filter.is_empty() || line.text.to_lowercase().contains(&self.filter)
    }

    /// Scrolls up or down by this number of lines; at the end, new lines are followed again.
    pub(crate) fn scroll(&mut self, up: isize) {
        let all = self.lines.iter().filter(|line| self.is_shown(line)).count();
        self.back = self.back.saturating_add_signed(up).min(all.saturating_sub(1));
        self.is_held = self.back > 0;
    }

    /// Switches between following the newest line and staying in place.
    pub(crate) fn toggle_follow(&mut self) {
        self.is_held = !self.is_held;
        if !self.is_held {
            self.back = 0;
        }
    }

    pub(crate) fn set_filter(&mut self, filter: &str) {
        self.filter = filter.to_lowercase();
        (self.back, self.is_held) = (0, false);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

fn cut(text: &mut String) {
    if text.len() > LONGEST {
        let mut end = LONGEST;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Line {
        Line { at: None, slot: "web.1".to_owned(), is_err: false, text: text.to_owned() }
    }

    fn seen(output: &Output, room: usize) -> Vec<String> {
        let mut seen: Vec<String> = output.upwards().take(room).map(|line| line.text.clone()).collect();
        seen.reverse();
        seen
    }

    #[test]
    fn the_newest_lines_are_seen_until_somebody_looks_at_earlier_ones() {
        let mut output = Output::default();
        output.add((1..=5).map(|number| line(&number.to_string())).collect());
        assert_eq!(seen(&output, 2), ["4", "5"]);
        output.scroll(2);
        assert_eq!(seen(&output, 2), ["2", "3"]);
        output.add(vec![line("6"), line("7")]);
        assert_eq!(seen(&output, 2), ["2", "3"], "what is read does not move");
        output.scroll(-99);
        assert_eq!(seen(&output, 2), ["6", "7"]);
        output.add(vec![line("8")]);
        assert_eq!(seen(&output, 2), ["7", "8"]);
        output.toggle_follow();
        output.add(vec![line("9")]);
        assert_eq!(seen(&output, 2), ["7", "8"]);
        output.toggle_follow();
        assert_eq!(seen(&output, 2), ["8", "9"]);
    }

    #[test]
    fn what_is_kept_is_bounded_in_lines_and_in_bytes() {
        let mut output = Output::default();
        output.add((0..LINES + 10).map(|number| line(&number.to_string())).collect());
        assert_eq!((output.lines.len(), seen(&output, 1)), (LINES, vec![(LINES + 9).to_string()]));
        for _ in 0..2_000 {
            output.add(vec![line(&"é".repeat(LONGEST))]);
        }
        assert!(output.bytes <= BYTES && output.lines.len() > BYTES / LONGEST / 2, "{}", output.bytes);
    }

    #[test]
    fn a_filter_shows_the_lines_that_have_it() {
        let mut output = Output::default();
        output.add(["An error", "fine", "another Error"].map(line).into());
        output.set_filter("ERROR");
        assert_eq!(seen(&output, 9), ["An error", "another Error"]);
        output.begin_anew();
        assert!(output.is_empty() && output.filter == "error");
    }
}
