//! One file, link or directory that is to be installed, with its path.

use std::path::{Path, PathBuf};

/// The text at the beginning of each file, after the line that names its interpreter. A file that has it may be
/// replaced and removed.
pub const MARK: &str = "# Written by `ps-lifecycle boot enable`; `ps-lifecycle boot disable` removes it.";

/// A file or a link, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Its path.
    pub path: PathBuf,
    /// What it is.
    pub content: Content,
}

/// What is at that path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A file.
    Text {
        /// All of it.
        text: String,
        /// Whether it is executed.
        is_program: bool,
    },
    /// A link to that.
    Link(PathBuf),
    /// The same, in a directory whose links are followed in the order of their numbers: the tools of the init system may have
    /// given it another number than ours.
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

    /// Whether a name in its directory is its own: that of its path, or of a numbered link (`S20formation`) one with another number.
    pub fn has_name(&self, name: &str) -> bool {
        let own = self.path.file_name().and_then(|own| own.to_str()).unwrap_or_default();
        match (&self.content, split(own), split(name)) {
            (Content::NumberedLink(_), Some(own), Some(other)) => own == other,
            (Content::NumberedLink(_) | Content::Text { .. } | Content::Link(_), _, _) => own == name,
        }
    }
}

/// `S20formation`: the letter, and what follows the number.
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
