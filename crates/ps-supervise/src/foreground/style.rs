//! The prefix of each line: the time, the coloured name of the instance, and a bar.

use formation::Slot;
use jiff::Zoned;

/// The colours of names in turn; all can be read on black and on white.
const COLORS: [&str; 8] = ["36", "33", "32", "35", "34", "96", "92", "95"];
/// The name before our own messages.
const SYSTEM: &str = "system";

/// The prefix of the lines of one stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) is_colored: bool,
    pub(crate) is_timed: bool,
    /// The width of the longest name.
    pub(crate) width: usize,
}

impl Style {
    /// The prefix of a line of a slot (`None`: of our own messages). `order` selects the colour. `mark` is `|`, or `+` for
    /// the continuation of a line that another one has interrupted.
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

    /// The width of the prefix.
    pub(crate) fn indent(self) -> usize {
        let time = if self.is_timed { "00:00:00 ".len() } else { 0 };
        time + self.width + " | ".len()
    }

    /// The current time for a prefix; empty if lines have none.
    pub(crate) fn time(self) -> String {
        if self.is_timed { Zoned::now().strftime("%H:%M:%S").to_string() } else { String::new() }
    }
}
