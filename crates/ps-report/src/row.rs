//! One row of a report: everything that is known about one app, or about `--global`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;

/// What is shown for a value that could not be found out.
pub(crate) const UNKNOWN: &str = "unknown";

/// The values by flag. What could not be read is named in `errors`.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// The name of the app, or `--global`.
    pub(crate) name: String,
    /// The values by flag; the flag includes its `--`.
    pub(crate) values: BTreeMap<Cow<'static, str>, String>,
    /// The errors while reading, each with its reason.
    pub(crate) errors: Vec<String>,
    /// The differences between what is wanted and what runs.
    pub(crate) gaps: Vec<String>,
    /// Whether some value is [`UNKNOWN`] although nothing failed to be read.
    pub(crate) has_unknown: bool,
}

impl Row {
    /// A row without values.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Adds a value, or notes the reason why it is unknown.
    pub(crate) fn set(&mut self, flag: &'static str, value: Result<String, impl Display>) {
        let value = value.unwrap_or_else(|error| {
            self.fail(error.to_string());
            UNKNOWN.to_owned()
        });
        self.values.insert(Cow::Borrowed(flag), value);
    }

    /// Notes an error. The same error is noted once.
    pub(crate) fn fail(&mut self, error: String) {
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// All errors in one line; `None` without errors.
    pub(crate) fn error(&self) -> Option<String> {
        (!self.errors.is_empty()).then(|| self.errors.join("; "))
    }

    /// Whether every value is known.
    pub(crate) fn is_whole(&self) -> bool {
        self.errors.is_empty() && !self.has_unknown
    }

    /// The errors, and the differences between what is wanted and what runs, a line for each.
    pub(crate) fn complaints(self) -> Vec<String> {
        self.errors.iter().chain(&self.gaps).map(|text| format!("{}: {text}", self.name)).collect()
    }
}
