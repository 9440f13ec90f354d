//! What an import knows in addition to the text of a configuration.

/// Reads a file by the path in a configuration; a path with `*`, `?` or `[` in it names all files that match, one after the other. The error
/// says why a file cannot be read.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> Result<Vec<u8>, String>;

/// What is known about a configuration beside its text: its name, the app, and the files around it.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The name of the file, which a unit of systemd has if the text gives it no other.
    pub name: &'a str,
    /// The app: this and a dash are cut off the names of processes (`shop-web` of the app `shop` becomes `web`).
    pub app: &'a str,
    /// How files that the configuration names are read. With `None` they are not read, and there is a note.
    pub files: Option<ReadFile<'a>>,
    /// Whether a command that starts in a directory of its own gets a `cd` in front. If not, there is a note.
    pub enter_directories: bool,
    /// If the configuration is applied as a whole: the absolute path of the directory of the file, to which relative paths
    /// refer. Then settings of process types are read too, variables that differ between processes are kept apart, and unknown
    /// keys are listed. `None`: there is a note for everything that has no place in a Procfile.
    pub whole: Option<&'a str>,
    /// Words to put before the command of a Node program whose instances share the ports that they ask for (pm2's cluster mode), such as
    /// `ps-node --share DIRECTORY`. Further options, `--` and the command follow. `None`: there is a note for such a program.
    pub sharing: Option<&'a [String]>,
}
