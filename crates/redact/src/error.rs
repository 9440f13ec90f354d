//! Why a document was refused. No variant contains text of the document, because errors are printed and passed on.

/// The deepest nesting of arrays and objects that is read.
pub const MAX_DEPTH: usize = 128;

/// A document that could not be sanitised. Offsets are bytes from the start of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The input contains no JSON value at all.
    #[error("no JSON in the input: pipe the output of `docker inspect` in")]
    Empty,
    /// The input is not UTF-8, which RFC 8259 asks for.
    #[error("not UTF-8 at byte {0}: save the document as UTF-8 and try again")]
    NotUtf8(usize),
    /// The input is UTF-16, as PowerShell's `>` writes it.
    #[error("UTF-16: save the document as UTF-8 and try again")]
    Utf16,
    /// The input is not JSON.
    #[error("not JSON at byte {0}: {1}")]
    NotJson(usize, &'static str),
    /// Arrays and objects are nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {max} at byte {0}: no inspect document is", max = MAX_DEPTH)]
    TooDeep(usize),
    /// The input is 4 GiB or more.
    #[error("larger than 4 GiB: inspect fewer objects at a time")]
    TooLarge,
    /// A value at the top level is neither an object nor an array.
    #[error("neither an array nor an object at byte {0}: this is no inspect document")]
    NotADocument(usize),
    /// The result still contained something that must not be shown, which is a bug of this program.
    #[error("the final check found something that must not be shown: nothing is printed, please report it")]
    SelfCheck,
    /// The sink refused the text.
    #[error("the sanitised text could not be written")]
    Sink,
}

impl From<std::fmt::Error> for Error {
    fn from(_: std::fmt::Error) -> Self {
        Self::Sink
    }
}
