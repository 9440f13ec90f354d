//! A table of error messages of common runtimes and of the C library. The first row with a pattern that occurs in a
//! line gives the meaning of that line. A pattern must occur at the beginning of a word: `enotfound` does not occur in `FileNotFoundError`.

mod form;
mod limits;
mod narrow;
mod pattern;
mod sentence;
mod status;
mod variable;
mod wide;

pub(crate) use pattern::Pattern;
use pattern::stands_in;

/// The table, in the order in which its rows are tried.
fn rows() -> impl Iterator<Item = &'static Pattern> {
    narrow::ROWS.iter().chain(limits::ROWS).chain(wide::ROWS)
}

/// Whether one of these words stands anywhere in a text, also within a longer word. Both are in lower case.
pub(crate) fn has(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

/// What a line of output is a sign of.
pub(crate) fn of_line(line: &str) -> Option<&'static Pattern> {
    let text = without_quotations(line).to_lowercase();
    let holds = |pattern: &&Pattern| {
        pattern.words.iter().any(|word| stands_in(&text, word))
            || (pattern.cause == "variable-missing" && variable::is_wanted(line))
    };
    status::of(line).or_else(|| rows().find(holds))
}

/// The same of a line that has the form of a message of an error, and not only its words.
pub(crate) fn of_message(line: &str) -> Option<&'static Pattern> {
    let text = without_quotations(line).to_lowercase();
    of_line(line).filter(|pattern| pattern.is_wide() || !sentence::is_sentence(line, &text, pattern))
}

/// Whether a line has the words of a pattern by the way: it counts as the last word of a program, and else not.
pub(crate) fn is_aside(line: &str, pattern: &Pattern) -> bool {
    let text = without_quotations(line).to_lowercase();
    !pattern.is_wide() && sentence::is_aside(line, &text, pattern)
}

/// Whether a line says no more than that something could not be written or opened, as it may be because a disk is full: `I/O error`.
pub(crate) fn may_be_of_full_disk(line: &str) -> bool {
    const WORDS: [&str; 8] = [
        "i/o error",
        "input/output error",
        "write error",
        "failure writing",
        "failed to write",
        "cannot write",
        "could not write",
        "unable to open database file",
    ];
    const OTHERS: [&str; 3] = ["socket", "pipe", "connection"];
    let text = line.to_lowercase();
    has(&text, &WORDS) && !has(&text, &OTHERS)
}

/// Whether a line is a sign only by words that anybody can use, and has not the form of an error that the program met itself. Then it counts
/// only if what it claims can be seen.
pub(crate) fn is_mere_claim(line: &str, pattern: &Pattern) -> bool {
    let text = without_quotations(line).to_lowercase();
    let mut others = pattern.words.iter().filter(|word| !form::is_message(word));
    let is_message = pattern.words.iter().any(|word| form::is_message(word) && stands_in(&text, word));
    is_message && !others.any(|word| stands_in(&text, word)) && !form::is_of_system(line)
}

/// A line without sentences that it quotes: a program that prints `'Connection refused' is the title` has no such trouble. A single word in
/// quotes stays, since errors name what they are about in that way, and so does JSON, all of which is in quotes.
pub(crate) fn without_quotations(line: &str) -> String {
    let (mut rest, mut kept) = (line, String::with_capacity(line.len()));
    if line.trim_start().starts_with('{') {
        return line.to_owned();
    }
    while let Some(at) = rest.find(['"', '\'']) {
        let (before, quoted) = rest.split_at(at);
        kept.push_str(before);
        let mark = &quoted[..1];
        let begins = kept.is_empty() || kept.ends_with(char::is_whitespace);
        let inside = quoted[1..].split_once(mark).filter(|_| begins);
        match inside {
            // `env: 'python3 -u': No such file`: what is in quotes is what the message is about.
            Some((text, after))
                if text.trim().contains(' ')
                    && !(kept.ends_with(": ") && after.starts_with(": "))
                    // The fields of an error of Rust: `Os { code: 98, kind: AddrInUse, message: "Address already in use" }`.
                    && ![", message: ", ", error: "].iter().any(|field| kept.ends_with(field)) =>
            {
                rest = after;
            }
            Some((text, after)) => {
                kept.extend([mark, text, mark]);
                rest = after;
            }
            None => {
                kept.push_str(mark);
                rest = &quoted[1..];
            }
        }
    }
    kept + rest
}

/// Whether a line of a traceback is of the module that reads the environment in Python: that tells a KeyError of the environment from that of
/// any other dictionary.
pub(crate) fn is_of_environment(frame: &str) -> bool {
    ["<frozen os>", "/os.py", "environ"].iter().any(|place| frame.contains(place))
}

/// The row of an error of which nothing narrower is known.
pub(crate) fn exception() -> &'static Pattern {
    rows().find(|pattern| pattern.is_wide()).expect("the table has it")
}

/// The first row of this cause.
pub(crate) fn named(cause: &str) -> Option<&'static Pattern> {
    rows().find(|pattern| pattern.cause == cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_real_programs_are_signs_of_what_they_say() {
        for (line, cause) in [
            ("Error: listen EADDRINUSE: address already in use 0.0.0.0:5000", "port-taken"),
            ("bind: address already in use: 0.0.0.0:5000", "port-taken"),
            ("2026/11/29 09:02:32 listen unix door: bind: address already in use", "socket-taken"),
            ("2026/11/29 09:02:32 listen unix /run/x/door: bind: permission denied", "permission-denied"),
            ("psql:q.sql:1: ERROR:  cannot execute INSERT in a read-only transaction", "database-read-only"),
            ("ReplyError: READONLY You can't write against a read only replica.", "database-read-only"),
            ("ERROR:  canceling statement due to lock timeout", "timed-out"),
            ("psql: error: server does not support SSL, but SSL was required", "tls-mismatch"),
            ("curl: (35) OpenSSL/3.0.19: error:0A00010B:SSL routines::wrong version number", "tls-mismatch"),
            ("tls: first record does not look like a TLS handshake", "tls-mismatch"),
            ("code: 'ERR_OSSL_EVP_UNSUPPORTED'", "crypto-unsupported"),
            ("node: --max-old-space-sise= is not allowed in NODE_OPTIONS", "option-unknown"),
            ("FATAL:  database files are incompatible with server", "version-mismatch"),
            ("fatal error: concurrent map read and map write", "data-race"),
            ("cat: current/settings: Too many levels of symbolic links", "link-circle"),
            ("OSError: [Errno 40] Too many levels of symbolic links: 'a'", "link-circle"),
            ("ps-supervise: run ./server: Text file busy (os error 26)", "program-busy"),
            ("OSError: AF_UNIX path too long", "name-too-long"),
            ("the input device is not a TTY", "terminal-missing"),
            (
                "Exception in thread \"main\" java.lang.NoSuchMethodError: 'int Price.of(int)'",
                "library-version",
            ),
            ("server closed the connection unexpectedly", "connection-lost"),
            ("OSError: [Errno 98] Address already in use", "port-taken"),
            ("Port 5000 is already in use", "port-taken"),
            ("Error: That port is already in use.", "port-taken"),
            (
                "Port 5000 is in use by another program. Either identify and stop that program, or start it elsewhere",
                "port-taken",
            ),
            ("[2026-11-28 10:00:00 +0000] [7] [ERROR] Connection in use: ('0.0.0.0', 8000)", "port-taken"),
            ("Something is already running on port 3000.", "port-taken"),
            ("Error: Cannot find module 'express'", "module-missing"),
            ("ModuleNotFoundError: No module named 'flask'", "module-missing"),
            ("OSError: [Errno 28] No space left on device: '/data/x'", "disk-full"),
            ("Error: EMFILE: too many open files, open '/etc/hosts'", "too-many-open-files"),
            ("RuntimeError: can't start new thread", "process-limit"),
            ("sh: 1: Cannot fork", "process-limit"),
            (
                "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
                "heap-exhausted",
            ),
            ("KeyError: 'DATABASE_URL'", "variable-missing"),
            ("app.rb:1:in `fetch': key not found: \"DATABASE_URL\" (KeyError)", "variable-missing"),
            ("sh: 1: DATABASE_URL: parameter not set", "variable-missing"),
            ("sh: 1: gunicorn: not found", "program-missing"),
            ("Error: connect ECONNREFUSED 127.0.0.1:5432", "dependency-unreachable"),
            ("FATAL:  password authentication failed for user \"shop\"", "credentials-refused"),
            ("PermissionError: [Errno 13] Permission denied: '/etc/shadow'", "permission-denied"),
            ("SyntaxError: Unexpected token '}'", "syntax-error"),
            ("thread 'main' panicked at src/main.rs:3:5:", "exception"),
            ("FileNotFoundError: [Errno 2] No such file or directory: 'a.yml'", "file-missing"),
            ("Error: SHOP_TOKEN is not set", "variable-missing"),
            ("ERROR:  relation \"orders\" does not exist at character 22", "schema-missing"),
            ("Os { code: 98, kind: AddrInUse, message: \"Address already in use\" }", "port-taken"),
            ("./server: line 1: \u{7f}ELF: not found", "wrong-architecture"),
            ("wget: bad address 'db.shop.invalid'", "name-unresolved"),
            ("Error: spawn sleep EAGAIN", "process-limit"),
            (
                "requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: http://a/",
                "credentials-refused",
            ),
            (
                "failed to connect to `user=shop`: FATAL: password authentication failed",
                "credentials-refused",
            ),
            ("aiohttp.ClientConnectorError: Cannot connect to host 127.0.0.1:1", "dependency-unreachable"),
            ("Error: no token (SHOP_TOKEN is not set)", "variable-missing"),
            ("/usr/bin/env: ‘python3\\r’: No such file or directory", "line-endings"),
            ("/usr/bin/env: ‘pyhton3’: No such file or directory", "interpreter-missing"),
            ("java.lang.UnsupportedClassVersionError: Main (class file version 65.0)", "version-mismatch"),
            (
                "./server: /lib/libc.so.6: version `GLIBC_2.38' not found (required by ./server)",
                "version-mismatch",
            ),
            ("Error: self-signed certificate", "certificate-refused"),
            ("/usr/bin/env: 'python3 -u': No such file or directory", "interpreter-missing"),
            ("run.sh: line 1:  4242 Segmentation fault      ./server", "child-killed"),
            ("Error: listen EADDRINUSE: address already in use /run/shop.sock", "socket-taken"),
            ("Can't locate Web/Frame.pm in @INC (you may need to install it)", "module-missing"),
            ("OSError: [Errno 30] Read-only file system: 'data/cache'", "read-only"),
            ("json.decoder.JSONDecodeError: Expecting value: line 1 column 2 (char 1)", "config-invalid"),
            ("ValueError: invalid literal for int() with base 10: 'many'", "value-invalid"),
            ("urllib.error.HTTPError: HTTP Error 503: Service Unavailable", "dependency-failed"),
            ("RangeError: Maximum call stack size exceeded", "stack-exhausted"),
        ] {
            assert_eq!(of_line(line).map(|pattern| pattern.cause), Some(cause), "{line}");
        }
    }

    #[test]
    fn lines_that_only_look_like_it_are_no_signs() {
        assert!(of_line("listening on 5000").is_none());
        // What is counted, and never happened.
        assert!(of_line("sync done, connection refused: 0").is_none());
        assert!(of_line("timed out=0, too many open files=0, ok=7").is_none());
        assert!(of_line("Stopping at a boundary (TOOL_ACROSS_FILESYSTEMS not set).").is_none());
        assert!(of_line("app.rb:2:in `fetch': key not found: \"adapter\" (KeyError)").is_none());
        assert!(
            of_line("Can't locate object method \"new\" via package \"Shop\" at app.pl line 2.").is_none()
        );
        assert!(of_line("Worker (pid:812) was sent SIGKILL! Perhaps out of memory?").is_none());
        assert!(of_line("worker: out of memory").is_some());
        for quoted in [
            "checking article 'How to fix Error: listen EADDRINUSE: address already in use :::5000'",
            "\"FATAL ERROR: JavaScript heap out of memory\" is the title of the post",
            "test 12: expects 'ModuleNotFoundError: No module named x' ... ok",
        ] {
            assert!(of_line(quoted).is_none(), "{quoted}");
        }
    }

    #[test]
    fn no_row_hides_the_words_of_a_later_one() {
        for pattern in rows() {
            for word in pattern.words {
                let found = of_line(word).map(|found| found.cause);
                assert_eq!(found, Some(pattern.cause), "{word}");
            }
        }
    }

    #[test]
    fn each_setting_that_a_cure_names_is_one() {
        let named =
            rows().filter_map(|pattern| pattern.cure.split_once("ps-set <app> ")?.1.split([' ', ')']).next());
        let named: Vec<&str> = named.collect();
        let is_known = |name: &&str| type_settings::Setting::named(name).is_some();
        assert!(!named.is_empty() && named.iter().all(is_known), "{named:?}");
    }
}
