//! The files and directories that an exporter renders. Nothing is written here: the program does that, after all were rendered.

/// A directory or file to be made, below the output location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The words that the program prints before the path, once the file is written: `writing: `.
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
