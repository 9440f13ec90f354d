//! Whether a command may read its stdin, judged by its words. A program that watches files does so and exits when stdin is
//! empty; a shell or a script may, too. A job such as `seq 10` or `echo done; sleep 1` does not.

/// Programs and shell builtins that never read their stdin.
const DEAF: [&str; 34] = [
    ":", "[", "break", "cd", "chmod", "cp", "date", "done", "echo", "exit", "export", "false", "fi", "for",
    "hostname", "id", "kill", "ln", "ls", "mkdir", "mv", "printf", "pwd", "rm", "seq", "set", "sleep",
    "test", "touch", "trap", "true", "umask", "unset", "wait",
];
/// Shell words that may come before a program.
const BEFORE: [&str; 8] = ["!", "do", "else", "exec", "if", "then", "until", "while"];
const SHELLS: [&str; 3] = ["sh", "bash", "dash"];

/// Whether any program in a command line may read stdin. Quotes are ignored; in doubt the answer is yes.
pub(crate) fn may_be_read(command: &str) -> bool {
    let parts = command.split([';', '&', '|', '\n', '(', ')', '{', '}']);
    parts.filter_map(program).any(|program| !DEAF.contains(&program))
}

/// The program of one part of a command line; `None` if the part only has words that come before a program, or is the rest
/// of `2>&1`.
fn program(part: &str) -> Option<&str> {
    let mut words = part.split_whitespace().map(|word| word.trim_matches(['"', '\''])).peekable();
    loop {
        let word = words.next()?;
        let name = word.rsplit('/').next().unwrap_or(word);
        let is_assignment = word.split_once('=').is_some_and(|(name, _)| is_name(name));
        let behind_number = word.trim_start_matches(|letter: char| letter.is_ascii_digit());
        let is_redirection = behind_number.is_empty() || behind_number.starts_with(['<', '>']);
        let is_script = |flag: &&str| flag.starts_with('-') && flag.ends_with('c');
        if SHELLS.contains(&name) && words.next_if(is_script).is_some() {
            continue;
        }
        if !is_assignment && !is_redirection && !BEFORE.contains(&name) {
            return Some(name);
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_surely_reads_nothing_is_deaf() {
        for command in [
            "seq 10",
            "/usr/bin/seq 10",
            "echo a; sleep 1",
            "A=1 exec echo x >&2",
            "for i in 1 2 3; do echo $i; done",
            "sh -c 'echo x; exit 0'",
            "bash -ec \"printf x\"",
            "[ -e x ] && touch y",
            "while true; do sleep 1; done",
            "(echo a; echo b) 2>&1",
        ] {
            assert!(!may_be_read(command), "{command}");
        }
        for command in [
            "cat",
            "cat; echo done",
            "esbuild --watch",
            "node build.mjs",
            "bash",
            "sh -c 'read x; echo $x'",
            "echo start; bin/watch",
            "FOO=1 ./watch",
            "echo x | tee y",
            "while read x; do echo $x; done",
        ] {
            assert!(may_be_read(command), "{command}");
        }
    }
}
