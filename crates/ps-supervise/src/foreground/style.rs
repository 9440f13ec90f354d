//! What stands before each line: the time, the name of who wrote it in a colour of its own, and a bar.

use formation::Slot;
use jiff::Zoned;

/// Colours of names, one after the other: none of them is hard to read on black or on white.
const COLORS: [&str; 8] = ["36", "33", "32", "35", "34", "96", "92", "95"];
/// Who speaks where no instance does.
const SYSTEM: &str = "system";

/// How lines of one stream begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) is_colored: bool,
    pub(crate) is_timed: bool,
    /// The width of the longest name.
    pub(crate) width: usize,
}

impl Style {
    /// What stands before a line of a slot (`None`: of our own); `order` chooses the colour. `mark` is `|`, or `+` where
    /// a line goes on that another one cut in two.
    pub(crate) fn prefix(self, who: Option<(&Slot, usize)>, time: &str, mark: char) -> String {
        let (name, color) = match who {
            Some((slot, order)) => (slot.to_string(), COLORS[order % COLORS.len()]),
            None => (SYSTEM.to_owned(), "1"),
        };
        let time = if self.is_timed { format!("{time} ") } else { String::new() };
        let width = self.width;
        if self.is_colored {
            format!("\x1b[{color}m{time}{name:width$} {mark}\x1b[0m ")
        } else {
            format!("{time}{name:width$} {mark} ")
        }
    }

    /// How many columns stand before a line of a slot.
    pub(crate) fn indent(self) -> usize {
        let time = if self.is_timed { "00:00:00 ".len() } else { 0 };
        time + self.width + " | ".len()
    }

    /// The time now, as it stands before a line; nothing where no line bears it.
    pub(crate) fn time(self) -> String {
        if self.is_timed { Zoned::now().strftime("%H:%M:%S").to_string() } else { String::new() }
    }
}
