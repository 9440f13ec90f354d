//! The user and the limits of a process, as set for its type, that have to be applied before its command begins. Our own
//! program applies them between fork and exec ([`crate::launch`]); a type without such settings is started without that
//! step.

mod priority;
mod private_tmp;
mod rights;

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use env_files::Environment;
use os_process::{Account, Identity, Unknown};
use rustix::fs::{FileType, Mode, fchown, fstat};
use rustix::process::{Gid, Resource, Rlimit, Uid, getrlimit, setrlimit};
use type_settings::{Account as Name, Limit, Switch, TypeSettings};

/// The kernel's limit of open files for one process, which no setting can exceed.
const MOST_FILES: &str = "/proc/sys/fs/nr_open";
const OOM_SCORE: &str = "/proc/self/oom_score_adj";

/// The user and the limits of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confinement(TypeSettings);

impl Confinement {
    /// The settings that a process has to apply to itself; `None` if it has none of them.
    pub fn of(settings: &TypeSettings) -> Option<Self> {
        let mut of_process = settings.of_process();
        // What is off needs no step of its own.
        for switch in [&mut of_process.no_new_privileges, &mut of_process.private_tmp] {
            *switch = switch.filter(|switch| switch.is_on());
        }
        Some(of_process).filter(|settings| !settings.is_empty()).map(Self)
    }

    /// If the process cannot see a path, the directory above it that is hidden.
    pub fn hides(&self, path: &Path) -> Option<&'static Path> {
        self.0.private_tmp.filter(|switch| switch.is_on()).and_then(|_| private_tmp::hides(path))
    }

    /// The settings as one argument for our launching program.
    pub(crate) fn word(&self) -> String {
        serde_json::to_string(&self.0).expect("an object of texts")
    }

    /// Reads what [`Confinement::word`] wrote; `None` for the empty word.
    ///
    /// # Errors
    /// The word cannot be read. The caller must not run the command then, because it would run without its limits.
    pub(crate) fn read(word: &str) -> Result<Option<Self>, serde_json::Error> {
        if word.is_empty() { Ok(None) } else { serde_json::from_str(word).map(Self).map(Some) }
    }

    /// The user and group that the process takes on; `None`: those of the supervisor.
    ///
    /// # Errors
    /// There is no such user or group.
    pub(crate) fn identity(&self) -> Result<Option<Identity>, Unknown> {
        let (user, group) = (self.0.user.as_ref(), self.0.group.as_ref());
        if user.is_none() && group.is_none() {
            return Ok(None);
        }
        Identity::of(user.map(Name::as_str), group.map(Name::as_str)).map(Some)
    }

    /// Applies everything to this process: first the steps that may need root, then the user, and `no-new-privileges` last.
    ///
    /// # Errors
    /// What could not be applied, and why.
    pub(crate) fn enter(&self) -> Result<(), (String, io::Error)> {
        let identity =
            self.identity().map_err(|unknown| ("find its user".to_owned(), io::Error::other(unknown)))?;
        self.enter_priorities()?;
        self.enter_limits()?;
        if self.0.private_tmp.is_some_and(Switch::is_on) {
            private_tmp::enter().map_err(|why| ("make a private /tmp".to_owned(), why))?;
        }
        if let Some(identity) = identity.filter(|identity| !identity.is_own()) {
            for stream in [io::stdout().as_fd(), io::stderr().as_fd()] {
                give(stream, &identity);
            }
            let number = identity.user();
            identity.assume().map_err(|why| (format!("become user {number}"), why))?;
        }
        if self.0.no_new_privileges.is_some_and(Switch::is_on) {
            rustix::thread::set_no_new_privs(true)
                .map_err(|why| ("give up new privileges".to_owned(), why.into()))?;
        }
        Ok(())
    }

    fn enter_priorities(&self) -> Result<(), (String, io::Error)> {
        let settings = &self.0;
        if let Some(score) = settings.oom_score_adj {
            std::fs::write(OOM_SCORE, score.to_string())
                .map_err(|why| (format!("take oom-score-adj {score}"), why))?;
        }
        if let Some(nice) = settings.nice {
            let nicety = i32::try_from(nice.get()).expect("20 at most");
            rustix::process::setpriority_process(None, nicety)
                .map_err(|why| (format!("take nice {nice}"), why.into()))?;
        }
        if let Some(wanted) = settings.io_priority {
            priority::take(wanted).map_err(|why| (format!("take io-priority {wanted}"), why))?;
        }
        Ok(())
    }

    fn enter_limits(&self) -> Result<(), (String, io::Error)> {
        let settings = &self.0;
        if let Some(files) = settings.limit_nofile {
            limit(Resource::Nofile, files_of(files))
                .map_err(|why| (format!("take limit-nofile {files}"), why))?;
        }
        if let Some(core) = settings.limit_core {
            limit(Resource::Core, core.get()).map_err(|why| (format!("take limit-core {core}"), why))?;
        }
        if let Some(umask) = settings.umask {
            rustix::process::umask(Mode::from_raw_mode(umask.bits()));
        }
        Ok(())
    }
}

/// Gives the output's file to the user: only its owner may open it again by name (`/dev/stderr`), which some programs do.
fn give(stream: BorrowedFd<'_>, identity: &Identity) {
    if fstat(stream).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo) {
        // If this fails, only such a program notices.
        let _ = fchown(stream, Some(Uid::from_raw(identity.user())), Some(Gid::from_raw(identity.group())));
    }
}

fn limit(resource: Resource, most: Option<u64>) -> io::Result<()> {
    Ok(setrlimit(resource, Rlimit { current: most, maximum: most })?)
}

/// The number for setrlimit(2). The kernel has no word for "unlimited" here, so that is the largest number it allows.
pub(crate) fn files_of(files: Limit) -> Option<u64> {
    let most = || std::fs::read_to_string(MOST_FILES).ok()?.trim().parse().ok();
    files.get().or_else(most).or_else(|| getrlimit(Resource::Nofile).maximum)
}

/// Sets `HOME`, `USER` and the other variables that follow from the user, unless a file sets them.
///
/// # Errors
/// There is no such user.
pub(crate) fn name_user(environment: &mut Environment, settings: &TypeSettings) -> Result<(), Unknown> {
    let Some(user) = &settings.user else { return Ok(()) };
    let account = Account::of(user.as_str()).ok_or_else(|| Unknown::User(user.to_string()))?;
    let name: OsString = account.name.into();
    for (variable, value) in
        [("HOME", account.home), ("USER", name.clone()), ("LOGNAME", name), ("SHELL", account.shell)]
    {
        if environment.place_of(variable.as_ref()).is_none() {
            environment.set(variable, value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_arrives_as_a_word_and_nothing_set_is_no_confinement() {
        let settings: TypeSettings =
            serde_json::from_str(r#"{"nice":"5","port":"3000","umask":"077"}"#).expect("settings");
        let confinement = Confinement::of(&settings).expect("something is set");
        assert_eq!(confinement.word(), r#"{"nice":"5","umask":"077"}"#);
        assert_eq!(Confinement::read(&confinement.word()).expect("a word"), Some(confinement));
        let other: TypeSettings = serde_json::from_str(r#"{"port":"3000"}"#).expect("settings");
        assert_eq!(Confinement::of(&other), None);
        assert_eq!(Confinement::read("").expect("nothing"), None);
        assert!(Confinement::read("{").is_err());
    }
}
