//! The two forms in which JSON is written.

/// How a document is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// One document, sorted keys, indented by four blanks, as Dokku prints it. Several become an array.
    #[default]
    Pretty,
    /// One document a line; an array becomes a line for each element.
    Lines,
}
