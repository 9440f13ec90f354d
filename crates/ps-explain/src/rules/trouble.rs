//! Whether a line of output tells an error, in any words. A program also writes of what others met, and of errors that there were not. For
//! example, none of these lines tells an error of the program that wrote it:
//!
//! ```text
//! Tests: 0 failed, 0 errors, 214 passed
//! ticket 88: "ModuleNotFoundError: No module named requests" since the update
//! http: TLS handshake error from 10.0.0.7:51234: remote error: tls: bad certificate
//! ```

use crate::patterns::{has, without_quotations};

/// Words that stand for themselves in a line that tells an error, as a level or as what happened.
const LEVELS: [&str; 11] = [
    "error",
    "fatal",
    "critical",
    "emerg",
    "panic",
    "exception",
    "failed",
    "failure",
    "fails",
    "abort",
    "aborted",
];
/// What is said of something that is not as it should be.
const TELLS: [&str; 62] = [
    ": *** ",
    "timeout",
    "timed out",
    "giving up",
    "gave up",
    "expired",
    "not installed",
    "not available",
    "unavailable",
    "not running",
    "not enough",
    "insufficient",
    "exceeded",
    "too many",
    "too old",
    "already ",
    "conflict",
    "cannot",
    "can't",
    "could not",
    "couldn't",
    "unable to",
    "invalid",
    "illegal",
    "bad ",
    "unknown",
    "unrecognized",
    "unrecognised",
    "unsupported",
    "unexpected",
    "undefined",
    "corrupt",
    "not permitted",
    "not allowed",
    "not supported",
    "not valid",
    "not a ",
    "not found",
    "not defined",
    "not set",
    "not recognized",
    "no response",
    "no answer",
    "no such",
    "does not ",
    "doesn't ",
    "refused",
    "denied",
    "missing",
    "must ",
    "required",
    "too long",
    "too large",
    "mismatch",
    "is a directory",
    "file exists",
    "broken pipe",
    "connection reset",
    "closed the connection",
    "resource busy",
    "file busy",
    "name too long",
];

/// With these words right before it, or behind it and a colon or a like sign, what failed is counted, and there was none.
const NONE: [&str; 5] = ["0", "no", "zero", "without", "none"];
/// The first of the ports that clients get from the kernel (`ip_local_port_range` of `ip(7)`).
const FIRST_OF_CLIENTS: u16 = 32768;

/// Whether a line tells an error.
pub(super) fn tells_error(line: &str) -> bool {
    let text = without_quotations(line).to_lowercase();
    if is_of_client(&text) {
        return false;
    }
    has(&text, &TELLS) || text.starts_with("*** ") || names_level(&text)
}

/// Whether a word of a line says that something failed, and not how often nothing did: `0 errors`, `failed: 0`, `failed=0`.
fn names_level(text: &str) -> bool {
    let mut before = "";
    let mut rest = text;
    while let Some(begin) = rest.find(char::is_alphanumeric) {
        let word = rest[begin..].split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        rest = &rest[begin + word.len()..];
        if is_level(word) && !NONE.contains(&before) && !is_count_of_none(rest) {
            return true;
        }
        before = word;
    }
    false
}

fn is_level(word: &str) -> bool {
    LEVELS.contains(&word)
        || matches!(word, "errors" | "failures")
        || (word.len() > 5 && (word.ends_with("error") || word.ends_with("exception")))
}

/// Whether what stands behind a word is its count, which is nought: `failed=0 ok=2`, `failed: 0, ok: 2`, and not `error: no such file`.
fn is_count_of_none(rest: &str) -> bool {
    let rest = rest.trim_start();
    let Some(behind) = rest.strip_prefix([':', '=']).map(str::trim_start) else { return false };
    let count = behind.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let is_all = rest.starts_with('=') || !behind[count.len()..].starts_with(' ');
    is_all && NONE.contains(&count)
}

/// Whether a line is about a client: `error from 10.0.0.7:51234`, where the port is one that the kernel gives to clients; `[client 10.0.0.7:51234]`.
fn is_of_client(text: &str) -> bool {
    text.contains("[client ")
        || text.split("from ").skip(1).any(|from| {
            let peer = from.split([' ', ',', ')']).next().unwrap_or_default().trim_end_matches(':');
            let port = peer.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            port.is_some_and(|port| port >= FIRST_OF_CLIENTS)
        })
}

/// Whether a line is a warning, or what a program says under its own name: `node: out of words`.
pub(super) fn tells_something(line: &str) -> bool {
    let text = line.to_lowercase();
    let name = line.split_once(": ").map(|(name, _)| name).unwrap_or_default();
    text.contains("warning")
        || (!name.is_empty()
            && !name.contains(char::is_whitespace)
            && !is_of_client(&text)
            && !is_tally(&text))
}

/// Whether a line counts what failed, and nothing did.
fn is_tally(text: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).any(is_level) && !names_level(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_an_error_unless_it_counts_none_quotes_it_or_is_about_a_client() {
        for line in [
            "ERROR: 3 errors",
            "error: 0 rows were found in orders",
            "error: no such file",
            "no error handler: cannot go on",
            "2 failed, 0 errors",
            "errors: 3",
            "failed=1 ok=0",
            "shop: cannot reach 'the till'",
            "read from 10.0.0.7:5432: connection reset",
            "msg=\"cannot open the till\"",
            "\"the till\": no such file",
        ] {
            assert!(tells_error(line), "{line}");
        }
        for line in [
            "Tests: 0 failed, 0 errors, 214 passed",
            "ok=4 changed=1 failed=0",
            "Failures: 0, Errors: 0, Skipped: 2",
            "import done without errors",
            "no errors were found",
            "ticket 88 of bob: \"ModuleNotFoundError: No module named requests\" since the update",
            "2026/11/29 02:11:58 http: TLS handshake error from 10.0.0.7:51234: remote error: tls: bad certificate",
            "[core:error] [client 10.0.0.7:51234] file does not exist: /x",
            "12 orders were sent",
        ] {
            assert!(!tells_error(line), "{line}");
        }
        assert!(tells_something("node: out of words") && !tells_something("tests: 0 failed"));
    }
}
