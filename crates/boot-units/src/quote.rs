//! Quotes paths and names as the files of each init system require.

use std::path::{Path, PathBuf};

/// A path that cannot be written into such a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} cannot be written into the files of an init system: {reason}")]
pub struct Unusable {
    path: PathBuf,
    reason: &'static str,
}

/// A path as text.
pub(crate) fn text(path: &Path) -> Result<&str, Unusable> {
    let refuse = |reason| Unusable { path: path.to_owned(), reason };
    let text = path.to_str().ok_or_else(|| refuse("it is not UTF-8"))?;
    if text.chars().any(char::is_control) {
        return Err(refuse("it has a control character"));
    }
    Ok(text)
}

/// A word for a shell, in single quotes if necessary.
pub(crate) fn shell(word: &str) -> String {
    if is_plain(word) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// A path as a word for a shell.
pub(crate) fn shell_path(path: &Path) -> Result<String, Unusable> {
    Ok(shell(text(path)?))
}

/// A word of a value in a systemd unit: without specifiers, and in quotes if necessary.
pub(crate) fn unit(word: &str) -> String {
    let word = word.replace('%', "%%");
    if is_plain(&word.replace("%%", "")) {
        return word;
    }
    format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\""))
}

/// An argument in a command line of systemd, which would replace variables in it.
pub(crate) fn unit_argument(path: &Path) -> Result<String, Unusable> {
    Ok(unit(text(path)?).replace('$', "$$"))
}

/// The program of a systemd command line, which cannot contain a `$`, because there is no way to quote it there.
pub(crate) fn unit_program(path: &Path) -> Result<String, Unusable> {
    let word = unit(text(path)?);
    if word.contains('$') {
        return Err(Unusable {
            path: path.to_owned(),
            reason: "systemd knows no program with a $ in its path",
        });
    }
    Ok(word)
}

fn is_plain(word: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:,@+=-".contains(&byte);
    !word.is_empty() && word.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_to_a_shell_or_to_systemd_is_quoted() {
        assert_eq!([shell("/a/b"), shell("it's"), shell("a b")], ["/a/b", r"'it'\''s'", "'a b'"]);
        assert_eq!([unit("/a/b"), unit("/50%"), unit("a b\"\\")], ["/a/b", "/50%%", r#""a b\"\\""#]);
        assert_eq!(unit_argument(Path::new("/$HOME")), Ok("\"/$$HOME\"".to_owned()));
        assert!(unit_program(Path::new("/$HOME/x")).is_err());
        assert!(text(Path::new("/a\nExecStart=/bin/sh")).is_err());
    }
}
