//! Single lines: log lines and error texts of other programs.

use std::borrow::Cow;

use crate::{entropy, scan};

/// Masks the words of a line that look like credentials, by the rules for values. There is no show-list, because text
/// has no places. Words after a secret's name (`password: …`) are masked too. A line that matches only as a whole is
/// masked as a whole. This finds less than [`crate::sanitize`]: use it for text of your own, not for a container's.
pub fn line(text: &str) -> Cow<'_, str> {
    if scan::by_rule(text).is_none() && !text.split_ascii_whitespace().any(looks_random) {
        return Cow::Borrowed(text);
    }
    let masks = |word: &str| scan::by_rule(word).is_some() || looks_random(word);
    let words = text.split_inclusive(' ').map(|word| {
        let bare = word.trim_end();
        if masks(bare) { format!("[redacted]{}", &word[bare.len()..]) } else { word.to_owned() }
    });
    let masked: String = words.collect();
    if scan::by_rule(&masked).is_some() { Cow::Borrowed("[redacted]") } else { Cow::Owned(masked) }
}

/// Whether a word looks random without the brackets and quotation marks that a sentence puts around it: a password has punctuation too,
/// so `(Errno::ECONNREFUSED)`, `"backend.internal:80":` and `Pool(host='127.0.0.1',` would look like one.
fn looks_random(word: &str) -> bool {
    let word = word.trim_matches(|c: char| "()[]{}<>\"'`,;:".contains(c));
    entropy::has_random_run(word) || (entropy::looks_random(word) && !is_of_code(word))
}

/// Whether a word is made of names and numbers alone, as code is and passwords are not: letters and digits do not mix, but for a number at
/// the end of a name.
fn is_of_code(word: &str) -> bool {
    const SHORT: usize = 4;
    let is_name = |part: &str| {
        let name = part.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_spoken = name.len() <= SHORT || name.bytes().any(|byte| b"aeiouyAEIOUY".contains(&byte));
        name.bytes().all(|byte| byte.is_ascii_alphabetic()) && part.len() - name.len() <= 2 && is_spoken
    };
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = word.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    let is_plain =
        word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"()[]{}<>\"'`,;:=._/#-".contains(&byte));
    is_plain && parts.all(|part| is_number(part) || is_name(part))
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

    #[test]
    fn brackets_and_quotation_marks_make_no_secret_of_a_word_and_hide_none() {
        let plain = [
            "connect(2) for 127.0.0.1 port 5432 (Errno::ECONNREFUSED)",
            "host not found in upstream \"backend.internal:80\"",
            "HTTPConnectionPool(host='127.0.0.1', port=1): Max retries exceeded",
            "Get \"http://127.0.0.1:38127/prices\": context deadline exceeded",
            "app.json: healthchecks.web[0].attempts: a whole number is wanted",
        ];
        assert_eq!(plain.map(line), plain);
        let masked = [
            "(aB3xK9pQ2mN7vR4tW8)",
            "\"p4$$w0rD-of#Mine!\"",
            "Open(key='xK9pQ2mN7',",
            "P(a5sW0=rD'xQ7z!K",
            "'wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY';",
        ];
        for word in masked {
            assert_eq!(line(&format!("it says {word} to you")), "it says [redacted] to you");
        }
    }
}
