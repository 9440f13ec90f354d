//! One file, link or directory that is to be installed, with its path.

use std::path::{Path, PathBuf};

/// The text at the beginning of each file, after the line that names its interpreter. A file that has it may be
/// replaced and removed.
pub const MARK: &str = "# Written by `ps-lifecycle boot enable`; `ps-lifecycle boot disable` removes it.";

/// A file or a link, and its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its path.
    pub path: PathBuf,
    /// The content.
    pub content: Content,
}

/// The content of a piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A file.
    Text {
        /// The whole text.
        text: String,
        /// Whether it is executed.
        is_program: bool,
    },
    /// A link to this path.
    Link(PathBuf),
    /// As [`Content::Link`], in a directory whose links are used in the order of their numbers: the tools of the init system may
    /// have renamed the link to another number.
    NumberedLink(PathBuf),
}

impl Piece {
    pub(crate) fn file(path: PathBuf, lines: &[&str]) -> Self {
        Self::text(path, lines, false)
    }

    pub(crate) fn program(path: PathBuf, lines: &[&str]) -> Self {
        Self::text(path, lines, true)
    }

    fn text(path: PathBuf, lines: &[&str], is_program: bool) -> Self {
        let mut text = lines.join("\n");
        text.push('\n');
        Self { path, content: Content::Text { text, is_program } }
    }

    pub(crate) fn link(path: impl AsRef<Path>, to: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), content: Content::Link(to.as_ref().to_owned()) }
    }

    /// Whether a name in its directory belongs to this piece: the name in its path, or for a numbered link (`S20formation`) the same
    /// with another number.
    pub fn has_name(&self, name: &str) -> bool {
        let own = self.path.file_name().and_then(|own| own.to_str()).unwrap_or_default();
        match (&self.content, split(own), split(name)) {
            (Content::NumberedLink(_), Some(own), Some(other)) => own == other,
            (Content::NumberedLink(_) | Content::Text { .. } | Content::Link(_), _, _) => own == name,
        }
    }
}

/// Splits `S20formation` into the letter and the text that follows the number.
fn split(name: &str) -> Option<(&str, &str)> {
    let number = name.get(1..3)?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| (&name[..1], &name[3..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numbered_link_is_known_under_another_number() {
        let content = Content::NumberedLink("../init.d/formation".into());
        let piece = Piece { path: "/etc/rc2.d/S20formation".into(), content };
        for (name, is_its) in [
            ("S20formation", true),
            ("S01formation", true),
            ("K01formation", false),
            ("S20forms", false),
            ("Sé", false),
        ] {
            assert_eq!(piece.has_name(name), is_its, "{name}");
        }
        let file = Piece::file("/etc/init.d/S20x".into(), &[]);
        assert!(file.has_name("S20x") && !file.has_name("S21x"));
    }
}
