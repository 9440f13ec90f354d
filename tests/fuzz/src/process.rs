//! A process that a configuration has, as the readers of this library understand it.

/// What runs under a name.
#[derive(Clone, Debug)]
pub struct Process {
    /// Its name.
    pub name: String,
    /// Its words, variables marked as [`super::sh::variable`] does it; `None` if they are not understood.
    pub argv: Option<Vec<String>>,
    /// A line for a shell, instead of words.
    pub script: Option<String>,
    /// Its variables; a value of `None` is one that the manager fills in.
    pub environment: Option<Vec<(String, Option<String>)>>,
    /// How many there are.
    pub count: Option<u64>,
}
