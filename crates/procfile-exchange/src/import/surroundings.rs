//! What an import knows besides the text of a configuration.

/// Reads a file that a configuration names, by the path that stands there; the error says why it cannot.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

/// What is known about a configuration beside its text: its name, the app, and the files around it.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The name of its file, for a unit that has no other.
    pub name: &'a str,
    /// The app: this and a dash are cut off the names of processes (`shop-web` of the app `shop` becomes `web`).
    pub app: &'a str,
    /// Files that it names; `None`: they stay unread, and are noted.
    pub files: Option<ReadFile<'a>>,
    /// Whether a command that starts in a directory of its own begins with `cd`; it is noted otherwise.
    pub enter_directories: bool,
}
