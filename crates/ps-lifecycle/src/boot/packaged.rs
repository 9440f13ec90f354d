//! The unit file of an installed package. If it has the content that `boot` would write, only the links that enable it
//! are written.

use std::fs;
use std::path::{Path, PathBuf};

use boot_units::{Content, Piece};

use super::lie;
use super::place::Place;

/// The directories of systemd for the administrator's units and for those of packages.
const UNITS: [(&str, &str); 2] =
    [("systemd/system", "/usr/lib/systemd/system"), ("systemd/user", "/usr/lib/systemd/user")];

/// The pieces, with links in place of the units that a package has installed. A unit in the administrator's directory takes
/// precedence in systemd, so it is compared and removed like any other.
pub(super) fn without(place: &Place, pieces: Vec<Piece>) -> Vec<Piece> {
    let brought: Vec<PathBuf> = pieces.iter().filter_map(|piece| unit_of_package(place, piece)).collect();
    let of_package = |name: &Path| brought.iter().find(|unit| unit.file_name() == name.file_name());
    pieces
        .into_iter()
        .filter_map(|piece| match (&piece.content, of_package(&piece.path)) {
            (Content::Text { .. }, Some(_)) => None,
            (Content::Link(_), Some(unit)) => Some(link(place, &piece, unit)),
            _ => Some(piece),
        })
        .collect()
}

/// The path of a package's unit with the same content as this piece.
fn unit_of_package(place: &Place, piece: &Piece) -> Option<PathBuf> {
    let Content::Text { text, .. } = &piece.content else { return None };
    let directory = piece.path.parent()?;
    let (_, of_packages) = UNITS.iter().find(|(ours, _)| directory.ends_with(ours))?;
    let unit = Path::new(of_packages).join(piece.path.file_name()?);
    let brought = lie::read(&place.path(&unit))?;
    let home = std::env::var("HOME").unwrap_or_default();
    // The first line names the program that wrote the file, so it is not compared.
    let says_the_same = |brought: &str| brought.lines().skip(1).eq(text.lines().skip(1));
    let is_wanted = lie::found(place, piece).is_none() && says_the_same(&brought.replace("%h", &home));
    is_wanted.then_some(unit)
}

/// The link to the package's unit. The tools of the package may have made it by another path to the same file.
fn link(place: &Place, piece: &Piece, unit: &Path) -> Piece {
    let there = fs::read_link(place.path(&piece.path)).ok().filter(|leads| {
        let same = |path: &Path| fs::canonicalize(place.path(path)).ok();
        leads.is_absolute() && same(leads).is_some_and(|file| Some(file) == same(unit))
    });
    Piece { path: piece.path.clone(), content: Content::Link(there.unwrap_or_else(|| unit.to_owned())) }
}
