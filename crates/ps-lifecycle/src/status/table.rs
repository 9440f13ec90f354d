//! The table for people.

use std::collections::BTreeSet;
use std::io::{self, Write};

use jiff::Timestamp;
use ps_rows::StatusRow;

use super::column::Column;

/// The text between two columns.
const GAP: &str = "  ";
/// No name of an app is shortened to less than this.
const SHORTEST: usize = 12;

/// Which columns a table has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shown<'a> {
    /// The usual columns, as many as fit into this width.
    Usual(Option<usize>),
    /// All columns.
    Wide,
    /// These columns.
    These(&'a [Column]),
}

/// Prints a table whose columns are as wide as their content; `now` is the time to which ages refer.
pub(super) fn text(
    mut out: impl Write,
    rows: &[StatusRow],
    shown: Shown<'_>,
    now: Timestamp,
) -> io::Result<()> {
    let column = |column: Column| {
        let cells = rows.chunk_by(is_same_slot).flat_map(|slot| slot.iter().map(|row| (row, slot.len())));
        let cells: Vec<String> = cells.map(|(row, in_slot)| column.cell(row, in_slot, now)).collect();
        let heading = column.heading().len();
        let width = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0).max(heading);
        Filled { column, cells, width }
    };
    let columns = columns(rows, shown).into_iter().map(column).collect();
    let columns = match shown {
        Shown::Usual(Some(width)) => fitting(columns, width),
        Shown::Usual(None) | Shown::Wide | Shown::These(_) => columns,
    };
    for line in 0..=rows.len() {
        let padded: Vec<String> = columns.iter().map(|filled| filled.padded(line)).collect();
        writeln!(out, "{}", padded.join(GAP).trim_end())?;
    }
    for line in rows.iter().filter_map(led_elsewhere).collect::<BTreeSet<String>>() {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// A column with its cells.
struct Filled {
    column: Column,
    cells: Vec<String>,
    width: usize,
}

impl Filled {
    /// A cell with padding; line 0 is the heading.
    fn padded(&self, line: usize) -> String {
        let cell = line.checked_sub(1).map_or(self.column.heading(), |row| &self.cells[row]);
        let width = self.width;
        format!("{cell:width$}")
    }
}

/// The columns of the table. A usual column is left out if no row could have a value in it.
fn columns(rows: &[StatusRow], shown: Shown<'_>) -> Vec<Column> {
    let usual = |column: &Column| *column != Column::Next || rows.iter().any(|row| row.next.is_some());
    match shown {
        Shown::Usual(_) => Column::USUAL.into_iter().filter(usual).collect(),
        Shown::Wide => <Column as clap::ValueEnum>::value_variants().iter().copied().filter(usual).collect(),
        Shown::These(columns) => columns.to_vec(),
    }
}

/// The columns that fit into a width.
fn fitting(mut columns: Vec<Filled>, width: usize) -> Vec<Filled> {
    while taken(&columns) > width {
        let last = (0..columns.len()).max_by_key(|at| columns[*at].column.rank());
        let Some(last) = last.filter(|at| columns[*at].column.rank() > 0) else { break };
        columns.remove(last);
    }
    let too_much = taken(&columns).saturating_sub(width);
    if too_much > 0 {
        for names in columns.iter_mut().filter(|filled| filled.column == Column::App) {
            let room = names.width.saturating_sub(too_much).max(SHORTEST);
            names.cells = names.cells.iter().map(|name| shortened(name, room)).collect();
            names.width = names.width.min(room);
        }
    }
    columns
}

/// How wide a table of these columns is.
fn taken(columns: &[Filled]) -> usize {
    let gaps = columns.len().saturating_sub(1) * GAP.len();
    columns.iter().map(|filled| filled.width).sum::<usize>() + gaps
}

/// The beginning and the end of a name that is longer than this: names that begin alike usually end differently.
fn shortened(name: &str, room: usize) -> String {
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= room {
        return name.to_owned();
    }
    let end = (room - 1) / 2;
    let beginning = room - 1 - end;
    let (first, last) = (&letters[..beginning], &letters[letters.len() - end..]);
    first.iter().chain(&['…']).chain(last).collect()
}

/// If the path that was deployed leads to another directory now: one line about it.
fn led_elsewhere(row: &StatusRow) -> Option<String> {
    let (typed, directory) = row.typed_directory.as_ref().zip(row.directory.as_ref())?;
    Some(format!("{} was deployed from {typed} and runs in {directory}", row.app))
}

fn is_same_slot(row: &StatusRow, next: &StatusRow) -> bool {
    (&row.app, &row.process_type, row.index) == (&next.app, &next.process_type, next.index)
}

#[cfg(test)]
mod tests {
    use formation::State;
    use ps_scheduler::Instance;

    use super::*;

    fn printed(rows: &[StatusRow], shown: Shown<'_>) -> String {
        let mut printed = Vec::new();
        text(&mut printed, rows, shown, Timestamp::UNIX_EPOCH).expect("memory takes what is written");
        String::from_utf8(printed).expect("UTF-8")
    }

    #[test]
    fn a_slot_that_holds_two_runs_has_two_rows_that_say_which_is_which() {
        let row = |slot: &str, run, role| {
            let instance = Instance::new(slot.parse().expect("a slot"), State::Running);
            StatusRow { run: Some(run), role: Some(role), ..StatusRow::of("native", "shop", instance) }
        };
        let rows = [row("web.1", 16, "current"), row("web.1", 17, "incoming"), row("web.2", 15, "current")];
        let printed = printed(&rows, Shown::Usual(None));
        let cell = |line: &str| line.split("  ").nth(1).map(|cell| cell.trim().to_owned());
        let names: Vec<String> = printed.lines().skip(1).filter_map(cell).collect();
        assert_eq!(names, ["web.1@16 current", "web.1@17 incoming", "web.2"]);
    }

    #[test]
    fn a_narrow_terminal_loses_the_columns_that_matter_least() {
        let instance = Instance::new("web.1".parse().expect("a slot"), State::Running);
        let rows = [StatusRow::of("native", "shop", instance)];
        let headings = |shown| printed(&rows, shown).lines().next().map(str::to_owned).expect("headings");
        let all = headings(Shown::Usual(None));
        assert_eq!(headings(Shown::Usual(Some(all.len()))), all);
        let fewer = headings(Shown::Usual(Some(all.len() - 1)));
        assert!(!fewer.contains("PID") && fewer.contains("PORT"), "{fewer}");
        assert_eq!(
            headings(Shown::Usual(Some(1))).split_whitespace().collect::<Vec<_>>(),
            ["APP", "PROCESS", "STATE"]
        );
        assert!(!all.contains("RELEASE") && headings(Shown::Wide).contains("RELEASE"));
        assert_eq!(headings(Shown::These(&[Column::State, Column::App])), "STATE    APP");
    }

    #[test]
    fn a_long_name_of_an_app_is_shortened_where_the_table_would_be_too_wide() {
        let instance = || Instance::new("web.1".parse().expect("a slot"), State::Running);
        let long = format!("a-{}-of-berlin", "very-".repeat(12));
        let rows = [StatusRow::of("native", &long, instance()), StatusRow::of("native", "shop", instance())];
        for width in [40, 60, 80] {
            let printed = printed(&rows, Shown::Usual(Some(width)));
            assert!(printed.lines().all(|line| line.chars().count() <= width), "{width}:\n{printed}");
            assert!(printed.contains("…") && printed.contains("-berlin  web.1"), "{width}:\n{printed}");
        }
        assert!(printed(&rows, Shown::Usual(Some(200))).contains(&long));
        assert!(printed(&rows, Shown::Usual(None)).contains(&long));
    }
}
