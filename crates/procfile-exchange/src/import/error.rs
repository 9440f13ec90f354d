//! Why a configuration is not read at all. Where only one process cannot be imported, there is a note, and the others are imported.

/// The largest configuration that is read, in bytes: 4 MiB.
pub const MAX_IMPORT_BYTES: usize = 4 << 20;

/// Why nothing was imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// More than [`MAX_IMPORT_BYTES`].
    #[error("is over 4 MiB")]
    TooLarge,
    /// The bytes are not UTF-8.
    #[error("is not UTF-8 text, or holds a NUL")]
    NotText,
    /// A pm2 configuration in JavaScript, which is a program and is not run.
    #[error(
        "is JavaScript, which only node can read: node -p 'JSON.stringify(require(\"./ecosystem.config.js\"))' > ecosystem.json, and import that"
    )]
    JavaScript,
    /// The text is not of the format.
    #[error("is no {0}: {1}")]
    Syntax(&'static str, String),
    /// The generated Procfile is parsed differently from what was meant, which is a bug of this program.
    #[error("gives no Procfile that reads back")]
    Unfaithful,
}
