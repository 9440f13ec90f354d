//! Compares, writes and removes installed files and links.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use boot_units::{Content, MARK, Piece};

use super::place::Place;

/// The longest file that is compared, in bytes.
const MAX_BYTES: u64 = 1 << 16;

/// The path of an installed piece, if it exists. A numbered link may have another number than the one that we would
/// give it.
pub(super) fn found(place: &Place, piece: &Piece) -> Option<PathBuf> {
    let path = place.path(&piece.path);
    if path.symlink_metadata().is_ok() {
        return Some(path);
    }
    let entries = fs::read_dir(path.parent()?).ok()?.flatten();
    let mut own = entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| piece.has_name(name)));
    own.next().map(|entry| entry.path())
}

/// Why an installed file or link was not written by us; `None` if it was.
pub(super) fn is_foreign(place: &Place, piece: &Piece) -> Option<String> {
    let path = found(place, piece)?;
    let shown = path.display();
    match &piece.content {
        Content::Text { .. } => {
            let is_ours = read(&path).is_some_and(|text| text.lines().take(2).any(|line| line == MARK));
            (!is_ours).then(|| format!("{shown} was not written by ps-lifecycle boot"))
        }
        Content::Link(to) | Content::NumberedLink(to) => match fs::read_link(&path) {
            Ok(leads) if leads == *to => None,
            Ok(leads) => Some(format!("{shown} leads to {}", leads.display())),
            Err(_) => Some(format!("{shown} is no link")),
        },
    }
}

/// Installs a piece; returns whether that changed anything.
pub(super) fn put(place: &Place, piece: &Piece) -> Result<bool> {
    if differences(place, piece).is_empty() {
        return Ok(false);
    }
    let path = place.path(&piece.path);
    let (directory, name) =
        (path.parent().unwrap_or(Path::new("/")), piece.path.file_name().unwrap_or_default());
    fs::create_dir_all(directory).with_context(|| format!("create {}", directory.display()))?;
    match &piece.content {
        Content::Text { text, is_program } => {
            let mode = fs::Permissions::from_mode(if *is_program { 0o755 } else { 0o644 });
            durable::replace(directory, &name.to_string_lossy(), text.as_bytes())
                .and_then(|()| fs::set_permissions(&path, mode))
        }
        Content::Link(to) | Content::NumberedLink(to) => symlink(to, &path),
    }
    .with_context(|| format!("write {}", path.display()))?;
    Ok(true)
}

/// Removes a piece, and the directories that become empty.
pub(super) fn remove(place: &Place, piece: &Piece) -> Result<()> {
    let Some(path) = found(place, piece) else { return Ok(()) };
    fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
    let mut directory = path.parent();
    while let Some(empty) = directory.filter(|directory| may_go(place, directory)) {
        if is_service(empty) {
            // runit keeps the state of a service there.
            let _ = fs::remove_dir_all(empty.join("supervise"));
        }
        if fs::remove_dir(empty).is_err() {
            break;
        }
        directory = empty.parent();
    }
    Ok(())
}

/// Whether an empty directory was made only for our pieces, so that it may be removed.
fn may_go(place: &Place, directory: &Path) -> bool {
    if let Some(root) = &place.root {
        return directory != root;
    }
    let is_wants = directory.extension().is_some_and(|extension| extension == "wants");
    is_wants || is_service(directory) || directory.ends_with("systemd/user")
}

/// Whether this is the directory of one of our services.
fn is_service(directory: &Path) -> bool {
    let name = directory.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let is_ours = name == boot_units::USUAL || name.starts_with(&format!("{}-", boot_units::USUAL));
    is_ours && directory.parent().is_some_and(|parent| parent.ends_with("sv"))
}

/// The differences between the installed piece and the wanted one, one per line.
pub(super) fn differences(place: &Place, piece: &Piece) -> Vec<String> {
    let Some(path) = found(place, piece) else {
        return vec![format!("{} is missing", place.path(&piece.path).display())];
    };
    let shown = path.display();
    match &piece.content {
        Content::Text { text, is_program } => match read(&path) {
            Some(there) => {
                let mode = fs::metadata(&path).map_or(0, |file| file.permissions().mode());
                let is_executed = mode & 0o111 != 0;
                let odd =
                    (is_executed != *is_program).then(|| format!("{shown} has mode {:03o}", mode & 0o777));
                lines(&there, text).into_iter().map(|line| format!("{shown}: {line}")).chain(odd).collect()
            }
            None => vec![format!("{shown} is not what ps-lifecycle boot writes")],
        },
        Content::Link(_) | Content::NumberedLink(_) => is_foreign(place, piece).into_iter().collect(),
    }
}

/// The lines that only one of two texts has: `-` for installed ones, `+` for wanted ones.
fn lines(there: &str, wanted: &str) -> Vec<String> {
    if there == wanted {
        return Vec::new();
    }
    let only = |of: &str, other: &str, sign: char| {
        let other: Vec<&str> = other.lines().collect();
        let only = of.lines().filter(|line| !other.contains(line));
        only.map(|line| format!("{sign}{line}")).collect::<Vec<_>>()
    };
    let mut lines = only(there, wanted, '-');
    lines.extend(only(wanted, there, '+'));
    if lines.is_empty() {
        lines.push("its lines are in another order".to_owned());
    }
    lines
}

/// The text of a file, if it could be ours.
pub(super) fn read(path: &Path) -> Option<String> {
    let bytes = durable::state(path, MAX_BYTES).map_err(|_| io::ErrorKind::InvalidData).ok()?;
    String::from_utf8(bytes).ok()
}
