//! `ports` in the root's directory: a symbolic link for each port that an app keeps, named after the port, whose target
//! is the name of the app. With it a start finds out by one call who has a port. Without it each start would read
//! `ports.json` of every app: a million reads when a thousand apps are restored.
//!
//! `ports.json` is authoritative, and a link only says where to look: if the app of a link does not keep the port, the
//! link is out of date and is replaced. If there is no index, it is built from the files of all apps, once. If it
//! cannot be used, for example because there is no root, those files are read at each start.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Component, Path, PathBuf};

use rustix::fs::FlockOperation;

use super::kept::Kept;
use crate::holder::ROOT;

const NAME: &str = "ports";
/// How often other apps may interfere with one claim.
const TRIES: u32 = 8;

/// The index of the ports of all apps.
#[derive(Debug)]
pub(super) struct Index {
    /// Where the service directories are.
    services: PathBuf,
    place: PathBuf,
}

/// Whose a port is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// That of the app that asked, from now on.
    Asker,
    /// Another app's.
    Other,
}

impl Index {
    /// The index beside a service directory. If it is missing, it is made from the records of the other apps. `None` if
    /// it cannot be made.
    pub(super) fn beside(service: &Path) -> Option<Self> {
        let services = service.parent()?.to_owned();
        let place = services.join(ROOT).join(NAME);
        if !place.is_dir() {
            let staged = place.with_file_name(format!("{NAME}.{}", std::process::id()));
            let made = make(&staged, service).and_then(|()| fs::rename(&staged, &place));
            if made.is_err() {
                let _ = fs::remove_dir_all(&staged);
                // Another supervisor may have made it meanwhile.
                return place.is_dir().then_some(Self { services, place });
            }
        }
        Some(Self { services, place })
    }

    /// Claims a port for an app that keeps it, unless another app does.
    ///
    /// # Errors
    /// The index cannot be read or written.
    pub(super) fn claim(&self, port: u16, app: &str) -> io::Result<Owner> {
        let link = self.place.join(port.to_string());
        for _ in 0..TRIES {
            match fs::read_link(&link) {
                Ok(named) if named == Path::new(app) => return Ok(Owner::Asker),
                Ok(named) if self.keeps(&named, port) => return Ok(Owner::Other),
                Ok(named) => self.remove(&link, &named)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => match symlink(app, &link) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => (),
                    made => return made.map(|()| Owner::Asker),
                },
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    /// Whether the app that a link names does keep the port.
    fn keeps(&self, named: &Path, port: u16) -> bool {
        let is_name = matches!(named.components().collect::<Vec<_>>()[..], [Component::Normal(_)]);
        is_name && Kept::read(&self.services.join(named)).all().any(|kept| kept == port)
    }

    /// Removes a link that is out of date, unless it was replaced meanwhile.
    fn remove(&self, link: &Path, named: &Path) -> io::Result<()> {
        let directory = File::open(&self.place)?;
        // Another process that holds the lock is about to remove the same link, so we do not wait for it.
        rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive)?;
        if fs::read_link(link).is_ok_and(|now| now == named) { fs::remove_file(link) } else { Ok(()) }
    }
}

/// Fills a new directory with the ports of all apps but that of `service`.
fn make(staged: &Path, service: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(staged)?;
    for other in others(service) {
        let Some(name) = other.file_name() else { continue };
        for port in Kept::read(&other).all() {
            match symlink(name, staged.join(port.to_string())) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                Ok(()) | Err(_) => (),
            }
        }
    }
    Ok(())
}

/// The service directories of all other apps. What begins with a dot belongs to no app.
pub(super) fn others(service: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = service.parent().map(fs::read_dir).into_iter().flatten().flatten().flatten();
    let is_apps =
        |path: &PathBuf| path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."));
    entries.map(|entry| entry.path()).filter(is_apps).filter(move |other| other != service)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// Apps that keep these ports.
    fn world(kept: &[(&str, u16)]) -> tempfile::TempDir {
        let parent = tempfile::tempdir().expect("a directory");
        fs::create_dir(parent.path().join(ROOT)).expect("made");
        for (app, port) in kept {
            keep(parent.path(), app, *port);
        }
        parent
    }

    fn keep(parent: &Path, app: &str, port: u16) {
        fs::create_dir_all(parent.join(app)).expect("made");
        let text = format!(r#"{{"format":1,"ports":{{"web.1":{{"own":{port}}}}}}}"#);
        fs::write(parent.join(app).join(super::super::kept::FILE), text).expect("written");
    }

    #[test]
    fn a_port_is_the_first_ones_that_keeps_it_and_a_link_that_is_out_of_date_counts_for_nothing() {
        let parent = world(&[("one", 5000), ("two", 5000), ("three", 5100)]);
        let index = |app: &str| Index::beside(&parent.path().join(app)).expect("it can be made");
        let claim = |app: &str, port: u16| index(app).claim(port, app).expect("it can be written");
        assert_eq!(claim("one", 5000), Owner::Other, "it was made from what the others keep");
        assert_eq!((claim("two", 5000), claim("three", 5100)), (Owner::Asker, Owner::Asker));
        assert_eq!((claim("one", 5100), claim("one", 5200)), (Owner::Other, Owner::Asker));
        keep(parent.path(), "two", 5001);
        assert_eq!(claim("one", 5000), Owner::Asker, "the other app has another one now");
        fs::remove_dir_all(parent.path().join("three")).expect("destroyed");
        assert_eq!(claim("one", 5100), Owner::Asker, "there is no such app any more");
        symlink("../two", parent.path().join(".root/ports/5300")).expect("made");
        assert_eq!(claim("one", 5300), Owner::Asker, "what names no app counts for nothing");
    }

    #[test]
    fn of_many_that_claim_a_port_at_once_one_has_it_also_where_a_link_is_out_of_date() {
        let apps: Vec<String> = (0..8).map(|number| format!("app{number}")).collect();
        let kept: Vec<(&str, u16)> = apps.iter().map(|app| (&**app, 5000)).collect();
        let parent = world(&kept);
        let index = Index::beside(&parent.path().join("none")).expect("it can be made");
        for is_stale in [true, false] {
            let link = parent.path().join(".root/ports/5000");
            let _ = fs::remove_file(&link);
            if is_stale {
                symlink("gone", &link).expect("made");
            }
            let claimed: Vec<io::Result<Owner>> = thread::scope(|scope| {
                let claims: Vec<_> = apps.iter().map(|app| scope.spawn(|| index.claim(5000, app))).collect();
                claims.into_iter().map(|claim| claim.join().expect("no panic")).collect()
            });
            let owners = claimed.iter().filter(|claimed| matches!(claimed, Ok(Owner::Asker))).count();
            assert_eq!(owners, 1, "{claimed:?}");
        }
    }
}
