//! The pane below the list: logs, events, the output of a started program, or a question.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Tone};
use super::text::{chunks, harmless, time, wrapped};
use super::{details, foot};
use crate::message::Line;
use crate::model::{Model, Pane, Question};

/// Draws the title and the content below it.
pub(crate) fn draw(model: &Model, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height == 0 {
        return;
    }
    canvas.title(area, &title(model));
    let below = Rect { y: area.y + 1, height: area.height - 1, ..area };
    match model.pane {
        Pane::Logs => logs(model, canvas, below),
        Pane::Events => events(model, canvas, below),
        Pane::Details => {
            let lines = details::lines(model, canvas.look, below.width.into());
            scrolled(canvas, below, &lines, model.down);
        }
        Pane::Deed => {
            let lines = deed(model, below.width.into());
            // The last lines are shown until the user scrolls up.
            let hidden = lines.len().saturating_sub(below.height.into());
            scrolled(canvas, below, &lines, hidden.saturating_sub(model.down));
        }
    }
}

/// Draws the question, the plan, and the command line that does the same.
pub(crate) fn question(question: &Question, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height == 0 {
        return;
    }
    canvas.title(area, "do this?");
    let command = question.command.as_ref().map(ToString::to_string);
    let room = usize::from(area.width);
    let mut lines: Vec<(String, Tone)> = Vec::new();
    lines.extend(command.iter().flat_map(|command| wrapped(command, room)).map(|line| (line, Tone::Strong)));
    lines.extend(question.plan.iter().map(|line| (harmless(line), Tone::Plain)));
    scrolled(canvas, Rect { y: area.y + 1, height: area.height - 1, ..area }, &lines, 0);
}

fn title(model: &Model) -> String {
    let Some(subject) = model.list.subject().map(|subject| subject.to_string()) else {
        return "nothing is chosen".to_owned();
    };
    match model.pane {
        Pane::Logs => {
            let output = &model.output;
            let held = if output.is_held {
                format!(", held {} lines back (f: follow)", output.back)
            } else {
                String::new()
            };
            let filter = if output.filter.is_empty() {
                String::new()
            } else {
                format!(", with \"{}\"", output.filter)
            };
            format!("logs of {subject}{filter}{held}")
        }
        Pane::Events => format!("events of {}", subject.split(' ').next().unwrap_or_default()),
        Pane::Details => subject,
        Pane::Deed => model
            .deeds
            .last()
            .map_or_else(|| "no command was run yet".to_owned(), |deed| deed.command.to_string()),
    }
}

/// Draws lines, scrolled down by a number of them, but with at least one visible.
fn scrolled(canvas: &mut Canvas<'_>, area: Rect, lines: &[(String, Tone)], down: usize) {
    let down = down.min(lines.len().saturating_sub(usize::from(area.height).max(1)));
    for (y, (text, tone)) in (area.y..area.bottom()).zip(&lines[down..]) {
        canvas.put((area.x, y), area.width, text, *tone);
    }
}

fn logs(model: &Model, canvas: &mut Canvas<'_>, area: Rect) {
    let names = model.list.subject().is_some_and(|subject| subject.slot.is_none());
    let mut y = area.bottom();
    if let Some(ended) = &model.output.ended
        && model.output.back == 0
        && y > area.y
    {
        y -= 1;
        canvas.put((area.x, y), area.width, &harmless(ended), Tone::Warning);
    }
    for line in model.output.upwards() {
        let text = log_line(line, names, &canvas.look.zone);
        let tone = if line.is_err { Tone::Warning } else { Tone::Plain };
        y = put_above(canvas, Rect { height: y - area.y, ..area }, (&text, tone), model.output.is_wrapped);
        if y == area.y {
            return;
        }
    }
    if model.output.is_empty() && model.output.ended.is_none() {
        canvas.put((area.x, area.y), area.width, "no line was read so far", Tone::Weak);
    }
}

/// Writes a line at the bottom of an area, in as many rows as it needs if it is wrapped. Returns the row above which there is
/// room.
fn put_above(canvas: &mut Canvas<'_>, area: Rect, (text, tone): (&str, Tone), is_wrapped: bool) -> u16 {
    let parts = if is_wrapped { chunks(text, area.width.into()) } else { vec![text] };
    let mut y = area.bottom();
    for part in parts.into_iter().rev() {
        if y == area.y {
            break;
        }
        y -= 1;
        canvas.put((area.x, y), area.width, part, tone);
    }
    y
}

/// `14:03:07 web.1 | text`; a line of stderr has a `!` in place of the `|`.
fn log_line(line: &Line, names: bool, zone: &jiff::tz::TimeZone) -> String {
    let at = line.at.map_or_else(|| "-".to_owned(), |at| time(at, zone));
    let name = if names { format!(" {}", line.slot) } else { String::new() };
    let stream = if line.is_err { '!' } else { '|' };
    format!("{at}{name} {stream} {}", harmless(&line.text))
}

fn events(model: &Model, canvas: &mut Canvas<'_>, area: Rect) {
    let mut y = area.bottom();
    for entry in model.past.entries.iter().rev().skip(model.past.back) {
        let text = format!("{} {}", time(entry.at, &canvas.look.zone), harmless(&entry.event.to_string()));
        y = put_above(
            canvas,
            Rect { height: y - area.y, ..area },
            (&text, Tone::Plain),
            model.output.is_wrapped,
        );
        if y == area.y {
            return;
        }
    }
    if model.past.entries.is_empty() {
        canvas.put((area.x, area.y), area.width, "there are no events", Tone::Weak);
    }
}

fn deed(model: &Model, room: usize) -> Vec<(String, Tone)> {
    let Some(deed) = model.deeds.last() else { return Vec::new() };
    let said = deed.lines.iter().flat_map(|line| wrapped(&harmless(line), room));
    let last = foot::how(deed, model.now);
    said.map(|line| (line, Tone::Plain)).chain([last]).collect()
}
