//! A text file that an exporter writes line by line.

use std::fmt::{Arguments, Write as _};

/// The text so far.
#[derive(Default)]
pub(crate) struct Draft(String);

impl Draft {
    /// Adds text, for example `draft.put(format_args!("{key}={value}\n"))`.
    pub(crate) fn put(&mut self, text: Arguments<'_>) {
        // A string takes what is written to it.
        let _ = self.0.write_fmt(text);
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// Whether nothing was added yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The whole text.
    pub(crate) fn finish(self) -> String {
        self.0
    }
}
