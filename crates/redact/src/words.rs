//! Common words, which are shown at any place of a name or a path; the list is `words.txt`.

use std::collections::HashSet;
use std::sync::LazyLock;

static WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let lines = include_str!("words.txt").lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_ascii_whitespace).collect()
});

/// Whether the text is a common word, or common words and version numbers joined by `-`, `_` or `.`.
pub(crate) fn is_common(text: &str) -> bool {
    WORDS.contains(text)
        || (text.len() <= 64
            && text.split(['-', '_', '.']).all(|word| WORDS.contains(word) || is_short_number(word))
            && text.bytes().any(|b| b.is_ascii_alphabetic()))
}

/// Whether every part of a path is a common word.
pub(crate) fn is_common_path(text: &str) -> bool {
    let parts = text.trim_start_matches('/').trim_end_matches('/');
    !parts.is_empty() && parts.split('/').all(is_common_part)
}

/// Whether the name of a directory or file is common to thousands of machines: words, or a word and its version
/// (`python3.11`).
pub(crate) fn is_common_part(part: &str) -> bool {
    is_common(part) || is_common(part.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.'))
}

/// Whether the text is a number of at most two digits.
fn is_short_number(text: &str) -> bool {
    (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}
