//! Programs that were started from here, with their output and their result.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::command::Command;

/// How many programs are remembered, and how many lines of each.
const KEPT: usize = 8;
const LINES: usize = 500;

/// A program that was started from here.
#[derive(Debug)]
pub(crate) struct Deed {
    number: usize,
    pub(crate) command: Command,
    pub(crate) began: Timestamp,
    pub(crate) lines: VecDeque<String>,
    /// When and how it ended; a failure has a sentence.
    pub(crate) ended: Option<(Timestamp, Result<(), String>)>,
}

/// The last programs.
#[derive(Debug, Default)]
pub(crate) struct Deeds {
    deeds: VecDeque<Deed>,
    count: usize,
}

impl Deeds {
    /// Adds a program. Returns its number.
    pub(crate) fn begin(&mut self, command: Command, now: Timestamp) -> usize {
        self.count += 1;
        if self.deeds.len() == KEPT {
            self.deeds.pop_front();
        }
        self.deeds.push_back(Deed {
            number: self.count,
            command,
            began: now,
            lines: VecDeque::new(),
            ended: None,
        });
        self.count
    }

    pub(crate) fn said(&mut self, number: usize, line: String) {
        if let Some(deed) = self.get(number) {
            if deed.lines.len() == LINES {
                deed.lines.pop_front();
            }
            deed.lines.push_back(line);
        }
    }

    pub(crate) fn ended(&mut self, number: usize, how: Result<(), String>, now: Timestamp) {
        if let Some(deed) = self.get(number) {
            deed.ended = Some((now, how));
        }
    }

    fn get(&mut self, number: usize) -> Option<&mut Deed> {
        self.deeds.iter_mut().find(|deed| deed.number == number)
    }

    /// The newest program.
    pub(crate) fn last(&self) -> Option<&Deed> {
        self.deeds.back()
    }
}
