//! What an exporter renders.

/// A directory or file to be made, below the output location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The words that are printed before its path when it was written.
    pub announcement: &'static str,
    /// Its path, without a leading `/`.
    pub path: String,
    /// Its permissions.
    pub mode: u32,
    /// The content; `None` for a directory.
    pub contents: Option<Vec<u8>>,
}

impl Output {
    pub(crate) fn file(path: String, mode: u32, contents: String) -> Self {
        Self { announcement: "writing: ", path, mode, contents: Some(contents.into_bytes()) }
    }
}
