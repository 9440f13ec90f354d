//! Units of other process managers, made from a Procfile. All files are rendered in memory before the first is written, so that
//! after an error there is none.

mod compose;
mod draft;
mod error;
pub(crate) mod held;
mod job;
mod kubernetes;
mod label;
mod launchd;
mod limits;
mod openrc;
mod output;
mod quadlet;
mod runit;
mod s6;
mod supervisord;
mod systemd;
mod sysv;
mod text;
mod upstart;
mod yaml;

use std::collections::BTreeSet;

pub use error::ExportError;
pub use job::{Instance, Job, MAX_INSTANCES, Settings};
pub use limits::{Limit, Resource};
pub use output::Output;
pub use text::{AbsolutePath, Name, Text};

/// The longest name of a file, in bytes.
const MAX_FILE_NAME: usize = 255;

/// A format that units are exported to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// systemd, for the system.
    Systemd,
    /// systemd, for one user.
    SystemdUser,
    /// runit's service directories.
    Runit,
    /// launchd's property lists.
    Launchd,
    /// Upstart's jobs.
    Upstart,
    /// System V init scripts.
    Sysv,
    /// A configuration of supervisord.
    Supervisord,
    /// s6's service directories.
    S6,
    /// OpenRC's service scripts.
    OpenRc,
    /// A Compose file.
    Compose,
    /// Podman's Quadlet units.
    Quadlet,
    /// Kubernetes Deployments.
    Kubernetes,
}

impl Format {
    /// The format of a name on the command line.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "systemd" => Some(Self::Systemd),
            "systemd-user" => Some(Self::SystemdUser),
            "runit" => Some(Self::Runit),
            "launchd" => Some(Self::Launchd),
            "upstart" => Some(Self::Upstart),
            "sysv" => Some(Self::Sysv),
            "supervisord" => Some(Self::Supervisord),
            "s6" => Some(Self::S6),
            "openrc" => Some(Self::OpenRc),
            "compose" => Some(Self::Compose),
            "quadlet" => Some(Self::Quadlet),
            "kubernetes" => Some(Self::Kubernetes),
            _ => None,
        }
    }

    /// Renders a job. No two files of the result have the same path.
    pub fn render(self, job: &Job) -> Result<Vec<Output>, ExportError> {
        let outputs = match self {
            Self::Systemd => systemd::render(job),
            Self::SystemdUser => systemd::render_for_user(job),
            Self::Runit => runit::render(job)?,
            Self::Launchd => launchd::render(job),
            Self::Upstart => upstart::render(job)?,
            Self::Sysv => sysv::render(job),
            Self::Supervisord => supervisord::render(job)?,
            Self::S6 => s6::render(job),
            Self::OpenRc => openrc::render(job)?,
            Self::Compose => compose::render(job),
            Self::Quadlet => quadlet::render(job),
            Self::Kubernetes => kubernetes::render(job)?,
        };
        let names = outputs.iter().flat_map(|output| output.path.split('/'));
        if let Some(long) = names.into_iter().find(|name| name.len() > MAX_FILE_NAME) {
            return Err(ExportError::LongName(long.to_owned()));
        }
        let mut paths = BTreeSet::new();
        match outputs.iter().find(|output| !paths.insert(output.path.as_str())) {
            Some(twice) => Err(ExportError::SharedPath(twice.path.clone())),
            None => Ok(outputs),
        }
    }

    /// A line for each name that the format cannot express, with the name that replaces it.
    pub fn renamed(self, job: &Job) -> Vec<String> {
        match self {
            Self::Kubernetes => kubernetes::notes(job),
            // All of these take every character that the names of apps and process types can have.
            Self::Systemd
            | Self::SystemdUser
            | Self::Runit
            | Self::Launchd
            | Self::Upstart
            | Self::Sysv
            | Self::Supervisord
            | Self::S6
            | Self::OpenRc
            | Self::Compose
            | Self::Quadlet => Vec::new(),
        }
    }

    /// Whether the format has a place for resource limits.
    pub fn limits(self) -> bool {
        !matches!(self, Self::Supervisord | Self::Compose | Self::Kubernetes | Self::Quadlet)
    }

    /// The flags that this format has no place for.
    pub fn ignores(self) -> &'static [&'static str] {
        match self {
            Self::Systemd => &["home", "image", "run"],
            Self::SystemdUser => &["group", "image", "run", "user"],
            Self::Runit => &["description", "home", "image", "run", "timeout"],
            Self::Launchd => &["description", "home", "image", "prestart", "run"],
            Self::Upstart | Self::Sysv | Self::OpenRc => &["home", "image"],
            Self::Supervisord => &["description", "group", "home", "image", "nice", "run"],
            Self::S6 => &["description", "home", "image", "run"],
            Self::Compose | Self::Kubernetes => {
                &["description", "group", "home", "log-path", "nice", "prestart", "run", "user"]
            }
            Self::Quadlet => &["group", "home", "log-path", "nice", "prestart", "run", "user"],
        }
    }
}
