//! Parses the command lines with which verbs, roots and init systems start this program. The option parser is not used for
//! them, because the memory that it uses would stay allocated as long as an app runs, once per app. All other command lines
//! go to the option parser.

use std::ffi::OsString;
use std::path::PathBuf;

use ps_root::HOLD_OUTPUT;
use ps_supervisor::{Begin, CAN_GO_ON, GOES_ON, NOTHING_LIVES};

/// The mode that a command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Keeps the processes of an app alive.
    Service {
        /// Its service directory.
        directory: PathBuf,
        /// The soft limit of open files of its processes.
        open_files: Option<u64>,
        /// How the supervisor begins.
        begin: Begin,
    },
    /// Checks whether this program could continue with the content of a service directory. The exit status is the
    /// result.
    Candidate {
        /// The directory.
        service: PathBuf,
    },
    /// Prepares the cgroup of a systemd unit, whose root has ended, for the next root.
    ClearUnit,
    /// Holds the outputs of all apps, for clients that connect to the socket at its stdin.
    Holder {
        /// The directory of the service directories.
        services: PathBuf,
    },
    /// Keeps the supervisors of a world alive.
    Root {
        /// The world's `DOKKU_LIB_ROOT`.
        lib: PathBuf,
        /// Whether the root exits when no app needs it.
        is_while_needed: bool,
    },
}

impl Asked {
    /// Parses a command line of one of these modes; `None` if it is none. A path must be absolute.
    pub(crate) fn of(words: impl Iterator<Item = OsString>) -> Option<Self> {
        let words: Vec<OsString> = words.take(5).collect();
        let service = |directory: &OsString, open_files, begin| Self::Service {
            directory: directory.into(),
            open_files,
            begin,
        };
        let limit = |limit: &OsString| limit.to_str()?.parse().ok();
        let asked = match words.as_slice() {
            [option] if option == "--clear-unit" => Self::ClearUnit,
            [option, services] if option == HOLD_OUTPUT => Self::Holder { services: services.into() },
            [directory] => service(directory, None, Begin::Usual),
            [option, lib] if option == "--root" => Self::Root { lib: lib.into(), is_while_needed: false },
            [option, service] if option == CAN_GO_ON => Self::Candidate { service: service.into() },
            [directory, option] if option == GOES_ON => service(directory, None, Begin::GoesOn),
            [directory, clear] if clear == NOTHING_LIVES => service(directory, None, Begin::Clear),
            [while_needed, option, lib] if while_needed == "--while-needed" && option == "--root" => {
                Self::Root { lib: lib.into(), is_while_needed: true }
            }
            [directory, option, files] if option == "--open-files" => {
                service(directory, Some(limit(files)?), Begin::Usual)
            }
            [directory, clear, option, files] if clear == NOTHING_LIVES && option == "--open-files" => {
                service(directory, Some(limit(files)?), Begin::Clear)
            }
            _ => return None,
        };
        Some(asked).filter(|asked| asked.path().is_none_or(|path| path.is_absolute()))
    }

    fn path(&self) -> Option<&PathBuf> {
        match self {
            Self::Service { directory, .. } | Self::Candidate { service: directory } => Some(directory),
            Self::Root { lib, .. } => Some(lib),
            Self::Holder { services } => Some(services),
            Self::ClearUnit => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Option<Asked> {
        Asked::of(words.iter().map(OsString::from))
    }

    #[test]
    fn the_words_of_programs_are_read_and_those_of_people_are_left_to_the_parser() {
        let service =
            |open_files, begin| Some(Asked::Service { directory: "/srv/shop".into(), open_files, begin });
        assert_eq!(of(&["/srv/shop"]), service(None, Begin::Usual));
        assert_eq!(of(&["/srv/shop", "--goes-on"]), service(None, Begin::GoesOn));
        assert_eq!(of(&["/srv/shop", "--nothing-lives"]), service(None, Begin::Clear));
        assert_eq!(of(&["/srv/shop", "--open-files", "1024"]), service(Some(1024), Begin::Usual));
        let both = ["/srv/shop", "--nothing-lives", "--open-files", "1024"];
        assert_eq!(of(&both), service(Some(1024), Begin::Clear));
        assert_eq!(of(&["--can-go-on", "/srv/shop"]), Some(Asked::Candidate { service: "/srv/shop".into() }));
        let root = |is_while_needed| Some(Asked::Root { lib: "/srv/lib".into(), is_while_needed });
        assert_eq!(of(&["--root", "/srv/lib"]), root(false));
        assert_eq!(of(&["--while-needed", "--root", "/srv/lib"]), root(true));
        let holder = Asked::Holder { services: "/srv/lib/data".into() };
        assert_eq!(of(&["--hold-output", "/srv/lib/data"]), Some(holder));
        assert_eq!(of(&["--clear-unit"]), Some(Asked::ClearUnit));
        for words in [
            &[][..],
            &["."],
            &["--help"],
            &["web"],
            &["/srv/shop", "web"],
            &["/srv/shop", "--open-files", "many"],
            &["--root", "lib"],
            &["/srv/shop", "--goes-on", "--open-files", "1024"],
        ] {
            assert_eq!(of(words), None, "{words:?}");
        }
    }
}
