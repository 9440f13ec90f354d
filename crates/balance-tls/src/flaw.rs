//! Why a certificate is refused.

use std::path::PathBuf;

use durable::ReadError;
use jiff::Timestamp;

/// Why a certificate is not taken. Each names the file that is to be mended.
#[derive(Debug, thiserror::Error)]
pub enum Flaw {
    /// A file cannot be read.
    #[error("{}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ReadError,
    },
    /// There is no certificate in the file.
    #[error("{}: there is no certificate in it (-----BEGIN CERTIFICATE-----)", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// There is no key in the file.
    #[error("{}: there is no private key in it (-----BEGIN PRIVATE KEY-----)", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// The key cannot be read without a password.
    #[error("{}: the key is encrypted: store it without a password (openssl pkey -in … -out …)", path.display())]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// A block that is labelled as a certificate or a key cannot be parsed as one.
    #[error("{}: it is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The message of the parser.
        reason: String,
    },
    /// Its time is over.
    #[error("{}: the certificate for {names} has expired on {until}", path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// The names that it is for.
        names: String,
        /// When.
        until: Timestamp,
    },
    /// Its time has not come.
    #[error("{}: the certificate for {names} is not valid before {from}", path.display())]
    TooEarly {
        /// The file.
        path: PathBuf,
        /// The names that it is for.
        names: String,
        /// When that is.
        from: Timestamp,
    },
    /// The key is that of another certificate.
    #[error("{}: it is not the key of the first certificate in {}", key.display(), certificate.display())]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// Nothing was named.
    #[error("no certificate was named")]
    Nothing,
    /// The library for TLS refuses to be set up.
    #[error("set up TLS: {0}")]
    Setup(String),
}
