//! The result of reading a Compose file.

use std::collections::BTreeMap;
use std::fmt::Display;

use formation::ProcessType;
use serde_json::Value;

use crate::import::{ImportError, UnknownKey};

/// The surroundings of the file.
pub struct Around<'a> {
    /// The directory of the file, by its whole path: relative paths begin there.
    pub directory: &'a str,
    /// The name before the names of volumes, such as the app's.
    pub project: &'a str,
    /// The value of a variable, by which `${NAME}` is replaced.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Reads a file that the Compose file names. The error says why it cannot be read.
    pub file: &'a dyn Fn(&str) -> Result<Vec<u8>, String>,
}

/// The result of reading a Compose file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Composed {
    /// Its services, in their order.
    pub services: Vec<Service>,
    /// A line for each thing that is not carried over.
    pub notes: Vec<String>,
    /// Unknown keys; each is in a note as well.
    pub unknown: Vec<UnknownKey>,
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub process_type: ProcessType,
    /// Its image; where it is built too, the name that the built one would have.
    pub image: Option<String>,
    /// What it is built from.
    pub build: Option<Build>,
    /// How many instances are wanted.
    pub replicas: Option<u16>,
    /// What can be set for a process type, by the names of the settings.
    pub settings: BTreeMap<String, String>,
    /// The port that it listens on, if the file names one.
    pub port: Option<u16>,
    /// The description of its containers: the body of the engine's call that creates one, as far as the file defines
    /// it.
    pub container: Value,
}

/// What a service is built from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Build {
    /// The directory, by its whole path.
    pub directory: String,
    /// The Dockerfile in it.
    pub dockerfile: String,
    /// Values of the arguments.
    pub arguments: BTreeMap<String, String>,
    /// The stage to end with; empty: the last one.
    pub target: String,
}

/// Why a Compose file is not deployed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// It is no Compose file.
    #[error(transparent)]
    File(#[from] ImportError),
    /// Something in it makes no sense, or would change what is run if it were left out.
    #[error("{place}: {reason}")]
    Refused {
        /// Where: `services.web.build`.
        place: String,
        /// What is wrong, and what to do.
        reason: String,
    },
}

impl ComposeError {
    pub(crate) fn at(place: impl Display, reason: impl Display) -> Self {
        Self::Refused { place: place.to_string(), reason: reason.to_string() }
    }
}
