//! The problems of a Procfile. All of them are reported, each with its place, in the order of the lines. Each message
//! begins with the words of Dokku's own tool, because people and scripts look for those words.

use std::collections::HashSet;
use std::fmt;

use crate::circumstances::Circumstances;
use crate::excerpt::{self, Excerpt};
use crate::options::ParseOptions;
use crate::problem_kind::ProblemKind;
use crate::text::NotText;

/// How many problems are kept. Further ones are only counted.
pub const MAX_PROBLEMS: usize = 1000;

/// One problem and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub kind: ProblemKind,
    /// The line, from 1; 1 for a problem of the whole file.
    pub line: usize,
    /// The column, from 1, in characters.
    pub column: usize,
    /// The line as text. Of a line over 200 characters, the part around the column is shown, with `…` for what was
    /// cut. Empty for a problem of the whole file.
    pub text: String,
    /// The column in `text`, from 1, in characters; at most one behind the end of the text.
    pub caret: usize,
    pub(crate) circumstances: Circumstances,
}

/// A problem, and the offset of its byte in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: ProblemKind,
    pub(crate) line: usize,
    pub(crate) at: usize,
}

impl Fault {
    fn shown(self, bytes: &[u8]) -> Problem {
        let Excerpt { column, text, caret } = excerpt::excerpt(bytes, self.at);
        let circumstances = Circumstances::of(bytes, self.at);
        Problem { kind: self.kind, line: self.line, column, text, caret, circumstances }
    }
}

impl fmt::Display for Problem {
    /// The message as Dokku's tool words it: the problem, then its line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ProblemKind::LineTooLong => write!(f, "line {} is too long", self.line),
            ProblemKind::FileTooLarge | ProblemKind::NoEntries => f.write_str(self.kind.words()),
            ProblemKind::Utf16 => write!(f, "{}, line {}: {}", self.kind.words(), self.line, NotText::Utf16),
            kind => write!(f, "{}, line {}", kind.words(), self.line),
        }
    }
}

/// Why a text is not a legal Procfile: at least one problem, in the order of the lines. It displays as the first one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems[0])]
pub struct ParseError {
    problems: Vec<Problem>,
    omitted: usize,
}

impl ParseError {
    /// Keeps the first [`MAX_PROBLEMS`]. The faults must be in the order of the lines, and there must be at least
    /// one.
    pub(crate) fn new(bytes: &[u8], faults: &[Fault], uncounted: usize) -> Self {
        assert!(!faults.is_empty(), "an error has a reason");
        let kept = &faults[..faults.len().min(MAX_PROBLEMS)];
        let problems = kept.iter().map(|fault| fault.shown(bytes)).collect();
        Self { problems, omitted: uncounted + faults.len() - kept.len() }
    }

    /// Removes each proposal whose name another line already has. `names` are the names of all lines that have one.
    pub(crate) fn refuse_taken<'a>(&mut self, names: impl Iterator<Item = &'a [u8]>, options: &ParseOptions) {
        let proposed: Vec<Option<String>> =
            self.problems.iter().map(|problem| problem.proposed_name(options)).collect();
        let wanted: HashSet<&[u8]> = proposed.iter().flatten().map(String::as_bytes).collect();
        let mut taken: HashSet<&[u8]> = names.filter(|name| wanted.contains(name)).collect();
        for (problem, name) in self.problems.iter_mut().zip(&proposed) {
            let Some(name) = name else { continue };
            problem.circumstances.name_is_taken = !taken.insert(name.as_bytes());
        }
    }

    /// A problem that concerns the whole file.
    pub(crate) fn whole(kind: ProblemKind) -> Self {
        let problem = Problem {
            kind,
            line: 1,
            column: 1,
            text: String::new(),
            caret: 1,
            circumstances: Circumstances::default(),
        };
        Self { problems: vec![problem], omitted: 0 }
    }

    /// All problems that were kept, in the order of the lines; never empty.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// How many further problems were counted but not kept.
    pub fn omitted(&self) -> usize {
        self.omitted
    }
}
