//! One row of a report: everything that is known of one app, or of `--global`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Display;

use crate::subjects::complain;

/// What stands where a value could not be had.
pub(crate) const UNKNOWN: &str = "unknown";

/// Values by flag, as read; what could not be read is named in `errors`.
#[derive(Debug, Default)]
pub(crate) struct Row {
    /// The app, or `--global`.
    pub(crate) name: String,
    /// By flag, `--` and all.
    pub(crate) values: BTreeMap<Cow<'static, str>, String>,
    /// What could not be read, and why.
    pub(crate) errors: Vec<String>,
    /// Where what is wanted is not what runs.
    pub(crate) gaps: Vec<String>,
    /// Whether some value is [`UNKNOWN`] though the row could be read.
    pub(crate) has_unknown: bool,
}

impl Row {
    /// A row without values.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Adds a value, or the reason why it is unknown.
    pub(crate) fn set(&mut self, flag: &'static str, value: Result<String, impl Display>) {
        let value = value.unwrap_or_else(|error| {
            self.fail(error.to_string());
            UNKNOWN.to_owned()
        });
        self.values.insert(Cow::Borrowed(flag), value);
    }

    /// Notes why something could not be read, once.
    pub(crate) fn fail(&mut self, error: String) {
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }

    /// Every reason on one line, `None` if all could be read.
    pub(crate) fn error(&self) -> Option<String> {
        (!self.errors.is_empty()).then(|| self.errors.join("; "))
    }

    /// Whether every value is known.
    pub(crate) fn is_whole(&self) -> bool {
        self.errors.is_empty() && !self.has_unknown
    }

    /// Says on stderr what could not be read, and what is not as it was wanted.
    pub(crate) fn complain(&self) {
        for text in self.errors.iter().chain(&self.gaps) {
            complain(&format!("{}: {text}", self.name));
        }
    }
}
