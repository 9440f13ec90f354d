//! The result of reading a Compose file.

use std::collections::{BTreeMap, BTreeSet};
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
    /// The services that are meant.
    pub chosen: Chosen<'a>,
}

/// Which services of a file are meant.
#[derive(Clone, Copy, Debug)]
pub enum Chosen<'a> {
    /// All of them. Of those that only a profile starts, the named ones alone.
    All(&'a BTreeSet<String>),
    /// The named ones and, as `docker compose up SERVICE` does it, what they depend on, directly or not. The profiles of the named
    /// ones count as chosen.
    WithDependencies(&'a BTreeSet<String>),
    /// The named ones, as far as the file has them.
    Exactly(&'a BTreeSet<String>),
}

/// The result of reading a Compose file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Composed {
    /// The services that are meant, in their order.
    pub services: Vec<Service>,
    /// The names of all services of the file.
    pub names: BTreeSet<String>,
    /// The names of those that no profile has to start.
    pub usual: BTreeSet<String>,
    /// What comes along, each with a service that depends on it; empty unless dependencies were asked for.
    pub along: BTreeMap<String, String>,
    /// A line for each thing of the whole file that is not carried over.
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
    /// A line for each thing of it that is not carried over.
    pub notes: Vec<String>,
}

impl Composed {
    /// A line for each thing that is not carried over, of the whole file and of its services.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        let of_services = self.services.iter().flat_map(|service| &service.notes);
        self.notes.iter().chain(of_services).map(String::as_str)
    }
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
