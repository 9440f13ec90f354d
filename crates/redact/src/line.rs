//! Single lines: log lines and error texts of other programs.

use std::borrow::Cow;

use crate::{entropy, hex, scan};

/// Masks the words of a line that look like credentials, by the rules for values. There is no show-list, because plain text has no places.
/// Words after a secret's name (`password: …`) are masked too. If a rule matches only the line as a whole, the whole line is masked. This
/// finds less than [`crate::sanitize`]: use it for text of your own, not for a container's.
pub fn line(text: &str) -> Cow<'_, str> {
    let has_rule = |text: &str| scan::by_rule(&without_ids(text)).is_some();
    if !has_rule(text) && !text.split_ascii_whitespace().any(looks_random) {
        return Cow::Borrowed(text);
    }
    let masks = |word: &str| has_rule(word) || looks_random(word);
    let words = text.split_inclusive(' ').map(|word| {
        let bare = word.trim_end();
        if masks(bare) { format!("[redacted]{}", &word[bare.len()..]) } else { word.to_owned() }
    });
    let masked: String = words.collect();
    if has_rule(&masked) { Cow::Borrowed("[redacted]") } else { Cow::Owned(masked) }
}

/// Whether a word looks random without the brackets and quotation marks that a sentence puts around it: a password has punctuation too,
/// so `(Errno::ECONNREFUSED)`, `"backend.internal:80":` and `Pool(host='127.0.0.1',` would look like one.
fn looks_random(word: &str) -> bool {
    let word = without_ids(word);
    let word = word.trim_matches(|c: char| "()[]{}<>\"'`,;:".contains(c));
    if entropy::has_random_run(word) {
        !is_of_words(word)
    } else {
        entropy::looks_random(word) && !is_of_code(word)
    }
}

/// A text without the ids that machines give to things: an id in brackets, as in `add[5d1f6c1e-7a3b-4a47-9a55-4f4a0f7dd1a1]`, and an
/// address in memory, `0x7f8a1c2d3e40`. Marks that code has between names are removed too: `pgconn.(*PgConn)` in Go,
/// `pool.HikariPool$Entry` in Java.
fn without_ids(word: &str) -> String {
    let mut bare = String::with_capacity(word.len());
    let mut rest = word;
    while let Some((before, behind)) = rest.split_once('[') {
        bare.push_str(before);
        bare.push('[');
        rest = match behind.split_once(']') {
            Some((id, after)) if is_uuid(id) => after,
            _ => behind,
        };
    }
    bare.push_str(rest);
    let is_address = |part: &str| {
        let digits = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).strip_prefix("0x");
        digits.is_some_and(|digits| hex::is_hex(digits, 1..=16))
    };
    let parts = bare.split_inclusive(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !is_address(part));
    let bare: String = parts.collect();
    if is_path_of_java(&bare) { bare.replace('$', ".") } else { bare.replace(".(*", ".(") }
}

fn is_uuid(text: &str) -> bool {
    let lengths = [8, 4, 4, 4, 12];
    let groups: Vec<&str> = text.split('-').collect();
    groups.len() == lengths.len()
        && groups.iter().zip(lengths).all(|(group, length)| hex::is_hex(group, length..=length))
}

/// Whether the word is a class in Java: two packages in small letters, and the class: `com.zaxxer.hikari.pool.HikariPool$Entry`.
fn is_path_of_java(word: &str) -> bool {
    let is_package = |part: &str| part.len() > 1 && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let mut parts = word.split('.').skip_while(|part| is_package(part));
    let packages = word.split('.').take_while(|part| is_package(part)).count();
    packages >= 2 && parts.next().is_some_and(|class| class.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// Whether a run that looks random consists of words joined by punctuation, as in `CRITICAL/MainProcess`: each word is all capitals or all
/// small letters, or begins with one capital, has at least three letters and a vowel, and ends in a short number at most. Keys of letters
/// alone change too often between capitals and small letters for that.
fn is_of_words(word: &str) -> bool {
    const SHORTEST: usize = 3;
    let is_spoken =
        |word: &str| word.len() >= SHORTEST && word.bytes().any(|byte| b"aeiouyAEIOUY".contains(&byte));
    let is_word = |part: &str| {
        let name = part.trim_end_matches(|c: char| c.is_ascii_digit());
        let is_plain = part.len() - name.len() <= 2 && name.bytes().all(|byte| byte.is_ascii_alphabetic());
        if name.is_empty() || name.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return is_plain && (name.is_empty() || is_spoken(name));
        }
        let starts =
            name.char_indices().filter(|(at, c)| *at > 0 && c.is_ascii_uppercase()).map(|(at, _)| at);
        let ends: Vec<usize> = starts.chain([name.len()]).collect();
        let begins = [0].into_iter().chain(ends.iter().copied());
        is_plain && begins.zip(&ends).all(|(begin, end)| is_spoken(&name[begin..*end]))
    };
    let mut parts = word.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":./_-".contains(&byte)) && parts.all(is_word)
}

/// Whether a word consists only of names and numbers, as code does and passwords do not: letters and digits do not mix, except for a number
/// at the end of a name.
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

    #[test]
    fn what_servers_and_languages_write_into_their_logs_is_no_secret() {
        let plain = [
            "[2026-11-28 18:00:00,123: CRITICAL/MainProcess] Unrecoverable error: OperationalError('refused')",
            "[2026-11-28 18:00:00,123: INFO/SpawnPoolWorker-3] child process calling self.run()",
            "shop.tasks.add[5d1f6c1e-7a3b-4a47-9a55-4f4a0f7dd1a1] raised unexpected: ZeroDivisionError()",
            "I, [2026-11-28T18:00:00 #7]  INFO -- : [5d1f6c1e-7a3b-4a47-9a55-4f4a0f7dd1a1] Started GET \"/\"",
            "WARNING:root:CRITICAL/EmergencyShutdown requested",
            "\tat com.zaxxer.hikari.pool.HikariPool$PoolInitializationException.<init>(HikariPool.java:596)",
            "main.(*Server).handleRequest(0xc0000b4000, {0x7f8a1c2d3e40, 0xc000010000})",
            "github.com/jackc/pgx/v5/pgconn.(*PgConn).Connect",
            "<urllib3.connection.HTTPSConnection object at 0x7f3b1c2d4e50>: Failed to establish a connection",
        ];
        assert_eq!(plain.map(line), plain);
    }

    #[test]
    fn a_secret_that_is_written_like_that_is_still_masked() {
        let masked = [
            "QWxhZGRpbjpvcGVuIHNlc2FtZQ",
            "QWxhZGRpbjpv/cGVuIHNlc2FtZQoB",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "5d1f6c1e-7a3b-4a47-9a55-4f4a0f7dd1a1",
            "[5d1f6c1e7a3b4a479a554f4a0f7dd1a1]",
            "token=[5d1f6c1e-7a3b-4a47-9a55-4f4a0f7dd1a1]5d1f6c1e-7a3b-4a47-9a55-4f4a0f7dd1a1",
            "0x5d1f6c1e7a3b4a479a554f4a0f7dd1a1",
            "Summer$Winter*Spring!22",
            "com.Zx8$Qp3.Lm5$Vt9.Rk2$Hs7",
        ];
        for word in masked {
            assert_eq!(line(&format!("it says {word} to you")), "it says [redacted] to you");
        }
    }
}
