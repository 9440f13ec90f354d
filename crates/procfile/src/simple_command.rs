//! Whether a command line is one simple command of POSIX sh. Then `exec` may stand before it, and signals reach the
//! program instead of a shell around it.

/// Words that the shell itself understands, so `exec` cannot run them.
const SHELL_WORDS: &[&str] = &[
    "!", ".", ":", "{", "}", "alias", "bg", "break", "case", "cd", "command", "continue", "eval", "exec",
    "exit", "export", "fg", "for", "getopts", "hash", "if", "jobs", "local", "read", "readonly", "return",
    "set", "shift", "source", "times", "trap", "type", "ulimit", "umask", "unalias", "unset", "until",
    "wait", "while",
];

/// Whether a command line is one simple command: it has no operator, no assignment before the program, and does not
/// begin with one of the shell's own words. Operators inside quotes count as operators: the shell then stays around
/// the program, which costs one process and does no harm.
#[must_use]
pub fn is_simple_command(command: impl AsRef<[u8]>) -> bool {
    let command = command.as_ref();
    let first = command.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()).unwrap_or_default();
    let has_operator = command.iter().any(|byte| b";&|<>()`\n".contains(byte));
    let is_shells = SHELL_WORDS.iter().any(|word| word.as_bytes() == first);
    !has_operator && !first.is_empty() && !first.contains(&b'=') && !is_shells
}

/// The text that `/bin/sh -c` is given for a command line: the same text, with `exec` before it if it is a simple
/// command.
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
