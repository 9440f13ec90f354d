//! Draws the model. It reads only the model, and changes nothing except the first visible line of the list.

mod canvas;
mod details;
mod foot;
mod head;
mod help;
mod list;
mod look;
mod pane;
mod text;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::{Model, Prompt};
use canvas::Canvas;
pub(crate) use look::Look;
pub(crate) use text::time;

/// From this height on, both the list and the pane are visible.
const BOTH: u16 = 16;
/// How many lines of the list are visible while keys go to the pane.
const LEAST_LIST: u16 = 5;

/// The areas of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Places {
    head: Rect,
    /// The list, with its headings.
    list: Option<Rect>,
    /// The pane, with its title.
    pane: Option<Rect>,
    foot: Rect,
}

/// Makes sure that the selected line is visible on a screen of this size.
pub(crate) fn arrange(model: &mut Model, area: Rect) {
    let list = places(model, area).list;
    model.room = list.map_or(0, |list| usize::from(list.height.saturating_sub(1)));
    model.list.scroll(model.room);
}

/// Draws everything.
pub(crate) fn draw(model: &Model, look: &Look, buffer: &mut Buffer) {
    let places = places(model, buffer.area);
    let mut canvas = Canvas::new(buffer, look);
    head::draw(model, &mut canvas, places.head);
    if let Some(area) = places.list {
        list::draw(model, &mut canvas, area);
    }
    if let Some(area) = places.pane {
        match &model.prompt {
            Prompt::Help => help::draw(&mut canvas, area),
            Prompt::Question(question) => pane::question(question, &mut canvas, area),
            Prompt::None | Prompt::Filter { .. } | Prompt::Command(_) => pane::draw(model, &mut canvas, area),
        }
    }
    foot::draw(model, &mut canvas, places.foot);
}

fn places(model: &Model, area: Rect) -> Places {
    let row = |y: u16, height: u16| Rect { y: area.y + y, height, ..area };
    let body = area.height.saturating_sub(2);
    let (head, foot) = (
        row(0, area.height.min(1)),
        row(area.height.saturating_sub(1), area.height.saturating_sub(1).min(1)),
    );
    let takes_pane = matches!(model.prompt, Prompt::Help | Prompt::Question(_));
    let (list, pane) = match takes_pane || model.is_in_pane {
        is_in_pane if area.height >= BOTH => {
            let upper = if is_in_pane { (body / 3).max(LEAST_LIST) } else { body / 2 };
            (Some(row(1, upper)), Some(row(1 + upper, body - upper)))
        }
        true => (None, Some(row(1, body))),
        false => (Some(row(1, body)), None),
    };
    Places { head, list, pane, foot }
}

#[cfg(test)]
mod tests;
