//! Whether a command line is one simple command of POSIX sh, so that `exec` may stand in front of it and signals reach
//! the program instead of the shell.

/// Words that mean something to the shell itself: `exec` cannot run them.
const SHELL_WORDS: &[&str] = &[
    "!", ".", ":", "{", "}", "alias", "bg", "break", "case", "cd", "command", "continue", "eval", "exec",
    "exit", "export", "fg", "for", "getopts", "hash", "if", "jobs", "local", "read", "readonly", "return",
    "set", "shift", "source", "times", "trap", "type", "ulimit", "umask", "unalias", "unset", "until",
    "wait", "while",
];

/// Whether a command line is one simple command: no operator, no assignment in front, no word of the shell's own.
/// Operators inside quotes are taken for operators: then the shell stays in between, which only costs a process.
#[must_use]
pub fn is_simple_command(command: impl AsRef<[u8]>) -> bool {
    let command = command.as_ref();
    let first = command.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()).unwrap_or_default();
    let has_operator = command.iter().any(|byte| b";&|<>()`\n".contains(byte));
    let is_shells = SHELL_WORDS.iter().any(|word| word.as_bytes() == first);
    !has_operator && !first.is_empty() && !first.contains(&b'=') && !is_shells
}

/// What `/bin/sh -c` is given for a command line: the same, with `exec` in front where it is a simple command.
///
/// ```
/// assert_eq!(procfile::shell_script("node server.js"), "exec node server.js");
/// assert_eq!(procfile::shell_script("migrate && serve"), "migrate && serve");
/// ```
#[must_use]
pub fn shell_script(command: &str) -> String {
    if is_simple_command(command) { format!("exec {command}") } else { command.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exec_stands_only_before_simple_commands() {
        for simple in ["node server.js", "bin/web -p $PORT", "faultapp --listen \"$PORT\"", "sleep 1"] {
            assert!(is_simple_command(simple), "{simple}");
        }
        for compound in
            ["a && b", "a; b", "A=1 b", "cd x", "exec a", "(a)", "a >b", "", "if true", "a `b`", "$(a)"]
        {
            assert!(!is_simple_command(compound), "{compound}");
        }
    }
}
