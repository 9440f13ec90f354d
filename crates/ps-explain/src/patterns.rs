//! A table of error messages of common runtimes and of the C library. The first row with a pattern that occurs in a
//! line gives the meaning of that line.

/// A sign.
pub(crate) struct Pattern {
    /// The cause that it is a sign of.
    pub(crate) cause: &'static str,
    /// Any of these words, in lower case.
    words: &'static [&'static str],
    /// What it means, as a sentence without a full stop.
    pub(crate) says: &'static str,
    /// What to do.
    pub(crate) cure: &'static str,
}

/// The table. Narrow words come before wide ones.
const PATTERNS: &[Pattern] = &[
    Pattern {
        cause: "port-taken",
        words: &["eaddrinuse", "address already in use", "addrinuse", "port is already allocated"],
        says: "the port that it wants to listen on is taken",
        cure: "end the process that listens there, or have the app listen on the port in the variable PORT",
    },
    Pattern {
        cause: "disk-full",
        words: &["enospc", "no space left on device", "disk quota exceeded"],
        says: "there is no room left on a disk that it writes to",
        cure: "make room there (df -h, df -i)",
    },
    Pattern {
        cause: "too-many-open-files",
        words: &["emfile", "too many open files", "enfile"],
        says: "it has as many files and sockets open as it may",
        cure: "find out what it does not close, or raise the limit: ps-set <app> limit-nofile N",
    },
    Pattern {
        cause: "process-limit",
        words: &[
            "cannot fork",
            "can't fork",
            "can't start new thread",
            "pthread_create failed",
            "fork: retry",
            "unable to create native thread",
            "blockingioerror: [errno 11]",
            "resource temporarily unavailable",
        ],
        says: "it may start no more processes or threads",
        cure: "find out what it starts without end, or raise the limit: ps-set <app> pids-max N",
    },
    Pattern {
        cause: "heap-exhausted",
        words: &[
            "heap out of memory",
            "outofmemoryerror",
            "memoryerror",
            "cannot allocate memory",
            "enomem",
            "failed to allocate memory",
            "memory allocation of",
            "std::bad_alloc",
        ],
        says: "it got no more memory: the limit is one of its runtime or of its address space, and the kernel killed nothing",
        cure: "give its runtime more (--max-old-space-size, -Xmx), or find out what it keeps",
    },
    Pattern {
        cause: "library-missing",
        words: &["error while loading shared libraries", "cannot open shared object file"],
        says: "a shared library that it needs is not there",
        cure: "install that library on this machine, or in the image",
    },
    Pattern {
        cause: "wrong-architecture",
        words: &["exec format error"],
        says: "its program is made for another kind of machine, or is a script without a first line that names its interpreter",
        cure: "build it for this machine, or let it begin with #!",
    },
    Pattern {
        cause: "module-missing",
        words: &[
            "cannot find module",
            "modulenotfounderror",
            "no module named",
            "importerror",
            "cannot load such file",
            "could not find gem",
            "bundler::gemnotfound",
            "classnotfoundexception",
            "noclassdeffounderror",
            "can't locate",
            "err_module_not_found",
            "failed opening required",
        ],
        says: "a module that it needs is not installed",
        cure: "install what it depends on (npm ci, pip install, bundle install) where it runs, and deploy again",
    },
    Pattern {
        cause: "permission-denied",
        words: &["permission denied", "eacces", "operation not permitted", "eperm", "permissionerror"],
        says: "it may not do what it tried to: the user that it runs as has no right to",
        cure: "give that user the right to the file, or let it run as another user: ps-set <app> user NAME",
    },
    Pattern {
        cause: "variable-missing",
        words: &[
            "keyerror: '",
            "environment variable not found",
            "environment variable is not set",
            "parameter not set",
            "unbound variable",
            "missing required environment",
            "must be set",
            "is not defined in the environment",
            "key not found: \"",
        ],
        says: "a variable that it needs is not set",
        cure: "set it in the app's env file, and restart",
    },
    Pattern {
        cause: "program-missing",
        words: &[
            "command not found",
            ": not found",
            "no such file or directory: '/usr/bin",
            "bad interpreter",
        ],
        says: "a program that it runs is not there",
        cure: "install it, or correct the command in the Procfile (PATH is what the app's variables say)",
    },
    Pattern {
        cause: "name-unresolved",
        words: &[
            "enotfound",
            "name or service not known",
            "temporary failure in name resolution",
            "could not resolve host",
            "getaddrinfo",
            "nodename nor servname",
        ],
        says: "the name of another machine that it needs leads nowhere",
        cure: "correct the name in its variables, or the machine's name servers",
    },
    Pattern {
        cause: "dependency-unreachable",
        words: &["econnrefused", "connection refused", "etimedout", "no route to host", "ehostunreach"],
        says: "something that it connects to does not answer",
        cure: "start that, or correct its address in the app's variables",
    },
    Pattern {
        cause: "credentials-refused",
        words: &[
            "password authentication failed",
            "access denied for user",
            "authentication failed",
            "invalid password",
            "noauth ",
            "wrongpass",
        ],
        says: "something that it connects to refuses its credentials",
        cure: "correct the credentials in the app's variables, and restart",
    },
    Pattern {
        cause: "syntax-error",
        words: &["syntaxerror", "syntax error", "indentationerror", "parse error", "unexpected token"],
        says: "a file of its program cannot be parsed",
        cure: "mend that file and deploy again, or go back: ps-lifecycle rollback <app>",
    },
    Pattern {
        cause: "file-missing",
        words: &["no such file or directory", "enoent", "filenotfounderror"],
        says: "a file that it needs is not there",
        cure: "put that file there, or correct its path",
    },
    Pattern {
        cause: "exception",
        words: &[
            "traceback (most recent call last)",
            "panicked at",
            "unhandled",
            "uncaught",
            "fatal error:",
            "exception in thread",
        ],
        says: "its own program met an error that it does not handle",
        cure: "mend the program, or go back to an earlier release: ps-lifecycle rollback <app>",
    },
];

/// What a line of output is a sign of, and how narrow that is: lower is narrower.
pub(crate) fn of_line(line: &str) -> Option<(usize, &'static Pattern)> {
    let line = line.to_lowercase();
    PATTERNS.iter().enumerate().find(|(_, pattern)| pattern.words.iter().any(|word| line.contains(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_real_programs_are_signs_of_what_they_say() {
        for (line, cause) in [
            ("Error: listen EADDRINUSE: address already in use 0.0.0.0:5000", "port-taken"),
            ("OSError: [Errno 98] Address already in use", "port-taken"),
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
            ("sh: 1: DATABASE_URL: parameter not set", "variable-missing"),
            ("sh: 1: gunicorn: not found", "program-missing"),
            ("Error: connect ECONNREFUSED 127.0.0.1:5432", "dependency-unreachable"),
            ("FATAL:  password authentication failed for user \"shop\"", "credentials-refused"),
            ("PermissionError: [Errno 13] Permission denied: '/etc/shadow'", "permission-denied"),
            ("SyntaxError: Unexpected token '}'", "syntax-error"),
            ("thread 'main' panicked at src/main.rs:3:5:", "exception"),
        ] {
            assert_eq!(of_line(line).map(|(_, pattern)| pattern.cause), Some(cause), "{line}");
        }
        assert!(of_line("listening on 5000").is_none());
    }

    #[test]
    fn each_setting_that_a_cure_names_is_one() {
        let named = PATTERNS
            .iter()
            .filter_map(|pattern| pattern.cure.split_once("ps-set <app> ")?.1.split([' ', ')']).next());
        let named: Vec<&str> = named.collect();
        let is_known = |name: &&str| type_settings::Setting::named(name).is_some();
        assert!(!named.is_empty() && named.iter().all(is_known), "{named:?}");
    }
}
