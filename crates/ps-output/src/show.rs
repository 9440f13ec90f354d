//! Prints the selected lines as text, as JSON or as bytes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, Write};
use std::ops::ControlFlow;

use formation::AppName;
use ps_rows::LogRow;
use ps_scheduler::{Error, LogLine, ReadUpTo};

use crate::choice::Choice;
use crate::gather::Outputs;
use crate::key::Key;
use crate::text::{Look, Text};

/// How lines are written.
#[derive(Debug)]
pub enum Manner {
    /// As text.
    Text(Text),
    /// A JSON object a line.
    Json,
    /// The bytes as they were written, and nothing else.
    Raw,
}

impl Manner {
    /// As text with this look.
    pub fn text(look: Look) -> Self {
        Self::Text(Text::new(look))
    }
}

/// Writes the selected lines.
pub struct Show<'a> {
    out: &'a mut dyn Write,
    manner: Manner,
    choice: Choice,
    /// The last lines of each stream, which are kept until all lines are read, if they have to be counted here.
    last: Option<Last>,
    /// Called after a batch was written.
    noted: &'a mut dyn FnMut(&AppName, &ReadUpTo) -> io::Result<()>,
    /// The error after which nothing more could be written.
    pub failure: Option<io::Error>,
    /// The apps that could not be read.
    pub failed: Vec<(AppName, Error)>,
}

struct Last {
    count: usize,
    number: usize,
    /// Whether lines that come after the existing ones are written at once.
    is_followed: bool,
    over: BTreeSet<AppName>,
    lines: BTreeMap<Key, VecDeque<(usize, LogLine)>>,
}

impl Last {
    fn keep(&mut self, app: &AppName, line: &LogLine) {
        self.number += 1;
        let lines = self.lines.entry(Key::of(app, line)).or_default();
        lines.push_back((self.number, line.clone()));
        if lines.len() > self.count {
            lines.pop_front();
        }
    }

    /// Takes the lines of these apps, in the order in which they came.
    fn take(&mut self, is_meant: impl Fn(&AppName) -> bool) -> Vec<(AppName, LogLine)> {
        let lines = std::mem::take(&mut self.lines);
        let (kept, rest): (Vec<_>, Vec<_>) = lines.into_iter().partition(|(key, _)| is_meant(&key.app));
        self.lines = rest.into_iter().collect();
        let of_stream = |(key, lines): (Key, VecDeque<(usize, LogLine)>)| {
            lines.into_iter().map(move |(number, line)| (number, key.app.clone(), line))
        };
        let mut lines: Vec<_> = kept.into_iter().flat_map(of_stream).collect();
        lines.sort_by_key(|(number, ..)| *number);
        lines.into_iter().map(|(_, app, line)| (app, line)).collect()
    }
}

impl<'a> Show<'a> {
    /// Writes to `out`; `noted` is called with the position up to which everything has been written.
    pub fn new(
        out: &'a mut dyn Write,
        manner: Manner,
        choice: Choice,
        noted: &'a mut dyn FnMut(&AppName, &ReadUpTo) -> io::Result<()>,
    ) -> Self {
        Self { out, manner, choice, last: None, noted, failure: None, failed: Vec::new() }
    }

    /// Writes at most this many of the last lines of each stream that exist already. Which ones these are is known when all lines
    /// have been read; with `is_followed`, all lines of one app.
    #[must_use]
    pub fn only_last(mut self, count: Option<usize>, is_followed: bool) -> Self {
        let (over, lines) = (BTreeSet::new(), BTreeMap::new());
        self.last = count.map(|count| Last { count, number: 0, is_followed, over, lines });
        self
    }

    /// Writes the lines that were kept until all lines were read, in the order in which they came.
    pub fn finish(&mut self) -> ControlFlow<()> {
        let lines = self.last.take().map(|mut last| last.take(|_| true)).unwrap_or_default();
        for (app, line) in lines {
            self.write(&app, &line)?;
        }
        self.flush()
    }

    fn write(&mut self, app: &AppName, line: &LogLine) -> ControlFlow<()> {
        let written = match &mut self.manner {
            Manner::Text(text) => text.write(self.out, app, line),
            Manner::Json => ps_rows::json_line(&mut *self.out, &LogRow::of(app.as_str(), line)),
            Manner::Raw => self.out.write_all(&line.bytes).and_then(|()| self.out.write_all(b"\n")),
        };
        self.done(written)
    }

    fn flush(&mut self) -> ControlFlow<()> {
        let flushed = self.out.flush();
        self.done(flushed)
    }

    fn done(&mut self, written: io::Result<()>) -> ControlFlow<()> {
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failure = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

impl Outputs for Show<'_> {
    fn line(&mut self, app: &AppName, line: &LogLine) -> ControlFlow<()> {
        if !self.choice.is_wanted(line) {
            return ControlFlow::Continue(());
        }
        match &mut self.last {
            Some(last) if !last.over.contains(app) => {
                last.keep(app, line);
                ControlFlow::Continue(())
            }
            Some(_) | None => self.write(app, line),
        }
    }

    fn caught_up(&mut self, app: &AppName, read: &ReadUpTo) -> ControlFlow<()> {
        if let Some(last) = self.last.as_mut().filter(|last| last.is_followed && !last.over.contains(app)) {
            last.over.insert(app.clone());
            let lines = last.take(|of| of == app);
            for (app, line) in lines {
                self.write(&app, &line)?;
            }
        }
        self.flush()?;
        let noted = (self.noted)(app, read);
        self.done(noted)
    }

    fn failed(&mut self, app: &AppName, error: Error) -> ControlFlow<()> {
        self.failed.push((app.clone(), error));
        ControlFlow::Continue(())
    }
}
