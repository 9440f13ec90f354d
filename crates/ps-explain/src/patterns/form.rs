//! The forms in which a program reports an error of the system that it met itself. The same words may be somebody else's, which it only
//! hands on (`upstream says: permission denied`), or its own (`Error: No space left on device`).

/// What the C library says of an error number, in lower case: the words of the table that anybody can use.
const MESSAGES: [&str; 10] = [
    "permission denied",
    "operation not permitted",
    "no space left on device",
    "disk quota exceeded",
    "read-only file system",
    "too many open files",
    "address already in use",
    "cannot assign requested address",
    "no such file",
    "resource temporarily unavailable",
];
/// How the words for what failed begin: `write error`, `cannot open`, `bind()`.
const CALLS: [&str; 38] = [
    "open", "creat", "writ", "read", "bind", "listen", "accept", "connect", "socket", "exec", "fork",
    "spawn", "mkdir", "renam", "unlink", "remov", "stat", "chmod", "chown", "chdir", "mount", "mmap",
    "alloc", "load", "sav", "copy", "mov", "delet", "access", "start", "kill", "sync", "flush", "lock",
    "touch", "link", "pipe", "set",
];
/// What begins a line of any kind, and is the name of nothing that failed.
const LEVELS: [&str; 12] = [
    "error",
    "exception",
    "runtimeerror",
    "fatal",
    "err",
    "warning",
    "warn",
    "info",
    "debug",
    "panic",
    "critical",
    "note",
];
/// Words for handing on what somebody else has said.
const SAYS: [&str; 14] = [
    "says",
    "said",
    "answers",
    "answered",
    "replies",
    "replied",
    "reports",
    "reported",
    "tells",
    "told",
    "expected",
    "expects",
    "expecting",
    "should",
];

/// Whether these words are a message of the C library.
pub(super) fn is_message(word: &str) -> bool {
    MESSAGES.contains(&word)
}

/// Whether a line has a message of the C library as the system's own error: with its number or name, or behind the call, the path or the
/// program that it is about.
pub(super) fn is_of_system(line: &str) -> bool {
    let lower = line.to_lowercase();
    let found = MESSAGES.iter().find_map(|message| Some((lower.find(message)?, *message)));
    let Some((at, message)) = found else { return false };
    if has_number(line) {
        return true;
    }
    let (before, after) = (&lower[..at], &lower[at + message.len()..]);
    let words = |text: &'_ str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect()
    };
    if words(before).iter().any(|word| SAYS.contains(&word.as_str())) {
        return false;
    }
    // What Perl says that ends with an error of the system: `no port: Permission denied at app.pl line 1.`
    if after.starts_with(" at ") && after.contains(" line ") && before.ends_with(": ") {
        return true;
    }
    // `Permission denied @ rb_sysopen - /data/x`, `java.io.FileNotFoundException: /data/x (Permission denied)`
    if after.starts_with(" @ ")
        || after.starts_with(" - ")
        || ["java.io.", "java.net.", "java.nio."].iter().any(|own| before.contains(own))
    {
        return true;
    }
    let told = before.trim_end().trim_end_matches(['(', ':', ',', '-', '[']).trim_end();
    let about = told.rsplit(": ").next().unwrap_or_default();
    // The name of an error type, whose message is the program's own.
    let last = about.rsplit(' ').next().unwrap_or_default();
    if last != "error" && ["error", "exception"].iter().any(|end| last.ends_with(end)) {
        return false;
    }
    let is_call = || words(about).iter().any(|word| CALLS.iter().any(|call| word.starts_with(call)));
    let is_named = || about.contains('/') || about.ends_with(['\'', '"', '’', ')']) || about.contains('.');
    let is_one_word = || !about.is_empty() && !about.contains(' ') && !LEVELS.contains(&about);
    is_call() || is_named() || is_one_word()
}

/// Whether a line has the number or the name of an error: `EACCES`, `[Errno 13]`, `(os error 13)`, `(13: Permission denied)`.
pub(super) fn has_number(line: &str) -> bool {
    let is_name = |word: &str| {
        word.len() > 4
            && word.starts_with('E')
            && word.bytes().all(|byte| byte.is_ascii_uppercase())
            && word != "ERROR"
    };
    let lower = line.to_lowercase();
    let behind = |mark: &str| {
        let mut places = lower.match_indices(mark).map(|(at, _)| lower[at + mark.len()..].trim_start());
        places.any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    line.split(|c: char| !c.is_ascii_alphanumeric()).any(is_name)
        || ["errno", "os error", "(", "code:"].iter().any(|mark| behind(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_s_own_errors_name_what_failed_and_what_is_handed_on_does_not() {
        for own in [
            "PermissionError: [Errno 13] Permission denied: '/etc/shadow'",
            "Error: EACCES: permission denied, open '/data/x'",
            "sh: 1: cannot create /data/x: Permission denied",
            "cat: config.yml: Permission denied",
            "mkdir: cannot create directory ‘/data’: Permission denied",
            "open /data/x: permission denied",
            "Permission denied @ rb_sysopen - /data/x (Errno::EACCES)",
            "java.io.FileNotFoundException: /data/x (Permission denied)",
            "java.io.IOException: No space left on device",
            "nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)",
            "(98)Address already in use: AH00072: make_sock: could not bind to address 0.0.0.0:80",
            "listen tcp :5000: bind: address already in use",
            "called `Result::unwrap()` on an `Err` value: Os { code: 98, kind: AddrInUse, message: \"Address already in use\" }",
            "echo: write error: No space left on device",
            "Could not open data at load.pl: Too many open files",
        ] {
            assert!(is_of_system(own), "{own}");
        }
        for other in [
            "upstream says: permission denied",
            "the mirror reported: open /srv/x: permission denied",
            "job 17 failed: no space left on device",
            "Error: No space left on device",
            "RuntimeError: too many open files",
            "Exception in thread \"main\" java.lang.RuntimeException: No space left on device",
            "no space left on device, said the storage service",
        ] {
            assert!(!is_of_system(other), "{other}");
        }
    }
}
