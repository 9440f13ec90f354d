//! [`sanitize`], which decides about a whole document, and [`Sanitized`], which writes the result.

use std::fmt::Write;

use crate::Error;
use crate::collect::{Collected, collect};
use crate::document::Document;
use crate::layout::Layout;
use crate::memo::Memo;
use crate::policy::Policy;
use crate::render::{Nothing, Renderer, Summary};
use crate::treat::Treatment;

/// A document of which every string is either shown or masked; it can be written.
pub struct Sanitized<'a> {
    document: Document<'a>,
    treatment: Treatment,
    found: Collected,
    summary: Summary,
}

/// Decides about every string, key and number of a document (one value, or several as in JSON lines), and checks the
/// result. Any doubt about the input is an error; then nothing of the document can be written.
pub fn sanitize(input: &[u8], policy: Policy) -> Result<Sanitized<'_>, Error> {
    if is_utf16(input) {
        return Err(Error::Utf16);
    }
    let text = std::str::from_utf8(input).map_err(|error| Error::NotUtf8(error.valid_up_to()))?;
    let document = Document::parse(text)?;
    let treatment = Treatment::new(policy);
    let found = collect(&document, &treatment);
    let mut sanitized = Sanitized { document, treatment, found, summary: Summary::default() };
    sanitized.check()?;
    Ok(sanitized)
}

/// Whether the input begins with the byte order mark of UTF-16, or with one ASCII character in two bytes.
fn is_utf16(input: &[u8]) -> bool {
    matches!(input, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'{' | b'[', 0, ..] | [0, b'{' | b'[', ..])
}

impl Sanitized<'_> {
    /// Writes the document, with a line feed at its end.
    pub fn write(&mut self, layout: Layout, out: impl Write) -> Result<(), Error> {
        let mut renderer = Renderer {
            doc: &self.document,
            treatment: &self.treatment,
            found: &mut self.found,
            out,
            layout,
            checking: None,
            path: Vec::new(),
            depth: 0,
            touched: Memo::new(),
        };
        renderer.document()
    }

    /// What was masked, and where.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Whether nothing had to be masked.
    pub fn is_clean(&self) -> bool {
        self.summary.counts.is_empty()
    }

    /// How many values stand at the top level: more than one in JSON lines.
    pub fn documents(&self) -> usize {
        self.document.roots().len()
    }

    fn check(&mut self) -> Result<(), Error> {
        let mut renderer = Renderer {
            doc: &self.document,
            treatment: &self.treatment,
            found: &mut self.found,
            out: Nothing,
            layout: Layout::Pretty,
            checking: Some(&mut self.summary),
            path: Vec::new(),
            depth: 0,
            touched: Memo::new(),
        };
        renderer.document()
    }
}
