//! Numbered lines, so that a reader can tell a lost one and a doubled one.

use std::io::{self, Write};
use std::thread;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::say;

/// The lines that were asked for.
pub(crate) struct Lines {
    count: Option<u64>,
    per_second: Option<u32>,
    binary: bool,
    to_stderr: bool,
}

impl Lines {
    /// The lines that `args` ask for, if any.
    pub(crate) fn from(args: &Args) -> Option<Self> {
        if args.log_rate.is_none() && args.log_lines.is_none() {
            return None;
        }
        Some(Self {
            count: args.log_lines,
            per_second: args.log_rate,
            binary: args.log_binary,
            to_stderr: args.log_stderr,
        })
    }

    /// Writes them all, at their rate.
    pub(crate) fn write(&self) -> io::Result<()> {
        let start = Instant::now();
        for number in 1..=self.count.unwrap_or(u64::MAX) {
            self.wait_for_turn(start, number);
            let line = line(number, self.binary);
            if self.to_stderr {
                io::stderr().lock().write_all(&line)?;
            } else {
                // stdout flushes at each newline by itself.
                io::stdout().lock().write_all(&line)?;
            }
        }
        io::stdout().lock().flush()
    }

    /// Each line has its own time since the start, so that a slow reader does not change the rate for good.
    fn wait_for_turn(&self, start: Instant, number: u64) {
        let Some(per_second) = self.per_second else { return };
        let micros = (number - 1).saturating_mul(1_000_000) / u64::from(per_second);
        let due = start + Duration::from_micros(micros);
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

/// Says `tick 1`, `tick 2`, … until nobody reads them.
pub(crate) fn tick(every: Duration) -> io::Result<()> {
    for number in 1_u64.. {
        say::line(&format!("{}: tick {number}", say::name()))?;
        thread::sleep(every);
    }
    Ok(())
}

fn line(number: u64, binary: bool) -> Vec<u8> {
    let mut line = format!("line {number}").into_bytes();
    if binary {
        line.push(b' ');
        line.extend((0..=u8::MAX).filter(|&byte| byte != b'\n'));
    }
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_line_holds_every_byte_and_one_newline() {
        let line = line(7, true);
        assert!(line.starts_with(b"line 7 "));
        assert_eq!(line.split(|&byte| byte == b'\n').count(), 2);
        assert!((0..=u8::MAX).all(|byte| line.contains(&byte)));
    }
}
