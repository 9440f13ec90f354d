//! The source trees of apps that are deployed by a push: `src/<revision>` in the service directory. A tree exists as a
//! whole or not at all, and is never changed while processes run from it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use durable::{Access, Directory};
use ps_apps::state_file;
use ps_scheduler::Error;
use ps_service::{Service, backend};
use ps_supervisor::Spec;

const TREES: &str = "src";
/// The prefix of files in `src` that are no trees.
const NOTE: &str = ".deploy.";
const COPY: &str = ".copy";
const LONGEST_NAME: usize = 64;

/// The source tree of a deploy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// None: the deploy uses the source that exists already.
    Nothing,
    /// A tree that was refused or is not complete.
    Incomplete,
    /// A complete tree.
    Tree(PathBuf),
}

/// The source trees of one app.
#[derive(Clone, Debug)]
pub struct SourceTrees {
    service: Service,
    directory: PathBuf,
}

impl SourceTrees {
    pub(crate) fn of(service: Service) -> Self {
        let directory = service.directory.join(TREES);
        Self { service, directory }
    }

    /// Records that the deploy of that name brings a tree that is not complete yet. Removes source trees of earlier deploys that
    /// were not finished.
    pub fn begin(&self, deploy: &str) -> Result<(), Error> {
        for name in self.names()?.iter().filter(|name| name.starts_with(NOTE) || *name == COPY) {
            self.remove(name)?;
        }
        self.note(deploy, "")
    }

    /// Copies `tree`, which is not changed, and returns the path of the copy. The copy is named `revision`, unless that
    /// is not a valid file name or is in use.
    pub fn keep(&self, tree: &Path, deploy: &str, revision: &str) -> Result<PathBuf, Error> {
        let name = self.free_name(revision)?;
        let staged = self.directory.join(COPY);
        self.copy(tree, &staged)
            .map_err(|reason| self.failed(&format!("copy {}", tree.display()), &reason))?;
        let kept = self.directory.join(&name);
        fs::rename(&staged, &kept).map_err(|error| self.failed("keep the copy", &error))?;
        self.note(deploy, &name)?;
        Ok(kept)
    }

    /// The source tree that the deploy of that name has brought.
    pub fn pushed(&self, deploy: &str) -> Result<Pushed, Error> {
        let note = state_file::read_text(&self.directory.join(format!("{NOTE}{deploy}")), false);
        match note.map_err(|error| self.failed("read what was pushed", &error))? {
            None => Ok(Pushed::Nothing),
            Some(name) if name.is_empty() => Ok(Pushed::Incomplete),
            Some(name) => Ok(Pushed::Tree(self.directory.join(name))),
        }
    }

    /// Ends the deploy of that name: its tree is removed, unless the app runs from it.
    pub fn end(&self, deploy: &str) -> Result<(), Error> {
        self.remove(&format!("{NOTE}{deploy}"))?;
        self.retire().map(drop)
    }

    /// Removes every tree except the one that the app runs from and those of deploys in progress; returns the names of the
    /// removed ones.
    pub(crate) fn retire(&self) -> Result<Vec<String>, Error> {
        let names = self.names()?;
        let mut kept = vec![durable::STAGE.to_owned()];
        for note in names.iter().filter(|name| name.starts_with(NOTE)) {
            let noted = state_file::read_text(&self.directory.join(note), false);
            kept.extend(noted.map_err(|error| self.failed("read what was pushed", &error))?);
            kept.extend([note.clone(), COPY.to_owned()]);
        }
        let spec = self.service.spec()?;
        let runs_from = |tree: &Path| {
            let is_it = |spec: &Spec| spec.directory == tree || spec.typed.as_deref() == Some(tree);
            spec.as_ref().is_some_and(is_it)
        };
        let mut removed = Vec::new();
        for name in names {
            let is_used = kept.contains(&name) || runs_from(&self.directory.join(&name));
            if !is_used {
                self.remove(&name)?;
                removed.extend((name != COPY).then(|| format!("{TREES}/{name}")));
            }
        }
        Ok(removed)
    }

    fn note(&self, deploy: &str, name: &str) -> Result<(), Error> {
        let lib = self.service.world.lib();
        let written = Directory::open(lib, &self.directory).and_then(|directory| {
            directory.write(&format!("{NOTE}{deploy}"), name.as_bytes(), Access::like(lib, 0o600))
        });
        written.map_err(|error| self.failed("note what was pushed", &error))
    }

    /// Copies everything that a tree can contain: links stay links, and modes and times are kept.
    fn copy(&self, tree: &Path, to: &Path) -> Result<(), String> {
        let copied = Command::new("cp").args(["-a", "-T", "--"]).arg(tree).arg(to).output();
        let copied = copied.map_err(|error| format!("run cp: {error}"))?;
        if !copied.status.success() {
            let said = String::from_utf8_lossy(&copied.stderr);
            return Err(said.lines().next().map_or_else(|| copied.status.to_string(), str::to_owned));
        }
        let directory = fs::File::open(&self.directory).map_err(|error| error.to_string())?;
        rustix::fs::syncfs(&directory).map_err(|errno| errno.to_string())
    }

    fn free_name(&self, revision: &str) -> Result<String, Error> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let is_usable = !revision.is_empty() && !revision.starts_with('.') && revision.chars().all(is_name);
        let name = if is_usable && revision.len() <= LONGEST_NAME { revision } else { "pushed" };
        let taken = self.names()?;
        let numbered = (2..).map(|n: u32| format!("{name}.{n}"));
        let mut names = std::iter::once(name.to_owned()).chain(numbered);
        Ok(names.find(|name| !taken.contains(name)).expect("there are more numbers than trees"))
    }

    fn names(&self) -> Result<Vec<String>, Error> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(|error| self.failed("read its source trees", &error))?,
        };
        Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    /// Removes all source trees. No process of the app may run any more.
    pub(crate) fn remove_all(&self) -> Result<(), Error> {
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.failed(&format!("remove {}", self.directory.display()), &error))
            }
            _ => Ok(()),
        }
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.directory.join(name);
        let is_tree = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
        let removed = if is_tree { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(self.failed(&format!("remove {}", path.display()), &error))
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, what: &str, reason: &dyn std::fmt::Display) -> Error {
        backend(format!("{what} for {}", self.service.app), reason)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use ps_apps::World;

    use super::*;

    fn source_trees(place: &Path) -> SourceTrees {
        fs::create_dir_all(place.join("lib")).expect("a directory");
        let world = World::new(place.join("home"), place.join("lib"));
        SourceTrees::of(Service::of(&world, &"shop".parse().expect("a legal name"), None))
    }

    fn pushed(place: &Path) -> PathBuf {
        let tree = place.join("tree");
        fs::create_dir_all(tree.join("bin")).expect("a directory");
        fs::write(tree.join("bin/run"), "#!/bin/sh\n").expect("a file");
        fs::set_permissions(tree.join("bin/run"), fs::Permissions::from_mode(0o755)).expect("a mode");
        symlink("/nowhere", tree.join("link")).expect("a link");
        tree
    }

    #[test]
    fn a_tree_is_copied_as_it_is_and_never_onto_another() {
        let place = tempfile::tempdir().expect("a directory");
        let (trees, tree) = (source_trees(place.path()), pushed(place.path()));
        assert_eq!(trees.pushed("7").expect("readable"), Pushed::Nothing);
        trees.begin("7").expect("begun");
        assert_eq!(trees.pushed("7").expect("readable"), Pushed::Incomplete);
        let first = trees.keep(&tree, "7", "abc123").expect("kept");
        assert_eq!(trees.pushed("7").expect("readable"), Pushed::Tree(first.clone()));
        assert!(first.ends_with("src/abc123"));
        let mode = fs::metadata(first.join("bin/run")).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o755);
        assert_eq!(fs::read_link(first.join("link")).expect("a link"), Path::new("/nowhere"));
        trees.begin("8").expect("begun");
        assert_eq!(trees.pushed("7").expect("readable"), Pushed::Nothing);
        let second = trees.keep(&tree, "8", "abc123").expect("kept");
        assert!(second.ends_with("src/abc123.2"), "{}", second.display());
        for revision in ["", "../x", ".git", "a b", &"x".repeat(65)] {
            let kept = trees.keep(&tree, "8", revision).expect("kept");
            let name = kept.file_name().expect("a name").to_string_lossy().into_owned();
            assert!(name.starts_with("pushed"), "{revision:?} became {name}");
        }
        assert_eq!(trees.retire().expect("retired").len(), 6, "the last one is being deployed");
        trees.end("8").expect("ended");
        assert_eq!(trees.names().expect("readable"), [".stage"], "nothing runs from any of them");
    }

    #[test]
    fn a_tree_that_cannot_be_copied_is_not_there() {
        let place = tempfile::tempdir().expect("a directory");
        let trees = source_trees(place.path());
        trees.begin("7").expect("begun");
        let error = trees.keep(&place.path().join("none"), "7", "abc").expect_err("there is nothing");
        assert!(error.to_string().contains("none"), "{error}");
        assert_eq!(trees.pushed("7").expect("readable"), Pushed::Incomplete);
    }
}
