//! The bottom of the terminal: lines that are rewritten in place while a verb runs. Other messages are printed above
//! them, so that no line is broken. A program has one terminal, so there is one such area.
//!
//! The cursor rests at the beginning of the row below the last line, and is never hidden: after a program was killed
//! the terminal needs no repair.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::termios::tcgetwinsize;

/// On a terminal with fewer columns, nothing is rewritten in place.
const LEAST_COLUMNS: u16 = 40;
const LEAST_ROWS: u16 = 6;
/// Clears the terminal from the cursor's row to the end.
const ERASE: &str = "\r\x1b[J";
/// Makes the terminal cut lines that are too long for it while they are drawn: it may have become narrower a moment ago.
const CUT: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

static BOTTOM: Mutex<Bottom> =
    Mutex::new(Bottom { lines: Vec::new(), drawn: Vec::new(), size: None, others: 0 });

struct Bottom {
    /// The lines to be shown.
    lines: Vec<String>,
    /// The width of each line that is on the terminal now, in columns.
    drawn: Vec<usize>,
    /// The size of the terminal when they were drawn.
    size: Option<Size>,
    /// How many parts of the program currently let other processes write to the terminal.
    others: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    rows: usize,
    columns: usize,
}

/// Whether stderr is a terminal in which lines can be rewritten in place: not if `TERM` is `dumb` or missing, if `NO_COLOR` is set, or if
/// it is too small.
pub fn is_fit() -> bool {
    let term = ps_apps::variable("TERM");
    let is_able = term.is_some_and(|term| term != "dumb") && ps_apps::variable("NO_COLOR").is_none();
    is_able && io::stderr().is_terminal() && size().is_some()
}

/// Shows these lines at the bottom from now on, in place of the present ones.
pub fn show(lines: Vec<String>) {
    let mut bottom = bottom();
    if bottom.lines == lines && bottom.size == size() {
        return;
    }
    let erased = bottom.erased();
    bottom.lines = lines;
    bottom.put(erased);
}

/// Removes the lines at the bottom, and prints these instead, which then stay.
pub fn leave(lines: &[String]) {
    let mut bottom = bottom();
    let mut text = bottom.erased();
    bottom.lines.clear();
    text.extend(lines.iter().flat_map(|line| [line, "\n"]));
    bottom.put(text);
}

/// Writes a line on stderr, above those at the bottom.
pub fn say(line: &str) -> io::Result<()> {
    let mut bottom = bottom();
    if bottom.lines.is_empty() {
        // The line is written with a single call, because others, such as a hook, may write to the same terminal.
        return io::stderr().lock().write_all(format!("{line}\n").as_bytes());
    }
    let erased = bottom.erased();
    bottom.put(format!("{erased}{line}\n"));
    Ok(())
}

/// Draws the lines again after other programs have written below them, as a shell does when this program was stopped.
pub fn begin_anew() {
    let mut bottom = bottom();
    bottom.drawn.clear();
    bottom.put(String::new());
}

/// While the value lives there are no lines at the bottom, so that other processes can write to the terminal.
#[must_use]
pub fn aside() -> Aside {
    let mut bottom = bottom();
    let erased = bottom.erased();
    bottom.others += 1;
    bottom.put(erased);
    Aside(())
}

/// See [`aside`].
#[derive(Debug)]
pub struct Aside(());

impl Drop for Aside {
    fn drop(&mut self) {
        let mut bottom = bottom();
        bottom.others -= 1;
        bottom.put(String::new());
    }
}

fn bottom() -> MutexGuard<'static, Bottom> {
    // After a panic the lines may or may not be drawn. The next call draws them again.
    BOTTOM.lock().unwrap_or_else(PoisonError::into_inner)
}

fn size() -> Option<Size> {
    let size = tcgetwinsize(io::stderr()).ok()?;
    let is_large = size.ws_row >= LEAST_ROWS && size.ws_col >= LEAST_COLUMNS;
    is_large.then(|| Size { rows: size.ws_row.into(), columns: size.ws_col.into() })
}

impl Bottom {
    /// The text that erases the lines that are on the terminal.
    fn erased(&mut self) -> String {
        let drawn = std::mem::take(&mut self.drawn);
        let now = size();
        match (drawn.is_empty(), now) {
            (true, _) => String::new(),
            // A line that no longer fits is left where it is: some terminals cut it and some wrap it, so its height is not known.
            (false, Some(size)) if drawn.iter().all(|width| *width <= size.columns) => {
                format!("\x1b[{}A{ERASE}", drawn.len().min(size.rows - 1))
            }
            (false, _) => ERASE.to_owned(),
        }
    }

    /// Writes this text, and the lines below it.
    fn put(&mut self, mut text: String) {
        self.size = size();
        if let Some(size) = self.size.filter(|_| self.others == 0 && !self.lines.is_empty()) {
            let lines = seen(&self.lines, size);
            self.drawn = lines.iter().map(|line| line.chars().count()).collect();
            text.push_str(CUT);
            text.extend(lines.iter().flat_map(|line| [line, "\n"]));
            text.push_str(WRAP);
        }
        if !text.is_empty() {
            // If stderr is closed, the text is dropped.
            let _ = io::stderr().lock().write_all(text.as_bytes());
        }
    }
}

/// The lines for which there is room.
fn seen(lines: &[String], size: Size) -> Vec<String> {
    // One row is for the cursor, and one stays free, so that the row where the program began is visible.
    let room = size.rows - 2;
    let cut = |line: &String| line.chars().take(size.columns - 1).collect::<String>();
    if lines.len() <= room {
        return lines.iter().map(cut).collect();
    }
    let more = format!("       … and {} more", lines.len() - (room - 1));
    lines.iter().take(room - 1).map(cut).chain([more]).collect()
}
