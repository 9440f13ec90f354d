#![doc = include_str!("../README.md")]

mod compression;
mod error;
mod place;

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tar::{Archive, Entry, EntryType};

pub use error::UnpackError;

/// The limits of what is unpacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many files, directories and links together.
    pub entries: u64,
    /// How many bytes all files together.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { entries: 200_000, bytes: 4 << 30 }
    }
}

/// The result of unpacking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// The number of files.
    pub files: u64,
    /// The number of bytes of all files together.
    pub bytes: u64,
}

/// Unpacks an archive into a directory, which must exist and be empty.
pub fn unpack(archive: impl Read, directory: &Path, limits: Limits) -> Result<Unpacked, UnpackError> {
    let plain = compression::plain(archive)?;
    let mut archive = Archive::new(plain);
    let mut unpacking = Unpacking { directory, limits, unpacked: Unpacked::default(), entries: 0 };
    for entry in archive.entries().map_err(UnpackError::read)? {
        unpacking.take(entry.map_err(UnpackError::read)?)?;
    }
    if unpacking.entries == 0 {
        return Err(UnpackError::Empty);
    }
    Ok(unpacking.unpacked)
}

struct Unpacking<'a> {
    directory: &'a Path,
    limits: Limits,
    unpacked: Unpacked,
    entries: u64,
}

impl Unpacking<'_> {
    fn take(&mut self, mut entry: Entry<'_, impl Read>) -> Result<(), UnpackError> {
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader | EntryType::XHeader) {
            return Ok(());
        }
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(UnpackError::TooMany { most: self.limits.entries });
        }
        let path = entry.path().map_err(UnpackError::read)?.into_owned();
        let Some(inside) = place::inside(&path)? else { return Ok(()) };
        let whole = self.directory.join(&inside);
        if kind.is_dir() {
            return place::make_directories(self.directory, &inside);
        }
        place::make_directories(self.directory, inside.parent().unwrap_or(Path::new("")))?;
        place::make_way(&whole)?;
        let mode = entry.header().mode().unwrap_or(0o644);
        match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.file(&mut entry, &path, &whole, mode)
            }
            EntryType::Symlink => {
                let target = target(&entry, &path)?;
                place::refuse_outward(&path, &inside, &target)?;
                symlink(&target, &whole).map_err(|source| UnpackError::write(&whole, source))
            }
            EntryType::Link => {
                let target = target(&entry, &path)?;
                let Some(other) = place::inside(&target)? else {
                    return Err(UnpackError::LeadsOut { path, target });
                };
                self.copy(&path, &other, &whole)
            }
            _ => Err(UnpackError::NoFile { path }),
        }
    }

    fn file(
        &mut self,
        entry: &mut impl Read,
        path: &Path,
        whole: &Path,
        mode: u32,
    ) -> Result<(), UnpackError> {
        let failed = |source| UnpackError::write(whole, source);
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(whole).map_err(failed)?;
        let left = self.limits.bytes - self.unpacked.bytes;
        let mut buffer = vec![0; 64 << 10];
        let mut written = 0;
        loop {
            let read = match entry.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(UnpackError::read(error)),
            };
            written += read as u64;
            if written > left {
                return Err(UnpackError::TooLarge { path: path.to_owned(), most: self.limits.bytes });
            }
            file.write_all(&buffer[..read]).map_err(failed)?;
        }
        self.unpacked.files += 1;
        self.unpacked.bytes += written;
        // The bits for setuid, setgid and sticky are removed, and the owner may read and write the file.
        let permissions = fs::Permissions::from_mode((mode & 0o777) | 0o600);
        file.set_permissions(permissions).map_err(failed)
    }

    /// Unpacks a hard link as a file of its own: a program that writes to one of the two does not change the other.
    fn copy(&mut self, path: &Path, other: &Path, whole: &Path) -> Result<(), UnpackError> {
        place::refuse_links(self.directory, other.parent().unwrap_or(Path::new("")))?;
        let other = self.directory.join(other);
        let metadata = other.symlink_metadata().ok().filter(fs::Metadata::is_file);
        let Some(metadata) = metadata else {
            return Err(UnpackError::NoFile { path: path.to_owned() });
        };
        if metadata.len() > self.limits.bytes - self.unpacked.bytes {
            return Err(UnpackError::TooLarge { path: path.to_owned(), most: self.limits.bytes });
        }
        self.unpacked.files += 1;
        self.unpacked.bytes += metadata.len();
        fs::copy(&other, whole).map(drop).map_err(|source| UnpackError::write(whole, source))
    }
}

fn target(entry: &Entry<'_, impl Read>, path: &Path) -> Result<PathBuf, UnpackError> {
    let target = entry.link_name().map_err(UnpackError::read)?;
    target.map(std::borrow::Cow::into_owned).ok_or_else(|| UnpackError::NoFile { path: path.to_owned() })
}
