//! What an exporter refuses. A value that a format cannot hold is an error that names the value: nothing is left out silently.

/// Why nothing is exported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// A name with a character that some format could not hold.
    #[error(
        "invalid {what}: {name:?}: use letters, digits, _ . @ and -, beginning with a letter, a digit or _"
    )]
    Name {
        /// What the name is for: the app, a user, a group.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A value that no unit can hold.
    #[error("{what} {why}")]
    Value {
        /// The value, as the error names it: `the command of web`, `variable A`.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// A variable whose name is no legal name of a shell's. Units run their commands by a shell, and shells drop such variables.
    #[error(
        "variable {0:?} of the env file would not arrive: units run their commands by a shell, and shells drop what has such a name; leave it out of the file that is exported"
    )]
    Variable(String),
    /// A limit that is not a number.
    #[error("invalid limit: --limit-{flag} {word:?}: use a whole number or unlimited")]
    Limit {
        /// The flag's name behind `--limit-`.
        flag: &'static str,
        /// What was given.
        word: String,
    },
    /// A port that does not exist.
    #[error("port {port} of {instance} is not between 1 and 65535")]
    Port {
        /// The instance, `<type>.<n>`.
        instance: String,
        /// The port that it would have.
        port: i64,
    },
    /// Two instances that would have the same port.
    #[error("port {port} belongs to {one} and to {other}: each type has 100 ports before those of the next")]
    SharedPort {
        /// The port.
        port: u16,
        /// The first instance that would have it.
        one: String,
        /// The second one.
        other: String,
    },
    /// Two process types that the format cannot keep apart.
    #[error("process types {one} and {other} would both be called {name} in Kubernetes: rename one of them")]
    SharedName {
        /// One of them.
        one: String,
        /// The other one.
        other: String,
        /// What both would be called.
        name: String,
    },
    /// A file whose name is longer than a file system permits.
    #[error("the file name {0} is over 255 bytes: use a shorter --app")]
    LongName(String),
    /// Two units that would be one file.
    #[error("two units want the file {0}: rename one of the process types")]
    SharedPath(String),
}
