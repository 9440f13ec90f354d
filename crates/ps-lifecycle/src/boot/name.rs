//! The name of a service that is installed already. Earlier versions gave the service of every world the same name. A second service
//! under the new name would start the world twice, so if the installed one belongs to this world, it keeps its name.

use boot_units::{Content, Init, Installation, Piece, pieces};

use super::lie;
use super::place::Place;

/// The installation under the name that it has already, or else under its new name.
pub(super) fn as_installed(place: &Place, init: Init, installation: Installation) -> Installation {
    let earlier = Installation { name: boot_units::USUAL.to_owned(), ..installation.clone() };
    let words = |of: &Installation| pieces(init, of).ok()?.into_iter().next();
    let is_installed = |piece: &Piece| lie::found(place, piece).is_some();
    let is_named = words(&installation).is_some_and(|piece| is_installed(&piece));
    let is_of_this_world = || words(&earlier).is_some_and(|piece| says_the_same_roots(place, &piece));
    if !is_named && is_of_this_world() { earlier } else { installation }
}

/// Whether the file that is installed in the place of a piece is ours, and names the same roots as the piece.
fn says_the_same_roots(place: &Place, piece: &Piece) -> bool {
    let Content::Text { text, .. } = &piece.content else { return false };
    let roots = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.contains("DOKKU_")).map(str::to_owned).collect()
    };
    let installed = lie::found(place, piece).and_then(|path| lie::read(&path));
    lie::is_foreign(place, piece).is_none()
        && installed.is_some_and(|installed| roots(&installed) == roots(text))
}
