//! Reads and replaces files in a source tree that somebody else wrote. No path and no symbolic link can lead out of
//! the tree, and only regular files are read.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// The largest file that is read, in bytes.
pub(crate) const MAX_BYTES: u64 = 1 << 20;

/// A file of the tree.
pub(crate) struct SourceFile {
    pub(crate) bytes: Vec<u8>,
    /// The permission bits.
    pub(crate) mode: u32,
}

/// Reads a regular file by its path inside the tree; `None` if there is no such file.
pub(crate) fn read(tree: &Path, path: &str) -> io::Result<Option<SourceFile>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match open_beneath(&open_tree(tree)?, path, flags) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    let stat = rustix::fs::fstat(&file)?;
    if !FileType::from_raw_mode(stat.st_mode).is_file() {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(too_large());
    }
    Ok(Some(SourceFile { bytes, mode: stat.st_mode & 0o777 | 0o600 }))
}

/// The error for a file of more than [`MAX_BYTES`].
pub(crate) fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "it is over 1 MiB")
}

/// Replaces `name` at the top of the tree by a file, whatever is there except a directory; without a file, removes
/// it.
pub(crate) fn replace(tree: &Path, name: &str, by: Option<&SourceFile>) -> io::Result<()> {
    let tree = open_tree(tree)?;
    match rustix::fs::unlinkat(&tree, name, AtFlags::empty()) {
        // A directory of that name stays. No builder takes it for a Procfile.
        Err(Errno::ISDIR) if by.is_none() => return Ok(()),
        Err(Errno::NOENT) | Ok(()) => (),
        Err(errno) => return Err(errno.into()),
    }
    let Some(file) = by else { return Ok(()) };
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let copy = rustix::fs::openat(&tree, name, flags, Mode::from_raw_mode(file.mode))?;
    File::from(copy).write_all(&file.bytes)
}

/// Whether an error says that a path, or a link on it, led out of the tree.
pub(crate) fn leads_outside(error: &io::Error) -> bool {
    [Errno::XDEV, Errno::LOOP].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn open_tree(tree: &Path) -> Result<OwnedFd, Errno> {
    rustix::fs::open(tree, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

fn open_beneath(tree: &OwnedFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(tree, path, flags, Mode::empty(), resolve) {
        // An old kernel or a sandbox may not support openat2. In that case no link is followed at all.
        Err(Errno::NOSYS | Errno::PERM) => open_without_links(tree, path, flags),
        opened => opened,
    }
}

fn open_without_links(tree: &OwnedFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut at = rustix::io::dup(tree.as_fd())?;
    let mut parts = path.split('/').filter(|part| !part.is_empty() && *part != ".").peekable();
    while let Some(part) = parts.next() {
        if part == ".." {
            return Err(Errno::XDEV);
        }
        let flags =
            if parts.peek().is_some() { OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC } else { flags };
        at = rustix::fs::openat(&at, part, flags | OFlags::NOFOLLOW, Mode::empty())?;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn nothing_leads_out_of_the_tree() {
        let place = tempfile::tempdir().expect("a directory");
        let tree = place.path().join("tree");
        fs::create_dir_all(tree.join("deep/er")).expect("a directory");
        fs::write(place.path().join("secret"), "web: stolen\n").expect("a file");
        fs::write(tree.join("deep/Procfile"), "web: deep\n").expect("a file");
        symlink("../deep/Procfile", tree.join("deep/inside")).expect("a link");
        symlink("../../secret", tree.join("deep/outside")).expect("a link");
        symlink("/etc/hostname", tree.join("absolute")).expect("a link");
        let bytes = |path: &str| read(&tree, path).map(|found| found.map(|file| file.bytes));
        assert_eq!(bytes("deep/Procfile").expect("readable").as_deref(), Some(&b"web: deep\n"[..]));
        assert_eq!(bytes("deep/inside").expect("readable").as_deref(), Some(&b"web: deep\n"[..]));
        assert_eq!(bytes("deep/none").expect("readable"), None);
        assert_eq!(bytes("deep").expect("readable"), None);
        for path in ["../secret", "deep/outside", "absolute", "deep/er/../../../secret"] {
            let error = bytes(path).expect_err("it leads outside");
            assert!(leads_outside(&error), "{path}: {error}");
        }
        for path in ["../secret", "deep/outside", "absolute", "deep/inside"] {
            let tree = open_tree(&tree).expect("the tree");
            let errno =
                open_without_links(&tree, path, OFlags::RDONLY).expect_err("it leads outside, or is a link");
            assert!(leads_outside(&errno.into()), "{path}: {errno}");
        }
    }

    #[test]
    fn a_link_in_the_place_of_the_procfile_is_replaced_not_followed() {
        let place = tempfile::tempdir().expect("a directory");
        let victim = place.path().join("victim");
        fs::write(&victim, "untouched").expect("a file");
        fs::create_dir(place.path().join("tree")).expect("a directory");
        symlink(&victim, place.path().join("tree/Procfile")).expect("a link");
        let file = SourceFile { bytes: b"web: a\n".to_vec(), mode: 0o644 };
        replace(&place.path().join("tree"), "Procfile", Some(&file)).expect("replaced");
        assert_eq!(fs::read(&victim).expect("a file"), b"untouched");
        assert_eq!(fs::read(place.path().join("tree/Procfile")).expect("a file"), b"web: a\n");
        replace(&place.path().join("tree"), "Procfile", None).expect("taken away");
        assert!(!place.path().join("tree/Procfile").exists());
    }
}
