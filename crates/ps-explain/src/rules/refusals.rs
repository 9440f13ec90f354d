//! Why something was refused before a process of the app could say anything: what our own messages and those of the engine mean.

/// A kind of refusal.
pub(super) struct Refusal {
    pub(super) cause: &'static str,
    /// Any of these words, in lower case.
    words: &'static [&'static str],
    pub(super) cure: &'static str,
}

/// The table: the first row one of whose words stands in the message counts.
const REFUSALS: &[Refusal] = &[
    Refusal {
        cause: "interpreter-missing",
        words: &["interpreter", "is to be run by"],
        cure: "correct the first line of that script, or install what it names",
    },
    Refusal {
        cause: "directory-missing",
        words: &["its directory", "is not a directory", "not a directory"],
        cure: "put it back, or deploy <app> from another one",
    },
    Refusal {
        cause: "disk-full",
        words: &["no space left on device", "disk quota"],
        cure: "make room there (df -h, du -x)",
    },
    Refusal {
        cause: "port-taken",
        words: &[
            "is held by",
            "belongs to an instance",
            "is listened on by",
            "address already in use",
            "port is already allocated",
        ],
        cure: "end what holds the port, or choose another: ps-set <app> port N",
    },
    Refusal {
        cause: "permission-denied",
        words: &["exit status 126", "may not be executed", "permission denied", "not permitted"],
        cure: "make it executable (chmod +x), or give the user that it runs as the right to it",
    },
    Refusal {
        cause: "too-many-open-files",
        words: &["too many open files"],
        cure: "raise the limit of open files of the supervisor (LimitNOFILE, ulimit -n)",
    },
    Refusal {
        cause: "process-limit",
        words: &["resource temporarily unavailable", "cannot allocate"],
        cure: "raise the limit of processes (ulimit -u, TasksMax), or end what started so many",
    },
    Refusal {
        cause: "syntax-error",
        words: &["does not understand its command", "syntax error"],
        cure: "correct the command in the Procfile",
    },
    Refusal {
        cause: "background",
        words: &["background"],
        cure: "have it stay in the foreground: most servers have an option for that",
    },
    Refusal {
        cause: "hook-refused",
        words: &["the trigger", "trigger pre-start", "the hook", "pre-start"],
        cure: "do what the hook asks for, or take it away (plugins/enabled)",
    },
    Refusal {
        cause: "build-failed",
        words: &["dockerfile", "build of", "the build", "returned a non-zero code"],
        cure: "mend the step that the deploy named, and deploy again",
    },
    Refusal {
        cause: "check-failed",
        words: &["did not answer", "did not pass the check"],
        cure: "ask the same by hand, and look at what it writes meanwhile (ps-logs)",
    },
    Refusal {
        cause: "not-listening",
        words: &["nobody listens", "not on its port"],
        cure: "have it listen on the port that the variable PORT says",
    },
    Refusal {
        cause: "image-missing",
        words: &["no such image", "manifest unknown", "pull access denied", "image"],
        cure: "name an image that the engine has, or that a registry gives it",
    },
    Refusal {
        cause: "program-missing",
        words: &["exit status 127", "not found", "no such file", "os error 2", "cannot be run"],
        cure: "install that program, or correct the command in the Procfile",
    },
    Refusal {
        cause: "env-invalid",
        words: &["env", "variable", "line "],
        cure: "correct the env file, and restart",
    },
];

/// What a message means.
pub(super) fn of(message: &str) -> Option<&'static Refusal> {
    let text = message.to_lowercase();
    REFUSALS.iter().find(|refusal| refusal.words.iter().any(|word| text.contains(word)))
}
