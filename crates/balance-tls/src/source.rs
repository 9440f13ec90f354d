//! The paths of a certificate and its key.

use std::path::{Path, PathBuf};

/// The names of both files in a directory, as Dokku has them for each app.
const CERTIFICATE: &str = "server.crt";
const KEY: &str = "server.key";

/// The two files of a certificate, both in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The certificate, and after it those that lead from it to its authority.
    pub certificate: PathBuf,
    /// Its private key, not encrypted.
    pub key: PathBuf,
}

impl Source {
    /// `server.crt` and `server.key` of a directory.
    pub fn of_directory(directory: &Path) -> Self {
        Self { certificate: directory.join(CERTIFICATE), key: directory.join(KEY) }
    }
}
