//! The variables of a process: initial ones, those of env files, and those that are set last. A value need not be UTF-8. A variable
//! that no process could get is refused here by name, before a process is started.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use durable::ReadError;
use procfile::{EnvFile, Grammar, Reading};
use rustix::process::Resource;

/// The largest env file that is read, in bytes.
pub const MAX_ENV_FILE_BYTES: u64 = 1 << 20;

/// How much room the command line of a process takes in addition to its variables, at most.
const RESERVED_BYTES: usize = 160 << 10;
/// The room that Linux gives to any process for its command line and its variables, whatever the limit of its stack: 6 MiB, and at
/// least 128 KiB.
const MOST_BYTES: usize = 6 << 20;
const LEAST_BYTES: usize = 128 << 10;
/// The shortest value that [`Environment::hide`] removes, in bytes.
const LEAST_HIDDEN: usize = 6;

/// The variables of a process, each with the place where it was set.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, Variable>,
    warnings: Vec<String>,
}

#[derive(Clone)]
struct Variable {
    value: OsString,
    /// File and line, if the variable is from a file.
    from: Option<(PathBuf, usize)>,
}

impl Environment {
    /// These variables, which are from no file.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            environment.set(name, value);
        }
        environment
    }

    /// Sets a variable.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.variables.insert(name.into(), Variable { value: value.into(), from: None });
    }

    /// Adds the variables of an env file of a person or of Dokku; a missing file has none.
    ///
    /// # Errors
    /// The path, the line if there is one, and the problem.
    pub fn read_file(&mut self, path: &Path, grammar: Grammar) -> Result<(), String> {
        match durable::input(path, MAX_ENV_FILE_BYTES) {
            Ok(bytes) => self.add(path, &bytes, grammar),
            // A dangling link is an error and not a missing file: it was made for variables that the processes need.
            Err(ReadError::Missing) if path.is_symlink() => {
                Err(format!("{}: is a symbolic link to a file that is not there", path.display()))
            }
            Err(ReadError::Missing) => Ok(()),
            Err(error) => Err(format!("{}: {error}", path.display())),
        }
    }

    /// Adds the variables of an env file with these bytes. Messages call the file `path`.
    ///
    /// # Errors
    /// The path, the line if there is one, and the problem.
    pub fn add(&mut self, path: &Path, bytes: &[u8], grammar: Grammar) -> Result<(), String> {
        let known = |name: &[u8]| self.get(OsStr::from_bytes(name)).map(|value| value.as_bytes().to_vec());
        let file = EnvFile::parse_with(bytes, &Reading { grammar, known: &known })
            .map_err(|error| error.in_file(path))?;
        self.warnings.extend(file.warnings().iter().map(|odd| format!("{}, {odd}", path.display())));
        for (name, value) in file.iter_bytes() {
            let from = file.line_of(name).map(|line| (path.to_owned(), line));
            let value = OsString::from_vec(value.to_vec());
            self.variables.insert(OsString::from_vec(name.to_vec()), Variable { value, from });
        }
        self.check()
    }

    /// The value of a variable.
    pub fn get(&self, name: &OsStr) -> Option<&OsStr> {
        self.variables.get(name).map(|variable| variable.value.as_os_str())
    }

    /// Names and values, in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(name, variable)| (name.as_os_str(), variable.value.as_os_str()))
    }

    /// A text without the values of these variables. Values of less than six bytes and paths stay, because without its numbers and
    /// files a text would say nothing.
    pub fn hide(&self, text: &str) -> String {
        let is_told = |value: &&str| value.len() >= LEAST_HIDDEN && !value.starts_with('/');
        let values = self.iter().filter_map(|(_, value)| value.to_str()).filter(is_told);
        values.fold(text.to_owned(), |text, value| text.replace(value, "[redacted]"))
    }

    /// The names of the variables that are from a file.
    pub fn names_from_files(&self) -> impl Iterator<Item = &OsStr> {
        let from_file = self.variables.iter().filter(|(_, variable)| variable.from.is_some());
        from_file.map(|(name, _)| name.as_os_str())
    }

    /// Warnings about unusual lines of the files, each with path, line and name.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The file and the line of a variable, if it is from a file.
    pub fn place_of(&self, name: &OsStr) -> Option<(&Path, usize)> {
        let (path, line) = self.variables.get(name)?.from.as_ref()?;
        Some((path, *line))
    }

    /// A variable for a message: its name, and file and line if it is from a file.
    pub fn place(&self, name: &OsStr) -> String {
        match self.place_of(name) {
            Some((path, line)) => format!("{}, line {line}: {}", path.display(), name.display()),
            None => format!("the variable {}", name.display()),
        }
    }

    /// Whether a process can be given these variables.
    ///
    /// # Errors
    /// The name of the variable that is too large, with file and line.
    pub fn check(&self) -> Result<(), String> {
        // Linux: 32 pages for one string, its NUL included.
        let most = 32 * rustix::param::page_size();
        let size = |(name, value): (&OsStr, &OsStr)| name.len() + value.len() + 2;
        if let Some((name, value)) = self.iter().find(|pair| size(*pair) > most) {
            let (place, len) = (self.place(name), value.len().div_ceil(1024));
            let most = most / 1024;
            return Err(format!(
                "{place} has a value of {len} KiB: a process can be given {most} KiB of one variable"
            ));
        }
        let pointer = size_of::<usize>();
        let total: usize = self.iter().map(|pair| size(pair) + pointer).sum();
        let stack = rustix::process::getrlimit(Resource::Stack).current;
        let quarter = stack.map_or(MOST_BYTES, |stack| usize::try_from(stack / 4).unwrap_or(MOST_BYTES));
        let room = quarter.clamp(LEAST_BYTES, MOST_BYTES).saturating_sub(RESERVED_BYTES).max(LEAST_BYTES / 2);
        match self.iter().max_by_key(|pair| size(*pair)) {
            Some((largest, _)) if total > room => Err(format!(
                "the variables are {} KiB, and a process can be given {}: the largest is {}",
                total.div_ceil(1024),
                room / 1024,
                self.place(largest)
            )),
            _ => Ok(()),
        }
    }
}

impl IntoIterator for Environment {
    type Item = (OsString, OsString);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        let pairs = self.variables.into_iter().map(|(name, variable)| (name, variable.value));
        pairs.collect::<Vec<_>>().into_iter()
    }
}

impl std::fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.variables.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_gives_no_value_away_and_keeps_its_numbers_and_paths() {
        let variables = [("PIN", "1234"), ("TOKEN", "hunter-two"), ("HOME", "/srv/app")];
        let environment = Environment::new(variables.map(|(name, value)| (name.into(), value.into())));
        let said = "check db: exit status 1234: hunter-two is wrong in /srv/app";
        assert_eq!(environment.hide(said), "check db: exit status 1234: [redacted] is wrong in /srv/app");
    }
}
