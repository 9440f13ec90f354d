//! The list of apps and instances.

use ps_rows::StatusRow;
use ratatui::layout::Rect;

use super::canvas::{Canvas, Tone};
use super::text::{memory, sparkline};
use crate::model::Model;
use crate::model::fleet::App;
use crate::model::list::{Place, name_of, row_of};

/// The least value of a full bar, in tenths of a percent of a CPU, so that a very small use has a short bar.
const LEAST_CPU: u64 = 100;

/// A column, with its heading and its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    State,
    Since,
    Restarts,
    Cpu,
    CpuPast(u16),
    Memory,
    MemoryPast(u16),
}

impl Column {
    const fn width(self) -> u16 {
        match self {
            Self::State => 9,
            Self::Since | Self::Restarts => 5,
            Self::Cpu => 6,
            Self::Memory => 8,
            Self::CpuPast(width) | Self::MemoryPast(width) => width,
        }
    }

    const fn heading(self) -> &'static str {
        match self {
            Self::State => "STATE",
            Self::Since => "SINCE",
            Self::Restarts => "AGAIN",
            Self::Cpu => "CPU",
            Self::Memory => "MEMORY",
            Self::CpuPast(_) | Self::MemoryPast(_) => "",
        }
    }

    /// Whether the column has numbers, which are right-aligned.
    const fn is_number(self) -> bool {
        !matches!(self, Self::State)
    }
}

/// The columns that fit into this width.
fn columns(width: u16) -> Vec<Column> {
    use Column::{Cpu, CpuPast, Memory, MemoryPast, Restarts, Since, State};
    match width {
        110.. => vec![State, Since, Restarts, Cpu, CpuPast(20), Memory, MemoryPast(20)],
        76.. => vec![State, Since, Restarts, Cpu, CpuPast(7), Memory, MemoryPast(7)],
        56.. => vec![State, Since, Restarts, Cpu, Memory],
        _ => vec![State, Since, Memory],
    }
}

/// Draws the headings and the lines below them.
pub(crate) fn draw(model: &Model, canvas: &mut Canvas<'_>, area: Rect) {
    let columns = columns(area.width);
    let taken: u16 = columns.iter().map(|column| column.width() + 1).sum();
    // Two columns before the name mark the selection.
    let name_width = area.width.saturating_sub(taken + 2);
    canvas.put((area.x + 2, area.y), name_width, "APP, INSTANCE", Tone::Strong);
    each(&columns, area.x + 2 + name_width, |column, x| {
        put(canvas, column, (x, area.y), column.heading(), Tone::Strong);
    });
    let room = usize::from(area.height.saturating_sub(1));
    let places = model.list.places.iter().enumerate().skip(model.list.first).take(room);
    for (y, (at, place)) in (area.y + 1..).zip(places) {
        let Some(app) = model.fleet.apps.get(&place.app) else { continue };
        match row_of(&model.fleet, place) {
            None => draw_app(model, canvas, Rect { y, height: 1, ..area }, (place, app, name_width)),
            Some(row) => {
                let name = format!("  {}", name_of(app, row));
                canvas.put((area.x + 2, y), name_width, &name, Tone::Plain);
                let tone = if model.fleet.is_stale(app) { Tone::Weak } else { Tone::Plain };
                each(&columns, area.x + 2 + name_width, |column, x| {
                    let text = cell(model, row, column, canvas.look.is_ascii);
                    let tone = if column == Column::State && tone == Tone::Plain {
                        Tone::of_state(row.state)
                    } else {
                        tone
                    };
                    put(canvas, column, (x, y), &text, tone);
                });
            }
        }
        if at == model.list.at {
            canvas.put((area.x, y), 1, ">", Tone::Plain);
            canvas.choose(Rect { y, height: 1, ..area });
        }
    }
    if model.list.places.is_empty() && room > 0 {
        let text = if model.list.filter.is_empty() {
            "there are no apps"
        } else {
            "no app, instance or state matches the filter"
        };
        canvas.put((area.x + 2, area.y + 1), area.width.saturating_sub(2), text, Tone::Weak);
    }
}

fn each(columns: &[Column], x: u16, mut draw: impl FnMut(Column, u16)) {
    let mut x = x;
    for column in columns {
        draw(*column, x + 1);
        x += column.width() + 1;
    }
}

fn put(canvas: &mut Canvas<'_>, column: Column, at: (u16, u16), text: &str, tone: Tone) {
    if column.is_number() {
        canvas.put_right(at, column.width(), text, tone);
    } else {
        canvas.put(at, column.width(), text, tone);
    }
}

/// Draws an app: its name, its state as a whole, and problems, or its address and scheduler.
fn draw_app(
    model: &Model,
    canvas: &mut Canvas<'_>,
    row: Rect,
    (place, app, name_width): (&Place, &App, u16),
) {
    canvas.put((row.x + 2, row.y), name_width, place.app.as_str(), Tone::Strong);
    let word = app.word();
    let x = row.x + 3 + name_width;
    canvas.put((x, row.y), Column::State.width(), &word, Tone::of_state(&word));
    let (x, room) =
        (x + Column::State.width() + 1, row.right().saturating_sub(x + Column::State.width() + 1));
    let listen = app.rows.iter().find_map(|row| row.listen.first());
    let growing = || model.growth.of_app(place.app.as_str()).next();
    // The details have the full sentence.
    let grows = |(slot, bytes): (&str, u64)| format!("{slot} grows by {} MiB an hour", bytes >> 20);
    let trouble = app.troubles.first().cloned().or_else(|| growing().map(grows));
    let (text, tone) = match (&app.silent, trouble) {
        (Some(reason), _) => (format!("no answer: {reason}"), Tone::Bad),
        (None, Some(trouble)) => (trouble, Tone::Warning),
        (None, None) => {
            let scheduler = app.scheduler.as_deref().unwrap_or_default();
            let address = listen.map(|listen| format!(" at {listen}")).unwrap_or_default();
            (format!("{scheduler}{address}"), Tone::Weak)
        }
    };
    let tone = if model.fleet.is_stale(app) && tone == Tone::Weak { Tone::Warning } else { tone };
    canvas.put((x, row.y), room, &super::text::harmless(&text), tone);
}

fn cell(model: &Model, row: &StatusRow, column: Column, is_ascii: bool) -> String {
    let history = model.fleet.history(row);
    let newest = |past: Option<&u64>| past.copied();
    match column {
        Column::State => row.state.to_owned(),
        Column::Since => {
            let since = row.since.as_ref().and_then(|since| since.parse().ok());
            since.map_or_else(|| "-".to_owned(), |since| ps_output::age(since, model.now))
        }
        Column::Restarts => row.restarts.map_or_else(|| "-".to_owned(), |restarts| restarts.to_string()),
        Column::Cpu => {
            let tenths = history.and_then(|history| newest(history.cpu.back()));
            tenths.map_or_else(|| "-".to_owned(), |tenths| format!("{} %", (tenths + 5) / 10))
        }
        Column::Memory => {
            let bytes = history.and_then(|history| newest(history.memory.back())).or(row.memory_bytes);
            bytes.map_or_else(|| "-".to_owned(), memory)
        }
        Column::CpuPast(width) => history.map_or_else(String::new, |history| {
            let most = history.cpu.iter().copied().max().unwrap_or(0).max(LEAST_CPU);
            sparkline(&history.cpu, most, width.into(), is_ascii)
        }),
        Column::MemoryPast(width) => history.map_or_else(String::new, |history| {
            let limit = row.limits.as_ref().and_then(|limits| limits.memory_max);
            // Without a limit the present value is half a bar, because a full bar would look like an alarm.
            let most = limit.or(history.memory.iter().max().map(|most| most.saturating_mul(2))).unwrap_or(0);
            sparkline(&history.memory, most, width.into(), is_ascii)
        }),
    }
}
