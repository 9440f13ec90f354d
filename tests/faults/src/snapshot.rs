//! What lies in a tree: every file with its mode and bytes. Lock files and journals are left out, because they say who came
//! last and when; so is the time of a kept release.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A file as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Permission bits.
    pub mode: u32,
    /// Content; a symlink's is where it points.
    pub bytes: Vec<u8>,
}

/// Files by path, relative to the root of the tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot(pub BTreeMap<PathBuf, Entry>);

impl Snapshot {
    /// Reads the tree below `root`.
    pub fn of(root: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        collect(root, root, &mut files)?;
        Ok(Self(files))
    }

    /// What a dead writer may leave: files in a `.stage` directory, and what procfile-util stages beside a file.
    pub fn staged(&self) -> Vec<&Path> {
        self.0.keys().map(PathBuf::as_path).filter(|path| is_staged(path)).collect()
    }

    /// Files that are not staged and that neither `old` nor `new` has.
    pub fn strangers(&self, old: &Self, new: &Self) -> Vec<&Path> {
        let known = |path: &&Path| old.0.contains_key(*path) || new.0.contains_key(*path);
        self.0.keys().map(PathBuf::as_path).filter(|path| !is_staged(path) && !known(path)).collect()
    }

    /// What differs from `other`, for a message: paths only.
    pub fn differs(&self, other: &Self) -> Vec<PathBuf> {
        let here = self.0.iter().filter(|(path, entry)| other.0.get(*path) != Some(entry));
        let gone = other.0.keys().filter(|path| !self.0.contains_key(*path));
        here.map(|(path, _)| path).chain(gone).cloned().collect()
    }
}

/// Copies a tree of directories and files, with modes.
pub fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    let mode = fs::metadata(from).with_context(|| format!("read {}", from.display()))?.mode() & 0o7777;
    fs::DirBuilder::new().mode(mode).create(to).with_context(|| format!("create {}", to.display()))?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).with_context(|| format!("copy to {}", target.display()))?;
        }
    }
    Ok(())
}

pub(crate) fn is_staged(path: &Path) -> bool {
    let is_beside = path.file_name().is_some_and(|name| {
        let name = name.as_encoded_bytes();
        name.starts_with(b".") && name.ends_with(b".procfile-util")
    });
    is_beside || path.parent().is_some_and(|parent| parent.ends_with(".stage"))
}

fn is_lock(path: &Path) -> bool {
    (is_staged(path) && path.ends_with("lock"))
        || path.extension().is_some_and(|extension| extension == "lock")
}

fn is_journal(path: &Path) -> bool {
    path.file_name().is_some_and(|name| {
        ["journal", "last-words.json", "decisions", "decisions.old"].iter().any(|one| name == *one)
    })
}

fn is_release(path: &Path) -> bool {
    path.parent().is_some_and(|parent| parent.ends_with("releases"))
}

/// JSON without the value of `at`.
fn without_time(json: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(json);
    let Some((before, time)) = text.split_once("\"at\":\"") else { return json.to_vec() };
    let after = time.split_once('"').map_or("", |(_, after)| after);
    format!("{before}\"at\":{after}").into_bytes()
}

fn collect(root: &Path, dir: &Path, files: &mut BTreeMap<PathBuf, Entry>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("read {}", dir.display()))? {
        let path = entry?.path();
        let metadata = path.symlink_metadata()?;
        if metadata.is_dir() {
            collect(root, &path, files)?;
            continue;
        }
        let relative = path.strip_prefix(root)?.to_owned();
        if is_lock(&relative) || is_journal(&relative) {
            continue;
        }
        let bytes = if metadata.is_symlink() {
            fs::read_link(&path)?.into_os_string().into_encoded_bytes()
        } else {
            fs::read(&path).with_context(|| format!("read {}", path.display()))?
        };
        let bytes = if is_release(&relative) { without_time(&bytes) } else { bytes };
        files.insert(relative, Entry { mode: metadata.permissions().mode() & 0o7777, bytes });
    }
    Ok(())
}
