//! The table that `list` prints, and most other verbs at their end.

use std::io::{self, IsTerminal, Write};

use anyhow::Result;

use crate::book::Book;
use crate::row::{self, Row, Status};
use crate::say::paint;
use crate::session::Session;

const HEADS: [&str; 10] =
    ["App Name", "id", "mode", "PID", "status", "port", "Restarted", "Uptime", "memory", "err logs"];
/// The columns whose numbers stand at the right.
const RIGHT: [usize; 2] = [6, 8];

/// Prints the table of all instances, with which most verbs end.
pub(crate) fn print_all(session: &Session) -> Result<()> {
    if session.args.silent {
        return Ok(());
    }
    let book = Book::read(&session.home)?;
    print(&row::rows(&session.home, &book)?)?;
    Ok(())
}

/// Prints the table.
pub(crate) fn print(rows: &[Row<'_>]) -> io::Result<()> {
    let is_terminal = io::stdout().is_terminal();
    let cells: Vec<[String; 10]> = rows.iter().map(cells).collect();
    let widths: Vec<usize> = (0..HEADS.len())
        .map(|column| {
            let longest = cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
            longest.max(HEADS[column].len())
        })
        .collect();
    let rule = |left, middle, right| {
        let parts: Vec<String> = widths.iter().map(|width| "─".repeat(width + 2)).collect();
        format!("{left}{}{right}\n", parts.join(middle))
    };
    let mut text = rule("┌", "┬", "┐");
    text += &line(&HEADS.map(str::to_owned), &widths, |_, cell| paint("36", cell, is_terminal));
    for row in &cells {
        text += &rule("├", "┼", "┤");
        text += &line(row, &widths, |column, cell| coloured(column, cell, is_terminal));
    }
    text += &rule("└", "┴", "┘");
    io::stdout().lock().write_all(text.as_bytes())
}

fn line(cells: &[String; 10], widths: &[usize], paint: impl Fn(usize, &str) -> String) -> String {
    let mut text = String::from("│");
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let room = " ".repeat(width - cell.chars().count());
        let shown =
            if RIGHT.contains(&column) { format!(" {room}{cell} ") } else { format!(" {cell}{room} ") };
        text += &paint(column, &shown);
        text += "│";
    }
    text + "\n"
}

fn coloured(column: usize, cell: &str, is_terminal: bool) -> String {
    let colour = match (column, cell.trim()) {
        (0, _) => "36",
        (2, "cluster") => "34",
        (4, "online") => "32",
        (4, _) => "31",
        _ => return cell.to_owned(),
    };
    paint(colour, cell, is_terminal)
}

fn cells(row: &Row<'_>) -> [String; 10] {
    [
        row.app.name.clone(),
        row.instance.id.to_string(),
        mode(row).to_owned(),
        row.pid.to_string(),
        row.status.as_str().to_owned(),
        row.app.port.as_ref().map_or_else(String::new, procfile_exchange::pm2::as_text),
        row.restarts.to_string(),
        uptime(row),
        size(row.memory),
        row.app.err_of(row.instance.id).display().to_string(),
    ]
}

/// `cluster` or `fork`.
pub(crate) fn mode(row: &Row<'_>) -> &'static str {
    if row.app.is_cluster { "cluster" } else { "fork" }
}

/// How long it has been up: `5s`, `3m`, `2h`, `4d`; `0` if it is not.
pub(crate) fn uptime(row: &Row<'_>) -> String {
    if row.status != Status::Online {
        return "0".to_owned();
    }
    let seconds = (jiff::Timestamp::now().as_millisecond() - row.since).max(0) / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// `20.371 MB`, in powers of 1024.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let unit = (0..UNITS.len()).rev().find(|unit| bytes >= 1 << (10 * unit)).unwrap_or(0);
    if unit == 0 {
        return format!("{bytes} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "three decimals are shown")]
    let number = bytes as f64 / (1_u64 << (10 * unit)) as f64;
    format!("{number:.3} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn a_size_has_three_decimals_and_a_unit_of_1024() {
        let sizes = [0, 1023, 1024, 21_360_000, 3 << 30].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.000 KB", "20.370 MB", "3.000 GB"]);
    }
}
