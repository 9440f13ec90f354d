//! The form of error reports: their headlines, and the lines that belong to what stands before them.

/// What begins lines of a report that say nothing of the error.
const MARKS: [&str; 7] = [
    "note: run with `rust_backtrace",
    "stack backtrace:",
    "stack traceback:",
    "stack trace:",
    "emitted 'error' event",
    "emitted 'unhandledrejection' event",
    "(background on this error at:",
];

/// Whether a line belongs to what stands before it: a frame, a field, a mark, or nothing at all.
pub(crate) fn is_of_report(line: &str) -> bool {
    let text = line.trim();
    let lower = text.to_lowercase();
    let is_call = text.ends_with("()") || text.ends_with("(...)") || text.contains("(0x");
    // Of a stack of native calls: ` 7: 0x10ea385 v8::internal::HeapAllocator::…`
    let is_native =
        text.split_once(": 0x").is_some_and(|(number, _)| number.bytes().all(|byte| byte.is_ascii_digit()));
    line.starts_with([' ', '\t'])
        || text.is_empty()
        || text.bytes().all(|byte| byte.is_ascii_punctuation())
        || text.starts_with("goroutine ")
        || lower == "caused by:"
        || MARKS.iter().any(|mark| lower.starts_with(mark))
        || is_frame_of_php(text)
        || is_native
        || is_call_of_go(text)
        || (is_call && !text.contains(' '))
}

/// `runtime.newm(0x450e5f?, 0x0, {0x5483e0?, 0x1})`, `main.main.func1()`
fn is_call_of_go(text: &str) -> bool {
    let Some((name, arguments)) = text.strip_suffix(')').and_then(|text| text.rsplit_once('(')) else {
        return false;
    };
    let is_number = |c: char| c.is_ascii_hexdigit() || "x{}?,. ".contains(c);
    name.contains('.') && !name.contains(' ') && arguments.chars().all(is_number)
}

/// `#0 /srv/app.php(3): open()`
fn is_frame_of_php(text: &str) -> bool {
    let number = text.strip_prefix('#').and_then(|rest| rest.split(' ').next());
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a line is the headline of an error report: `KeyError: 'a'`, `Caused by: java.net.ConnectException: refused`, `panic: …`.
pub(super) fn is_headline(line: &str) -> bool {
    const BEFORE_IT: [&str; 4] =
        ["Uncaught ", "Caused by: ", "Unhandled exception. ", "[UnhandledPromiseRejection: "];
    const WORDS: [&str; 6] = [
        "terminate called after throwing",
        "panic: ",
        "fatal error: ",
        "FATAL ERROR: ",
        "[UnhandledPromiseRejection",
        "** (",
    ];
    if WORDS.iter().any(|word| line.starts_with(word))
        || line.contains("panicked at ")
        || is_of_perl(line)
        || is_of_ruby(line)
    {
        return true;
    }
    let rest = match line.strip_prefix("Exception in thread \"") {
        Some(rest) => rest.split_once("\" ").map_or(rest, |(_, rest)| rest),
        None => BEFORE_IT.iter().find_map(|word| line.strip_prefix(word)).unwrap_or(line),
    };
    // `[AggregateError: All promises were rejected] {`
    let rest = rest.strip_prefix('[').filter(|rest| rest.ends_with("] {")).unwrap_or(rest);
    let name = rest.split([':', ' ']).next().unwrap_or_default();
    let is_name = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '$'));
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_error = ["Error", "Exception", "Rejection", "Fault"].iter().any(|end| last.ends_with(end));
    let is_alone = rest.len() == name.len();
    let follows = &rest[name.len()..];
    is_name && is_error && (is_alone || follows.starts_with(':') || follows.starts_with(" ["))
}

/// `price is negative at app.pl line 7.`
fn is_of_perl(line: &str) -> bool {
    let Some((before, number)) = line.trim_end_matches('.').rsplit_once(" line ") else { return false };
    let repeats =
        ["BEGIN failed--", "Compilation failed in require"].iter().any(|word| line.starts_with(word));
    !repeats
        && before.contains(" at ")
        && line.ends_with('.')
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// `app.rb:2:in `<main>': undefined method `fetch' for nil (NoMethodError)`
fn is_of_ruby(line: &str) -> bool {
    let Some((before, class)) = line.trim_end().trim_end_matches(')').rsplit_once(" (") else { return false };
    let is_class = class.starts_with(char::is_uppercase)
        && class.chars().all(|c| c.is_alphanumeric() || matches!(c, ':' | '_'));
    is_class && before.contains(".rb:") && before.contains(":in ")
}

/// Whether a line tells of a request that was answered, in the form of the usual access logs: `"GET /a HTTP/1.1" 200`, `GET /a 404 1.2 ms`.
/// The words of it are those of clients.
pub(super) fn is_request(line: &str) -> bool {
    const METHODS: [&str; 7] = ["GET ", "HEAD ", "POST ", "PUT ", "PATCH ", "DELETE ", "OPTIONS "];
    let is_status = |word: &str| word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_digit());
    let has_answer = |(at, _): (usize, &str)| {
        let behind = line[at..].split_once("\" ").map(|(_, behind)| behind);
        behind.and_then(|behind| behind.split(' ').next()).is_some_and(is_status)
    };
    let is_plain =
        METHODS.iter().any(|method| line.strip_prefix(method).is_some_and(|path| path.starts_with('/')))
            && line.split(' ').skip(2).any(is_status);
    line.match_indices(" HTTP/").any(has_answer) || is_plain
}

/// `thread 'main' panicked at src/main.rs:2:66:`, behind which the words of the panic follow; the place.
pub(super) fn place_of_panic(line: &str) -> Option<&str> {
    line.split_once("panicked at ")?.1.strip_suffix(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_access_logs_are_told_from_errors_that_name_a_request() {
        for request in [
            "10.0.0.7 - - [28/Nov/2026:03:12:09 +0000] \"GET /search?q=Permission denied HTTP/1.1\" 200 512",
            "127.0.0.1 - - [28/Nov/2026 03:12:09] \"GET / HTTP/1.1\" 404 -",
            "GET /carts/7?q=EADDRINUSE 500 1.204 ms - 150",
        ] {
            assert!(is_request(request), "{request}");
        }
        for other in [
            "connect() failed (111: Connection refused) while connecting to upstream, request: \"GET / HTTP/1.1\", upstream: \"http://127.0.0.1:1/\"",
            "GET /prices failed: connection refused",
        ] {
            assert!(!is_request(other), "{other}");
        }
    }

    #[test]
    fn headlines_of_many_runtimes_are_told_from_what_follows_them() {
        for headline in [
            "KeyError: 'a'",
            "[AggregateError: All promises were rejected] {",
            "** (Postgrex.Error) FATAL 3D000 (invalid_catalog_name)",
            "thread 'main' panicked at src/main.rs:2:66:",
            "app.rb:2:in `<main>': it is lost (RuntimeError)",
            "Caused by: java.net.ConnectException: refused",
        ] {
            assert!(is_headline(headline) && !is_of_report(headline), "{headline}");
        }
        for follows in
            ["#0 /srv/app.php(3): open()", "Caused by:", "stack traceback:", "    at a.js:3", "main.main()"]
        {
            assert!(is_of_report(follows) && !is_headline(follows), "{follows}");
        }
        assert_eq!(place_of_panic("thread 'main' panicked at src/main.rs:2:66:"), Some("src/main.rs:2:66"));
        assert_eq!(place_of_panic("thread 'main' panicked at 'it is lost', src/main.rs:2:5"), None);
    }
}
