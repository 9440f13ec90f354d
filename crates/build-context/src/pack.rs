//! Writes the archive: entries in the order of their names, so that equal directories give equal archives.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tar::{Builder, EntryType, Header};

use crate::Ignored;

/// A directory that is nested more deeply is regarded as a mistake.
const MAX_DEPTH: usize = 256;

/// The content of an archive.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// The directory.
    pub directory: PathBuf,
    /// The files that are left out.
    pub ignored: Ignored,
    /// The path in the archive below which the directory's content is put, such as `tree/`; empty: at the root.
    pub below: String,
    /// Files that are packed regardless of the rules, by their paths in the directory.
    pub always: Vec<String>,
    /// Files at the beginning of the archive, name and content. A file of the directory with the same name is left
    /// out.
    pub added: Vec<(String, Vec<u8>)>,
}

/// The result of packing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// The number of files.
    pub files: u64,
    /// The number of bytes of all files together.
    pub bytes: u64,
}

/// Why a directory could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A file could not be read.
    #[error("read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Directories are nested too deeply.
    #[error("{} is more than {MAX_DEPTH} directories deep", path.display())]
    TooDeep {
        /// The directory.
        path: PathBuf,
    },
    /// The name of a file is not UTF-8.
    #[error("the name of {} is not UTF-8: rename it, or have .dockerignore name its directory", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// The reader of the archive has gone, or the disk is full.
    #[error("write the archive")]
    Write(#[source] io::Error),
}

impl Context {
    /// Writes the archive.
    pub fn pack(&self, into: impl Write) -> Result<Packed, PackError> {
        let mut packing = Packing { context: self, builder: Builder::new(into), packed: Packed::default() };
        for (name, content) in &self.added {
            packing.add(name, content)?;
        }
        packing.directory(&self.directory, &mut Vec::new())?;
        packing.builder.into_inner().map_err(PackError::Write)?.flush().map_err(PackError::Write)?;
        Ok(packing.packed)
    }

    fn is_always(&self, path: &str) -> bool {
        self.always.iter().any(|always| always == path)
    }

    /// Whether this directory contains a file that is always packed.
    fn holds_always(&self, directory: &str) -> bool {
        self.always.iter().any(|path| path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/')))
    }
}

struct Packing<'a, W: Write> {
    context: &'a Context,
    builder: Builder<W>,
    packed: Packed,
}

impl<W: Write> Packing<'_, W> {
    /// Packs the content of a directory; `parts` are the names of the directories on its path.
    fn directory(&mut self, directory: &Path, parts: &mut Vec<String>) -> Result<(), PackError> {
        if parts.len() > MAX_DEPTH {
            return Err(PackError::TooDeep { path: directory.to_owned() });
        }
        let read = |source| PackError::Read { path: directory.to_owned(), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(directory).map_err(read)? {
            let path = entry.map_err(read)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
            names.push((name, path));
        }
        names.sort();
        for (name, path) in names {
            let Some(name) = name else {
                // In a directory that is left out, any name is permitted.
                return Err(PackError::NotText { path });
            };
            parts.push(name);
            let packed = self.entry(&path, parts);
            parts.pop();
            packed?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, parts: &mut Vec<String>) -> Result<(), PackError> {
        let metadata = match fs::symlink_metadata(path) {
            Ok(metadata) => metadata,
            // The file was removed after the directory was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(PackError::Read { path: path.to_owned(), source }),
        };
        let name = parts.join("/");
        let words: Vec<&str> = parts.iter().map(String::as_str).collect();
        let context = self.context;
        let is_out = context.ignored.leaves_out(&words) && !context.is_always(&name);
        if metadata.is_dir() {
            let may_hold = || context.ignored.may_take_in_below(&words) || context.holds_always(&name);
            if is_out && !may_hold() {
                return Ok(());
            }
            // If a file below is included, the directories on its path are needed.
            if !is_out || context.holds_always(&name) {
                self.write_directory(&name, &metadata)?;
            }
            return self.directory(path, parts);
        }
        if is_out {
            return Ok(());
        }
        self.write_file(path, &name, &metadata)
    }

    fn add(&mut self, name: &str, content: &[u8]) -> Result<(), PackError> {
        let mut header = Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        self.builder.append_data(&mut header, name, content).map_err(PackError::Write)
    }

    fn write_directory(&mut self, name: &str, metadata: &Metadata) -> Result<(), PackError> {
        let mut header = header(metadata, EntryType::Directory, 0);
        let name = format!("{}{name}/", self.context.below);
        self.builder.append_data(&mut header, name, io::empty()).map_err(PackError::Write)
    }

    fn write_file(&mut self, path: &Path, name: &str, metadata: &Metadata) -> Result<(), PackError> {
        let read = |source| PackError::Read { path: path.to_owned(), source };
        let name = format!("{}{name}", self.context.below);
        if self.context.added.iter().any(|(added, _)| *added == name) {
            return Ok(());
        }
        if metadata.is_symlink() {
            let target = fs::read_link(path).map_err(read)?;
            let mut header = header(metadata, EntryType::Symlink, 0);
            return self.builder.append_link(&mut header, name, target).map_err(PackError::Write);
        }
        if !metadata.is_file() {
            return Ok(());
        }
        let file = File::open(path).map_err(read)?;
        let size = file.metadata().map_err(read)?.len();
        let mut header = header(metadata, EntryType::Regular, size);
        // If the file grows meanwhile it is cut, and if it shrinks it is padded with zeros, so that the archive stays
        // valid.
        let content = file.take(size).chain(io::repeat(0)).take(size);
        self.builder.append_data(&mut header, name, content).map_err(PackError::Write)?;
        self.packed.files += 1;
        self.packed.bytes += size;
        Ok(())
    }
}

fn header(metadata: &Metadata, kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(metadata.mode() & 0o7777);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
    header.set_size(size);
    header
}
