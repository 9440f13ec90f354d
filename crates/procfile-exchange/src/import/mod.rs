//! Configurations of other process managers, read into a Procfile, a formation and variables. A setting for which a Procfile has no
//! place is left out with a note; nothing is left out silently. Nothing in the input can add a line of its own: the Procfile is
//! parsed again and compared before it is returned.

mod command;
mod compose;
mod directory;
mod environment;
mod error;
mod found;
mod gather;
mod imported;
mod instances;
pub(crate) mod node;
mod pm2;
mod pm2_apps;
mod pm2_asked;
mod pm2_dump;
mod pm2_setting;
mod pm2_shared;
mod pm2_values;
mod process_compose;
mod supervisord;
mod surroundings;
mod systemd;
mod unit;
mod unit_family;
mod unit_words;
pub(crate) mod words;
pub(crate) mod yaml;

use crate::import::gather::Gathering;

pub use error::{ImportError, MAX_IMPORT_BYTES};
pub use imported::{Imported, UnknownKey, Whole};
pub use pm2_apps::{pm2_apps, pm2_beside_apps};
pub use surroundings::{ReadFile, Surroundings};

/// The process manager whose configuration is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// A Compose file.
    Compose,
    /// pm2: its process file, in YAML, JSON, or JSON with comments and keys without quotes, as pm2 reads it; or the processes that
    /// `pm2 save` wrote to `dump.pm2`.
    Pm2,
    /// process-compose's configuration.
    ProcessCompose,
    /// supervisord's configuration.
    Supervisord,
    /// systemd: one unit, or several, each behind a line that names its file.
    Systemd,
}

impl Manager {
    /// The manager with this name on the command line.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "compose" => Some(Self::Compose),
            "pm2" => Some(Self::Pm2),
            "process-compose" => Some(Self::ProcessCompose),
            "supervisord" => Some(Self::Supervisord),
            "systemd" => Some(Self::Systemd),
            _ => None,
        }
    }

    /// The manager whose file has this name; `None` if the name does not tell.
    pub fn of_file(name: &str) -> Option<Self> {
        let by_name = [Self::Compose, Self::Pm2, Self::ProcessCompose, Self::Supervisord];
        let of_name = |manager: &Self| {
            let names = manager.usual_names().iter();
            names.map(|usual| usual.rsplit('/').next().unwrap_or(usual)).any(|usual| usual == name)
        };
        let by_ending =
            || (name.ends_with(".service") && name.len() > ".service".len()).then_some(Self::Systemd);
        by_name.into_iter().find(of_name).or_else(by_ending)
    }

    /// The names that the files of this manager usually have, the most usual first. There are none for systemd, where each unit has its
    /// own name.
    pub fn usual_names(self) -> &'static [&'static str] {
        match self {
            Self::Compose => &["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"],
            Self::Pm2 => &["ecosystem.json", "pm2.json", "process.json", "processes.json", "dump.pm2"],
            Self::ProcessCompose => &["process-compose.yaml", "process-compose.yml"],
            Self::Supervisord => &["supervisord.conf", "etc/supervisord.conf"],
            Self::Systemd => &[],
        }
    }

    /// Reads a configuration without anything around it: files that it names are not read, and commands enter no directories; there is
    /// a note for each. `name` is the name of the file, which a unit has if the text gives it no other; `app` and a dash are cut
    /// off the names of processes.
    ///
    /// ```
    /// use procfile_exchange::import::Manager;
    ///
    /// let text = b"services: {web: {command: [bin/serve, --name, a b], deploy: {replicas: 2}}}";
    /// let read = Manager::Compose.read("compose.yaml", "", text)?;
    /// assert_eq!(read.procfile, b"web: bin/serve --name 'a b'\n");
    /// assert_eq!(read.formation.get("web").map(|count| count.get()), Some(2));
    /// # Ok::<(), procfile_exchange::import::ImportError>(())
    /// ```
    pub fn read(self, name: &str, app: &str, bytes: &[u8]) -> Result<Imported, ImportError> {
        self.read_in(
            &Surroundings { name, app, files: None, enter_directories: false, whole: None, sharing: None },
            bytes,
        )
    }

    /// Reads a configuration with what is around it, so that files that it names can be read and commands can enter directories.
    ///
    /// ```
    /// use procfile_exchange::import::{Manager, Surroundings};
    ///
    /// let text = br#"{"apps": [{"name": "mail", "script": "bin/mail", "cwd": "workers", "interpreter": "none"}]}"#;
    /// let around =
    ///     Surroundings { name: "pm2.json", app: "", files: None, enter_directories: true, whole: None, sharing: None };
    /// assert_eq!(Manager::Pm2.read_in(&around, text)?.procfile, b"mail: cd workers && bin/mail\n");
    /// # Ok::<(), procfile_exchange::import::ImportError>(())
    /// ```
    pub fn read_in(self, around: &Surroundings<'_>, bytes: &[u8]) -> Result<Imported, ImportError> {
        if bytes.len() > MAX_IMPORT_BYTES {
            return Err(ImportError::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ImportError::NotText)?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.contains('\0') {
            return Err(ImportError::NotText);
        }
        let mut gathering = Gathering::of(around);
        match self {
            Self::Compose => compose::read(&mut gathering, around.files, without_header(text))?,
            Self::Pm2 => pm2::read(&mut gathering, without_header(text))?,
            Self::ProcessCompose => {
                process_compose::read(&mut gathering, around.files, without_header(text))?;
            }
            Self::Supervisord => supervisord::read(&mut gathering, around.files, without_header(text))?,
            Self::Systemd => systemd::read(&mut gathering, around.name, text)?,
        }
        gathering.finish()
    }
}

/// The text without the line `==> path <==` that `export --stdout` and `tail -v` put before it.
fn without_header(text: &str) -> &str {
    match text.split_once('\n') {
        Some((first, rest)) if first.starts_with("==> ") && first.ends_with(" <==") => rest,
        _ => text,
    }
}
