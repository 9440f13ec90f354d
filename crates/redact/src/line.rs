//! Single lines: log lines and error texts of other programs.

use std::borrow::Cow;

use crate::{entropy, scan};

/// Masks the words of a line that look like credentials, by the rules for values. There is no show-list, because text
/// has no places. Words after a secret's name (`password: …`) are masked too. A line that matches only as a whole is
/// masked as a whole. This finds less than [`crate::sanitize`]: use it for text of your own, not for a container's.
pub fn line(text: &str) -> Cow<'_, str> {
    if scan::by_rule(text).is_none() && !text.split_ascii_whitespace().any(entropy::looks_random) {
        return Cow::Borrowed(text);
    }
    let masks = |word: &str| scan::by_rule(word).is_some() || entropy::looks_random(word);
    let words = text.split_inclusive(' ').map(|word| {
        let bare = word.trim_end();
        if masks(bare) { format!("[redacted]{}", &word[bare.len()..]) } else { word.to_owned() }
    });
    let masked: String = words.collect();
    if scan::by_rule(&masked).is_some() { Cow::Borrowed("[redacted]") } else { Cow::Owned(masked) }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_line_loses_its_credentials_and_keeps_its_sense() {
        assert_eq!(line("app blog: no such app"), "app blog: no such app");
        assert_eq!(line("connect to redis://:pw@cache:6379 failed"), "connect to [redacted] failed");
        assert_eq!(line("login with password: hunter2"), "[redacted]");
    }
}
