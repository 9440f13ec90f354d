//! The drawing area: text at a position, in a tone. A tone is shown by a colour if colours are used; its meaning is
//! always shown in words, too.

use formation::State;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::look::Look;

/// The look of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    /// Headings and titles.
    Strong,
    /// The selected line.
    Chosen,
    /// Less important text.
    Weak,
    Good,
    /// A state that is about to change, or that is not as it should be.
    Warning,
    Bad,
}

impl Tone {
    /// The tone of an instance's state.
    pub(crate) fn of_state(state: &str) -> Self {
        let Some(state) = State::ALL.into_iter().find(|known| known.as_str() == state) else {
            return Self::Plain;
        };
        match state {
            State::Running => Self::Good,
            State::Waiting | State::Starting | State::Unready | State::Stopping | State::Backoff => {
                Self::Warning
            }
            State::Unhealthy | State::Crashed | State::Missing | State::Unknown => Self::Bad,
            State::Scheduled | State::Stopped => Self::Weak,
        }
    }

    fn style(self, has_colours: bool) -> Style {
        let colour = |colour: Color| if has_colours { Style::new().fg(colour) } else { Style::new() };
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().add_modifier(Modifier::BOLD),
            Self::Chosen => Style::new().add_modifier(Modifier::REVERSED),
            Self::Weak => Style::new().add_modifier(Modifier::DIM),
            Self::Good => colour(Color::Green),
            Self::Warning => colour(Color::Yellow),
            Self::Bad => colour(Color::Red).add_modifier(Modifier::BOLD),
        }
    }
}

/// A buffer, and the rules for drawing in it.
pub(crate) struct Canvas<'a> {
    buffer: &'a mut Buffer,
    pub(crate) look: &'a Look,
}

impl<'a> Canvas<'a> {
    pub(crate) fn new(buffer: &'a mut Buffer, look: &'a Look) -> Self {
        Self { buffer, look }
    }

    /// Writes a text in a row, cut at the width. A position outside of the screen is ignored.
    pub(crate) fn put(&mut self, (x, y): (u16, u16), width: u16, text: &str, tone: Tone) {
        let area = self.buffer.area;
        if y >= area.bottom() || x >= area.right() {
            return;
        }
        let style = tone.style(self.look.has_colours);
        if self.look.is_ascii && !text.is_ascii() {
            let text: String = text.chars().map(in_ascii).collect();
            self.buffer.set_stringn(x, y, text, width.into(), style);
        } else {
            self.buffer.set_stringn(x, y, text, width.into(), style);
        }
    }

    /// Writes a text in the same way, at the right end of the width.
    pub(crate) fn put_right(&mut self, (x, y): (u16, u16), width: u16, text: &str, tone: Tone) {
        let length = u16::try_from(text.chars().count()).unwrap_or(width).min(width);
        self.put((x + width - length, y), length, text, tone);
    }

    /// Marks a whole row as selected.
    pub(crate) fn choose(&mut self, row: Rect) {
        self.buffer.set_style(row, Tone::Chosen.style(false));
    }

    /// Draws a title, and a line up to the right end: `-- logs of shop ------`.
    pub(crate) fn title(&mut self, row: Rect, text: &str) {
        let title = format!("-- {text} ");
        let title = format!("{title:-<width$}", width = usize::from(row.width));
        self.put((row.x, row.y), row.width, &title, Tone::Strong);
    }
}

fn in_ascii(c: char) -> char {
    match c {
        '…' => '~',
        '·' => '.',
        c if c.is_ascii() => c,
        _ => '?',
    }
}
