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
    /// A key that is damaged in itself, or of a kind with which no certificate can be shown.
    #[error(
        "{}: the key is damaged, or of a kind that cannot be used: it has to be of RSA with 2048 bits or more, of ECDSA \
         with the curve P-256 or P-384, or of Ed25519", path.display()
    )]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// A certificate of an early version of X.509, which has no names that clients would compare.
    #[error(
        "{}: the certificate is of X.509 version {version}, and has to be of version 3: have it issued with extensions, \
         such as subjectAltName (openssl x509 -req -extfile …)", path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// 1 or 2.
        version: u8,
    },
    /// The file ends in the middle of a block.
    #[error("{}: it is cut off: the line {end} is missing", path.display())]
    CutOff {
        /// The file.
        path: PathBuf,
        /// The line with which the block should end.
        end: String,
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

impl Flaw {
    /// The message, and after it what has caused it.
    pub fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut reason = std::error::Error::source(self);
        while let Some(source) = reason {
            text = format!("{text}: {source}");
            reason = source.source();
        }
        text
    }
}
