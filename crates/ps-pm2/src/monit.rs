//! `monit`: CPU and memory of the running apps, refreshed each second until it is interrupted.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use ps_cli::exit::Outcome;

use crate::book::Book;
use crate::row::{self, Row, Status};
use crate::say::{self, paint};
use crate::session::Session;
use crate::table::{mode, size};

const TURN: Duration = Duration::from_secs(1);
/// Of a bar, in columns, and where it begins.
const WIDTH: usize = 30;
const COLUMN: usize = 40;
/// What a whole bar of memory is, in bytes.
const MEMORY: u64 = 200 << 20;

/// Draws until the user leaves.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    loop {
        let book = Book::read(&session.home)?;
        let rows = row::rows(&session.home, &book)?;
        let online: Vec<&Row<'_>> = rows.iter().filter(|row| row.status == Status::Online).collect();
        if online.is_empty() {
            say::fact("No online process to monitor")?;
            return Ok(Outcome::No);
        }
        let mut out = io::stdout().lock();
        out.write_all(frame(&online, io::stdout().is_terminal()).as_bytes())?;
        out.flush()?;
        drop(out);
        thread::sleep(TURN);
    }
}

/// One picture: the terminal is cleared, and each bar is put beside the lines of its app.
fn frame(rows: &[&Row<'_>], is_terminal: bool) -> String {
    let mut text = format!("\x1bc{}monitoring :\n\n", paint("32", "⌬ PM2 ", is_terminal));
    for (number, row) in rows.iter().enumerate() {
        let line = 3 + number * 3;
        let _ =
            writeln!(text, " {} {}", paint("32", "●", is_terminal), paint("32", &row.app.name, is_terminal));
        let _ = writeln!(text, "[{}] [{}_mode]", row.instance.id, mode(row));
        let cpu = bar(row.cpu, 100);
        let memory = bar(row.memory, MEMORY);
        let _ = write!(text, "\x1b7\x1b[{line};{COLUMN}f[{cpu}] {} %\x1b8", row.cpu);
        let _ = writeln!(text, "\x1b7\x1b[{};{COLUMN}f[{memory}] {}\x1b8", line + 1, size(row.memory));
    }
    text
}

fn bar(part: u64, whole: u64) -> String {
    let filled = usize::try_from(part.min(whole) * WIDTH as u64 / whole).unwrap_or(WIDTH);
    format!("{}{}", "|".repeat(filled), " ".repeat(WIDTH - filled))
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn a_bar_is_as_long_whatever_it_shows() {
        assert_eq!(bar(50, 100), format!("{}{}", "|".repeat(15), " ".repeat(15)));
        for part in [0, 1, 99, 100, 5_000] {
            assert_eq!(bar(part, 100).len(), 30);
        }
    }
}
