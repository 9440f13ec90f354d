//! Sentences that only contain the words of a sign. A program also writes of what it works on: `mail to bob: connection refused by his server`
//! is a line of a mailer that is well. A message of an error has one of these forms: it names an error (`EACCES`, `[Errno 13]`), it says that
//! something failed (`error`, `cannot`), its words end the line or lead to what they are about (`address already in use :::5000`), or they stand
//! right behind the names of a program and of a place in it (`run.sh: 2: gunicornn: not found`).

use super::form::has_number;
use super::pattern::{Pattern, places};

/// Words that say that something failed, as a level or as what happened.
const FAILED: [&str; 17] = [
    "error",
    "err",
    "fatal",
    "crit",
    "critical",
    "emerg",
    "alert",
    "severe",
    "panic",
    "exception",
    "failed",
    "failure",
    "cannot",
    "unable",
    "abort",
    "aborted",
    "violation",
];
/// The same in two words.
const FAILED_TO: [&str; 4] = ["can't ", "couldn't ", "could not ", "can not "];
/// With these words a message goes on: `connection refused while connecting to upstream`.
const GOES_ON: [&str; 8] = ["at ", "while ", "on ", "in ", "from ", "when ", "to ", "with "];
/// What a message of the system has behind the words that tell it.
const ENDINGS: [&str; 3] = [" or directory", " by peer", " (core dumped)"];
/// With these it goes on behind a comma.
const GIVES_UP: [&str; 9] = [
    "exiting",
    "giving up",
    "aborting",
    "stopping",
    "quitting",
    "terminating",
    "retry",
    "trying again",
    "next attempt",
];

/// Whether a line, which has the words of a pattern, has none of the forms of a message. `text` is the line in lower case without what it quotes.
pub(super) fn is_sentence(line: &str, text: &str, pattern: &Pattern) -> bool {
    if has_number(line) || says_that_it_failed(text) {
        return false;
    }
    let mut found = pattern.words.iter().flat_map(|word| places(text, word)).peekable();
    // What is told by other means than these words.
    if found.peek().is_none() {
        return false;
    }
    // `no such table: orders`
    let is_whole = |at: usize, end: usize| at == 0 && text[end..].starts_with(": ");
    // The kernel's words for what it did to some process.
    text.contains("killed process")
        || !found.any(|(at, end)| ends_there(&text[end..]) || is_whole(at, end) || is_firm(text, at, end))
}

/// Whether a line has the words of a message, and no more of the form of one than that it ends with them: `user bob: invalid password`. Where a
/// program goes on to write, that is a line about something else.
pub(super) fn is_aside(line: &str, text: &str, pattern: &Pattern) -> bool {
    let mut found = pattern.words.iter().flat_map(|word| places(text, word)).peekable();
    !has_number(line)
        && !says_that_it_failed(text)
        && found.peek().is_some()
        && !found.any(|(at, end)| at == 0 || is_firm(text, at, end))
}

/// Whether the words are the name of an error, or stand right behind those of a program and of a place in it.
fn is_firm(text: &str, at: usize, end: usize) -> bool {
    let words = &text[at..end];
    // `env: 'gunicornn'`: the name of the program is one of the words.
    !words.trim().contains(' ') || words.contains(": ") || is_behind_names(&text[..at])
}

/// Whether a line says that something failed.
fn says_that_it_failed(text: &str) -> bool {
    let is_failure = |word: &str| {
        FAILED.contains(&word) || (word.len() > 5 && (word.ends_with("error") || word.ends_with("exception")))
    };
    text.split(|c: char| !c.is_alphanumeric()).any(is_failure)
        || FAILED_TO.iter().any(|word| text.contains(word))
}

/// Whether the words of a message may end before this.
fn ends_there(rest: &str) -> bool {
    let rest = ENDINGS.iter().find_map(|ending| rest.strip_prefix(ending)).unwrap_or(rest);
    let behind = rest.trim_start();
    let mut letters = behind.chars();
    let Some(first) = letters.next() else { return true };
    let next = letters.as_str().trim_start();
    let is_thing = |c: char| c.is_ascii_digit() || "/'\"‘“`:[.".contains(c);
    match first {
        ',' => GIVES_UP.iter().any(|word| next.starts_with(word)),
        ':' => next.starts_with(is_thing),
        ')' | ']' | '}' | '!' | ';' | '(' => true,
        other if is_thing(other) => true,
        _ if rest.starts_with(' ') => GOES_ON.iter().any(|word| behind.starts_with(word)),
        // The rest of the word, or a mark of another kind.
        _ => !first.is_alphanumeric(),
    }
}

/// Whether this is `psql: `, `bash: line 1: `, `run.sh: 2: ./server: `, or, with the pid of what has ended, `run.sh: line 1:  4242 `.
fn is_behind_names(before: &str) -> bool {
    let before =
        before.trim_end_matches([' ']).trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(' ');
    let before = format!("{before} ");
    let Some(names) = before.strip_suffix(": ") else { return false };
    names.split(": ").all(|name| {
        // `line 1`, and of fish `run.fish (line 1)`.
        let name = name.strip_prefix("line ").unwrap_or(name);
        let name = name.split_once(" (line ").map_or(name, |(name, _)| name);
        !name.is_empty() && !name.contains(' ')
    })
}

#[cfg(test)]
mod tests {
    use crate::patterns::of_message;

    #[test]
    fn the_words_of_a_sign_in_a_sentence_are_none() {
        for sentence in [
            "mail to bob: connection refused by his server",
            "crawl: http://a/robots.txt 403 Forbidden, next",
            "payment of order 7 timed out, told the customer",
            "test 3 ... ok (no such file or directory was raised)",
            "the word segmentation fault was looked up 3 times",
            "database is locked for maintenance from 2 to 3, as planned",
            "robot: access denied for user bob at the door",
            "port 5000 is in use by us since 03:12",
            "SHOP_CODE is required by customs for box 4",
        ] {
            assert!(of_message(sentence).is_none(), "{sentence}");
        }
        for (message, cause) in [
            ("Connection refused", "dependency-unreachable"),
            ("cache: connection refused", "dependency-unreachable"),
            ("cannot reach the cache, connection refused by it", "dependency-unreachable"),
            ("connection refused while connecting to upstream", "dependency-unreachable"),
            ("head: invalid number of lines: ‘many’", "value-invalid"),
            ("run.sh: 2: gunicornn: not found", "program-missing"),
            ("no such table: orders", "schema-missing"),
            ("lock.db: database is locked, giving up", "database-locked"),
            ("env: 'gunicornn': No such file or directory", "program-missing"),
            ("run.sh: line 1:  4242 Segmentation fault      ./server", "child-killed"),
        ] {
            assert_eq!(of_message(message).map(|pattern| pattern.cause), Some(cause), "{message}");
        }
    }
}
