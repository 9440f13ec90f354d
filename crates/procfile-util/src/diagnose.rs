//! Shows the problems of a Procfile in the form that suits the reader. At a terminal a person sees the line with a
//! caret and a proposal; a pipe gets the bare messages that scripts look for; CI gets JSON or annotations.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use procfile::{Advice, ParseError, ParseOptions, Warning};
use serde::Serialize;

use crate::talk::{self, Failure};

/// A problem or a warning, with its place in a file.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) code: &'static str,
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) message: String,
    pub(crate) expected: String,
    pub(crate) suggestion: Option<String>,
    #[serde(skip)]
    pub(crate) text: String,
    /// The column in `text`. It differs from `column` if the line is long, because `text` is then only a part of the
    /// line.
    #[serde(skip)]
    pub(crate) caret: usize,
}

/// The code for a file that could not be read.
const UNREADABLE: &str = "unreadable";

impl Finding {
    /// A file that could not be read.
    pub(crate) fn unreadable(message: String) -> Self {
        Self {
            severity: Severity::Error,
            code: UNREADABLE,
            line: 1,
            column: 1,
            message,
            expected: "a file that can be read".to_owned(),
            suggestion: None,
            text: String::new(),
            caret: 1,
        }
    }
}

impl From<&Warning> for Finding {
    fn from(warning: &Warning) -> Self {
        Self {
            severity: Severity::Warning,
            code: warning.kind.code(),
            line: warning.line,
            column: warning.column,
            message: warning.to_string(),
            expected: warning.kind.advice(),
            suggestion: None,
            text: warning.text.clone(),
            caret: warning.caret,
        }
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    Error,
    Warning,
}

impl Severity {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// All problems of a Procfile that was refused.
pub(crate) fn errors(refused: &ParseError, options: &ParseOptions) -> Vec<Finding> {
    let finding = |problem: &procfile::Problem| {
        let Advice { expected, replacement } = problem.advice(options);
        Finding {
            severity: Severity::Error,
            code: problem.kind.code(),
            line: problem.line,
            column: problem.column,
            message: problem.to_string(),
            expected,
            suggestion: replacement,
            text: problem.text.clone(),
            caret: problem.caret,
        }
    };
    refused.problems().iter().map(finding).collect()
}

/// The error of a command that needs a legal Procfile. In a pipe it shows only the first problem, as the original
/// does; at a terminal it shows all.
pub(crate) fn failure(path: &OsStr, refused: &ParseError, options: &ParseOptions) -> anyhow::Error {
    if !io::stderr().is_terminal() {
        return Failure::lines(vec![refused.to_string()]);
    }
    let colored = talk::colored();
    let shown = errors(refused, options).iter().map(|finding| rich(path, finding, colored)).collect();
    Failure::shown(shown)
}

/// A finding in one line, for a pipe. A problem is shown in exactly the words of the original, because scripts look
/// for them.
pub(crate) fn plain(finding: &Finding) -> String {
    match finding.severity {
        Severity::Error => finding.message.clone(),
        Severity::Warning => format!("warning: {}: {}", finding.message, label(finding)),
    }
}

/// A finding with its line, a caret and a proposal.
pub(crate) fn rich(path: &OsStr, finding: &Finding, colored: bool) -> String {
    let head = match finding.severity {
        Severity::Error => talk::prefixed(&finding.message, colored),
        Severity::Warning => talk::prefixed(&format!("warning: {}", finding.message), colored),
    };
    if finding.code == UNREADABLE {
        return head;
    }
    if finding.text.is_empty() {
        return format!("{head}\n     {}: {}", path.display(), label(finding));
    }
    let is_whole = finding.caret == finding.column;
    let origin = path.to_string_lossy();
    let snippet = Snippet::source(finding.text.as_str())
        .line_start(finding.line)
        .path(is_whole.then_some(origin.as_ref()))
        .annotation(AnnotationKind::Primary.span(span(&finding.text, finding.caret)).label(label(finding)));
    let level = if finding.severity == Severity::Error { Level::ERROR } else { Level::WARNING };
    let mut group = Group::with_level(level).element(snippet);
    let help = finding.suggestion.as_ref().map(|meant| format!("write `{meant}`"));
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let renderer = if colored { Renderer::styled() } else { Renderer::plain() };
    let report = renderer.render(&[group]);
    if is_whole {
        return format!("{head}\n{report}");
    }
    // The renderer is given only a part of the line, and would count columns from the beginning of that part.
    let margin = " ".repeat(finding.line.to_string().len());
    format!("{head}\n{margin}--> {origin}:{}:{}\n{report}", finding.line, finding.column)
}

fn label(finding: &Finding) -> String {
    match finding.severity {
        Severity::Error => format!("expected {}", finding.expected),
        Severity::Warning => finding.expected.clone(),
    }
}

/// The bytes of the character at a column; an empty range at the end of the text if the column is behind it.
fn span(text: &str, column: usize) -> std::ops::Range<usize> {
    match text.char_indices().nth(column.saturating_sub(1)) {
        Some((at, c)) => at..at + c.len_utf8(),
        None => text.len()..text.len(),
    }
}

/// A finding as a workflow command that GitHub turns into an annotation.
pub(crate) fn github(path: &OsStr, finding: &Finding) -> String {
    let property = |text: &str| escape(text).replace(':', "%3A").replace(',', "%2C");
    let mut line = format!(
        "::{} file={},line={},col={},title={}::",
        finding.severity.word(),
        property(&path.to_string_lossy()),
        finding.line,
        finding.column,
        property(finding.code),
    );
    line.push_str(&escape(&format!("{}: {}", finding.message, label(finding))));
    if let Some(meant) = &finding.suggestion {
        // Writing to a string cannot fail.
        let _ = write!(line, "{}", escape(&format!("; write `{meant}`")));
    }
    line
}

/// Escapes text inside a workflow command.
fn escape(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}
