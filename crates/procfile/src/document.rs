//! A Procfile that was read: its entries, and every byte of the file. Nothing is normalised, so that an edit of one
//! line keeps every other byte.

use std::fmt;
use std::ops::Range;

use formation::ProcessType;

use crate::grammar::{self, Line};
use crate::options::ParseOptions;
use crate::order;
use crate::problem::{Fault, MAX_PROBLEMS, ParseError};
use crate::problem_kind::ProblemKind;
use crate::text::{self, BOM};

/// The largest Procfile that is read, in bytes: 16 MiB.
pub const MAX_FILE_BYTES: usize = 16 << 20;
/// The longest line that is read, in bytes: 1 MiB.
pub const MAX_LINE_BYTES: usize = 1 << 20;
/// The most process types one Procfile may define.
pub const MAX_TYPES: usize = 1_000_000;

/// A legal Procfile: at least one entry, every name once, and the bytes it was read from.
#[derive(Clone, PartialEq, Eq)]
pub struct Procfile {
    bytes: Vec<u8>,
    options: ParseOptions,
    spans: Vec<Span>,
    by_name: Vec<u32>,
}

/// Where the name and the command of an entry lie in the bytes of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    line: u32,
    name_start: u32,
    command_start: u32,
    /// The length of the name in the lowest byte, and that of the command in the other three. Both share one number
    /// so that a span takes little memory, which makes large files faster to read.
    lengths: u32,
}

/// One process type and its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The name, as written.
    pub name: &'a str,
    /// The command without white space at its ends and without a trailing comment; never empty. It is bytes, because
    /// a command need not be UTF-8.
    pub command: &'a [u8],
    /// The line, from 1.
    pub line: usize,
}

impl Entry<'_> {
    /// The name as a [`ProcessType`].
    pub fn process_type(&self) -> ProcessType {
        ProcessType::of_legal(self.name)
    }
}

impl Procfile {
    /// Reads a Procfile as Dokku does. The error holds all problems of the text, not the first only.
    ///
    /// ```
    /// let procfile = procfile::Procfile::parse(b"web: bin/serve # public\nworker: bin/work\n")?;
    /// let names: Vec<_> = procfile.entries().map(|entry| entry.name).collect();
    /// assert_eq!(names, ["web", "worker"]);
    /// assert_eq!(procfile.get("web").map(|web| web.command), Some(&b"bin/serve"[..]));
    /// # Ok::<(), procfile::ParseError>(())
    /// ```
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        if bytes.len() > MAX_FILE_BYTES {
            return Err(ParseError::whole(ProblemKind::FileTooLarge));
        }
        Self::parse_with(bytes.to_vec(), &ParseOptions::default())
    }

    /// Reads a Procfile with another delimiter or with strict names. It takes the bytes by value, so that a large
    /// file is in memory once.
    pub fn parse_with(bytes: Vec<u8>, options: &ParseOptions) -> Result<Self, ParseError> {
        let reading = Reading::of(&bytes, options)?;
        let by_name = reading.index(&bytes, options)?;
        Ok(Self { spans: reading.spans, by_name, bytes, options: options.clone() })
    }

    /// The entries in the order of the file.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> + Clone {
        self.spans.iter().map(|span| span.entry(&self.bytes))
    }

    /// The entries sorted by the bytes of their names: `-`, `0`, `A`, `_`, `a`.
    pub fn sorted(&self) -> impl ExactSizeIterator<Item = Entry<'_>> + Clone {
        self.by_name.iter().map(|at| self.spans[*at as usize].entry(&self.bytes))
    }

    /// The names alone, in the order of [`Procfile::sorted`]. They are returned as ASCII bytes for callers that write
    /// many of them.
    pub fn sorted_names(&self) -> impl ExactSizeIterator<Item = &[u8]> + Clone {
        self.by_name.iter().map(|at| self.spans[*at as usize].name(&self.bytes))
    }

    /// The entry of a process type; the case of letters matters.
    pub fn get(&self, name: &str) -> Option<Entry<'_>> {
        self.place_of(name).map(|place| self.spans[place].entry(&self.bytes))
    }

    fn place_of(&self, name: &str) -> Option<usize> {
        let name_at = |at: &u32| self.spans[*at as usize].name(&self.bytes);
        let found = self.by_name.binary_search_by(|at| name_at(at).cmp(name.as_bytes()));
        found.ok().map(|place| self.by_name[place] as usize)
    }

    /// Where the command of an entry begins.
    pub(crate) fn command_start(&self, name: &str) -> usize {
        self.place_of(name).map_or(0, |place| self.spans[place].command_start as usize)
    }

    /// The entries in the order of the file, with the places of their names and commands in the bytes.
    pub(crate) fn placed(&self) -> impl Iterator<Item = (Entry<'_>, usize, usize)> {
        let place =
            |span: &Span| (span.entry(&self.bytes), span.name_start as usize, span.command_start as usize);
        self.spans.iter().map(place)
    }

    /// All bytes that were read.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// All bytes that were read.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The options with which the file was read.
    pub fn options(&self) -> &ParseOptions {
        &self.options
    }
}

impl fmt::Debug for Procfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.entries().take(100)).finish()
    }
}

impl Span {
    fn name_range(&self) -> Range<usize> {
        let start = self.name_start as usize;
        start..start + (self.lengths & 0xff) as usize
    }

    fn name<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.name_range()]
    }

    fn entry<'a>(&self, bytes: &'a [u8]) -> Entry<'a> {
        Entry {
            name: std::str::from_utf8(self.name(bytes)).expect("a name is ASCII"),
            command: &bytes[self.command_start as usize..][..(self.lengths >> 8) as usize],
            line: self.line as usize,
        }
    }
}

/// The lines of a text, each with its offset, without a leading BOM and line ends: one LF, and one CR before it.
pub(crate) fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut from = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
    std::iter::from_fn(move || {
        let rest = bytes.get(from..).filter(|rest| !rest.is_empty())?;
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = (from, rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]));
        from += end + 1;
        Some(line)
    })
}

/// Collects entries and problems while the lines are read one by one.
struct Reading {
    /// Whether there is a NUL byte anywhere in the text. If there is none, no line has to be searched for one.
    has_nul: bool,
    spans: Vec<Span>,
    faults: Vec<Fault>,
    uncounted: usize,
}

impl Reading {
    fn of(bytes: &[u8], options: &ParseOptions) -> Result<Self, ParseError> {
        if bytes.len() > MAX_FILE_BYTES {
            return Err(ParseError::whole(ProblemKind::FileTooLarge));
        }
        // A guess that is too large costs nothing: the kernel gives no memory to pages that are never written.
        let spans = Vec::with_capacity((bytes.len() / 16).min(MAX_TYPES));
        let has_nul = memchr::memchr(0, bytes).is_some();
        if has_nul && text::is_utf16(bytes) {
            return Err(ParseError::whole(ProblemKind::Utf16));
        }
        let mut reading = Self { has_nul, spans, faults: Vec::new(), uncounted: 0 };
        for (index, (start, line)) in lines(bytes).enumerate() {
            let number = index + 1;
            let fatal = |kind| Err(ParseError::new(bytes, &[Fault { kind, line: number, at: start }], 0));
            if line.len() > MAX_LINE_BYTES {
                return fatal(ProblemKind::LineTooLong);
            }
            reading.take(line, start, number, options);
            if reading.spans.len() > MAX_TYPES {
                return fatal(ProblemKind::TooManyTypes);
            }
        }
        Ok(reading)
    }

    fn take(&mut self, line: &[u8], start: usize, number: usize, options: &ParseOptions) {
        let nul = if self.has_nul { memchr::memchr(0, line) } else { None };
        let meaning = match nul {
            Some(at) => Line::Broken { at, kind: ProblemKind::InvalidCharacter },
            None => grammar::read(line, options),
        };
        match meaning {
            Line::Nothing => {}
            Line::Broken { at, kind } => self.blame(kind, number, start + at),
            Line::Entry { name, command } => self.keep(number, start, &name, &command),
            Line::Unusable { name, at, kind } => {
                self.keep(number, start, &name, &(at..at));
                self.blame(kind, number, start + at);
            }
        }
    }

    fn keep(&mut self, number: usize, start: usize, name: &Range<usize>, command: &Range<usize>) {
        self.spans.push(Span {
            line: offset(number),
            name_start: offset(start + name.start),
            command_start: offset(start + command.start),
            lengths: offset(command.len() << 8 | name.len()),
        });
    }

    fn blame(&mut self, kind: ProblemKind, line: usize, at: usize) {
        if self.faults.len() < MAX_PROBLEMS {
            self.faults.push(Fault { kind, line, at });
        } else {
            self.uncounted += 1;
        }
    }

    /// The spans sorted by name; an error if two have the same name or a line had a problem.
    fn index(&self, bytes: &[u8], options: &ParseOptions) -> Result<Vec<u32>, ParseError> {
        let (by_name, same) =
            order::by_name(bytes, offset(self.spans.len()), |at| self.spans[at as usize].name_range());
        if !self.faults.is_empty() || !same.is_empty() {
            let mut error = self.error(bytes, self.duplicates(&same));
            error.refuse_taken(self.spans.iter().map(|span| span.name(bytes)), options);
            return Err(error);
        }
        if by_name.is_empty() {
            return Err(ParseError::whole(ProblemKind::NoEntries));
        }
        Ok(by_name)
    }

    fn duplicates(&self, same: &[Vec<u32>]) -> Vec<Fault> {
        let span = |at: &u32| &self.spans[*at as usize];
        let mut doubles = Vec::new();
        for group in same {
            let kind = ProblemKind::Duplicate { first_line: span(&group[0]).line as usize };
            let fault = |span: &Span| Fault { kind, line: span.line as usize, at: span.name_start as usize };
            doubles.extend(group[1..].iter().map(|at| fault(span(at))));
        }
        doubles
    }

    /// All problems in the order of the lines. If a line has two problems and one of them is a duplicate name, that
    /// one is kept.
    fn error(&self, bytes: &[u8], doubles: Vec<Fault>) -> ParseError {
        let mut faults = doubles;
        faults.extend(&self.faults);
        faults.sort_by_key(|fault| fault.line);
        faults.dedup_by_key(|fault| fault.line);
        ParseError::new(bytes, &faults, self.uncounted)
    }
}

fn offset(number: usize) -> u32 {
    u32::try_from(number).expect("a Procfile has 16 MiB at most")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &[u8]) -> Vec<String> {
        let error = Procfile::parse(text).expect_err("broken on purpose");
        error.problems().iter().map(|p| format!("{p} ({}:{})", p.line, p.column)).collect()
    }

    #[test]
    fn entries_come_in_file_order_with_their_lines() {
        let file = Procfile::parse(b"\xef\xbb\xbfworker: w\r\n\n# c\n web: a # b").expect("legal");
        let read: Vec<_> = file.entries().map(|e| (e.name, e.command, e.line)).collect();
        assert_eq!(read, [("worker", &b"w"[..], 1), ("web", b"a", 4)]);
        assert_eq!(file.sorted().map(|e| e.name).collect::<Vec<_>>(), ["web", "worker"]);
        assert_eq!(file.get("worker").map(|e| e.line), Some(1));
        assert_eq!(file.get("nope"), None);
        assert_eq!(file.as_bytes(), b"\xef\xbb\xbfworker: w\r\n\n# c\n web: a # b");
    }

    #[test]
    fn names_sort_by_their_bytes_also_behind_a_long_common_start() {
        let text = b"processor_10: x\nprocessor_1: x\nprocessor: x\nA: x\n-: x\n_: x\na: x\n0: x\n";
        let file = Procfile::parse(text).expect("legal");
        let names: Vec<_> = file.sorted().map(|e| e.name).collect();
        assert_eq!(names, ["-", "0", "A", "_", "a", "processor", "processor_1", "processor_10"]);
        assert!(names.iter().all(|name| file.get(name).is_some_and(|e| e.name == *name)));
    }

    #[test]
    fn every_problem_is_reported_with_its_place() {
        assert_eq!(
            problems(b"web: a\nweb; b\nweb: # c\n\xc3\xa9: x\nw: #\n  web: d\n"),
            [
                "invalid line in procfile, line 2 (2:4)",
                "process names must be unique, line 3 (3:1)",
                "invalid line in procfile, line 4 (4:1)",
                "comment specified in place of command, line 5 (5:4)",
                "process names must be unique, line 6 (6:3)",
            ]
        );
        assert_eq!(problems(b"# only\n"), ["no entries found in Procfile (1:1)"]);
        assert_eq!(problems(b"web: a\0b\n"), ["invalid character in procfile, line 1 (1:7)"]);
    }

    #[test]
    fn the_limits_are_refused_clearly() {
        let long = format!("web: {}\n", "a".repeat(MAX_LINE_BYTES));
        assert_eq!(problems(long.as_bytes()), ["line 1 is too long (1:1)"]);
        assert_eq!(problems(&vec![b'\n'; MAX_FILE_BYTES + 1]), ["procfile is too large: over 16 MiB (1:1)"]);
        let many = Procfile::parse("x\n".repeat(5000).as_bytes()).expect_err("broken");
        assert_eq!((many.problems().len(), many.omitted()), (MAX_PROBLEMS, 4000));
    }
}
