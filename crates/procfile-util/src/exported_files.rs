//! Writes the files of an export. Every file is staged beside its place and synced to disk before the first one is
//! renamed. If one cannot be staged, none is written.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use procfile_exchange::export::Output;
use tempfile::NamedTempFile;

use crate::talk::words;

/// The path of an output as messages show it.
pub(crate) fn place(root: &str, path: &str) -> String {
    if root.is_empty() { path.to_owned() } else { format!("{root}/{path}") }
}

/// Writes all outputs below a directory.
pub(crate) fn write(root: &OsStr, outputs: &[Output]) -> Result<()> {
    let root = Path::new(root);
    let (mut staged, mut unmade) = (Vec::new(), None);
    for output in outputs {
        let path = root.join(&output.path);
        let failed = |why| creating(&path, &why);
        match &output.contents {
            // An error about a directory is reported only after all files were tried, because the original reports
            // the error of the first file.
            None => unmade = unmade.or(make_directory(&path, output.mode).map_err(failed).err()),
            Some(contents) => staged.push((stage(&path, contents, output.mode).map_err(failed)?, path)),
        }
    }
    unmade.map_or(Ok(()), Err)?;
    let mut directories: Vec<PathBuf> = Vec::new();
    for (file, path) in staged {
        file.persist(&path).map_err(|refused| creating(&path, &refused.error))?;
        directories.extend(path.parent().map(Path::to_owned));
    }
    directories.dedup();
    for directory in directories {
        File::open(&directory).and_then(|open| open.sync_all()).map_err(|why| creating(&directory, &why))?;
    }
    Ok(())
}

fn creating(path: &Path, why: &io::Error) -> anyhow::Error {
    anyhow!("error creating file: open {}: {}", path.display(), words(why))
}

fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(path)?;
    // A private directory gets its mode whatever the umask is. An ordinary one that exists keeps its mode.
    if mode == 0o700 { fs::set_permissions(path, Permissions::from_mode(mode)) } else { Ok(()) }
}

fn stage(path: &Path, contents: &[u8], mode: u32) -> io::Result<NamedTempFile> {
    let directory = path.parent().unwrap_or(Path::new("."));
    make_directory(directory, 0o755)?;
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let mut staged = tempfile::Builder::new().prefix(".procfile-util.").tempfile_in(directory)?;
    staged.write_all(contents)?;
    staged.as_file().set_permissions(Permissions::from_mode(mode))?;
    staged.as_file().sync_all()?;
    Ok(staged)
}
