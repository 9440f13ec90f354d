//! The result of an import.

use formation::Formation;

/// The result of an import.
#[derive(Clone, PartialEq, Eq)]
pub struct Imported {
    /// The Procfile; empty if no process type was found.
    pub procfile: Vec<u8>,
    /// How many instances of each type are wanted, in the order of the Procfile.
    pub formation: Formation,
    /// An env file; empty if there is no variable.
    pub env_file: Vec<u8>,
    /// A line for each thing that the Procfile and the env file cannot hold, without control characters and without values of variables.
    pub notes: Vec<String>,
}

impl std::fmt::Debug for Imported {
    /// The env file is left out, because it may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let procfile = String::from_utf8_lossy(&self.procfile);
        f.debug_struct("Imported")
            .field("procfile", &procfile)
            .field("notes", &self.notes)
            .finish_non_exhaustive()
    }
}
