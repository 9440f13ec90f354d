//! Our own records in JSON, each of which contains the number of its format.

use std::path::Path;

use durable::ReadError;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Error;

/// A kind of record.
pub(crate) struct Formatted {
    /// The number of the format that is written now, and the highest that is read.
    pub(crate) format: u32,
    /// How large a file may be.
    pub(crate) max_bytes: u64,
    /// The remedy for a file that cannot be read, as part of the error message.
    pub(crate) cure: &'static str,
}

impl Formatted {
    /// Reads a record; `None` if the file does not exist.
    ///
    /// # Errors
    /// The file cannot be read, is damaged, or is of a later version.
    pub(crate) fn read<T: DeserializeOwned>(&self, path: &Path) -> Result<Option<T>, Error> {
        let damaged = |reason: &dyn std::fmt::Display| self.damaged(path, reason);
        let bytes = match durable::state(path, self.max_bytes) {
            Ok(bytes) => bytes,
            Err(ReadError::Missing) => return Ok(None),
            Err(ReadError::Io(error)) => return Err(Error::io("read", path, error)),
            Err(error) => return Err(damaged(&error)),
        };
        // The format number is checked first, because a record of a later format need not have these fields.
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| damaged(&error))?;
        if let Some(format) = value["format"].as_u64().filter(|format| *format > self.format.into()) {
            return Err(corrupt(path, format!("format {format} is of a later version: use that version")));
        }
        serde_json::from_value(value).map(Some).map_err(|error| damaged(&error))
    }

    /// The error about a damaged file: what is wrong, and what to do.
    pub(crate) fn damaged(&self, path: &Path, reason: &dyn std::fmt::Display) -> Error {
        corrupt(path, format!("{reason}: {}", self.cure))
    }
}

fn corrupt(path: &Path, reason: String) -> Error {
    Error::Corrupt { path: path.to_owned(), line: None, reason }
}
