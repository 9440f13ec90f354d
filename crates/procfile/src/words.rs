//! Splits a simple command into words as a POSIX shell does, so that it can be executed without one. It gives up
//! wherever a shell would do more than quote, split, and fill in variables with known values.

use crate::ambient::Ambient;
use crate::simple_command::is_simple_command;

/// Variables that the shell sets itself, so only the shell knows their values.
const SHELLS_OWN: [&[u8]; 12] = [
    b"IFS", b"LINENO", b"OLDPWD", b"OPTIND", b"PPID", b"PS1", b"PS2", b"PS4", b"PWD", b"SHLVL", b"UID", b"_",
];

/// The program and the arguments that a shell would execute for a command line; `None` if the shell is needed.
/// `known` returns the value of an environment variable.
///
/// ```
/// let known = |name: &[u8]| (name == b"PORT").then(|| b"5000".to_vec());
/// let words = procfile::words("web -p $PORT 'a b'", &known).expect("simple");
/// assert_eq!(words, [&b"web"[..], b"-p", b"5000", b"a b"]);
/// assert_eq!(procfile::words("web >log", &known), None);
/// ```
#[must_use]
pub fn words(command: &str, known: &Ambient<'_>) -> Option<Vec<Vec<u8>>> {
    if !is_simple_command(command) {
        return None;
    }
    let mut reader = Reader { rest: command.as_bytes(), known, done: Vec::new(), word: None };
    while let Some((&byte, rest)) = reader.rest.split_first() {
        reader.rest = rest;
        reader.take(byte)?;
    }
    reader.end_word();
    reader.done.first().is_some_and(|program| !program.is_empty()).then_some(reader.done)
}

struct Reader<'a> {
    rest: &'a [u8],
    known: &'a Ambient<'a>,
    done: Vec<Vec<u8>>,
    /// The word so far, if one has begun. Quotes begin a word even if nothing follows in them.
    word: Option<Vec<u8>>,
}

impl Reader<'_> {
    /// Takes a byte outside of quotes; `None` if the shell is needed.
    fn take(&mut self, byte: u8) -> Option<()> {
        match byte {
            b' ' | b'\t' => self.end_word(),
            b'\'' => {
                let end = memchr::memchr(b'\'', self.rest)?;
                let inside = &self.rest[..end];
                self.rest = &self.rest[end + 1..];
                self.begun().extend_from_slice(inside);
            }
            b'"' => self.double_quoted()?,
            b'\\' => {
                let (&next, rest) = self.rest.split_first()?;
                self.rest = rest;
                self.begun().push(next);
            }
            b'$' => {
                let value = self.reference()?;
                self.split(&value)?;
            }
            // Patterns, braces, a home directory, control characters.
            b'*' | b'?' | b'[' | b'{' | b'}' | b'~' | 0..=0x1f | 0x7f => return None,
            b'#' if self.word.is_none() => return None,
            byte => self.begun().push(byte),
        }
        Some(())
    }

    fn double_quoted(&mut self) -> Option<()> {
        self.begun();
        loop {
            let (&byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            match byte {
                b'"' => return Some(()),
                b'\\' => {
                    let next = *self.rest.first()?;
                    if b"$\"\\`".contains(&next) {
                        self.rest = &self.rest[1..];
                        self.begun().push(next);
                    } else {
                        self.begun().push(b'\\');
                    }
                }
                b'$' => {
                    let value = self.reference()?;
                    self.begun().extend_from_slice(&value);
                }
                byte => self.begun().push(byte),
            }
        }
    }

    /// The value of the variable whose `$` was just taken; `None` if the shell is needed.
    fn reference(&mut self) -> Option<Vec<u8>> {
        let inside = self.rest.strip_prefix(b"{");
        let text = inside.unwrap_or(self.rest);
        let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let (name, behind) = text.split_at(text.iter().take_while(is_name).count());
        if name.first().is_none_or(u8::is_ascii_digit) || SHELLS_OWN.contains(&name) {
            return None;
        }
        self.rest = if inside.is_some() { behind.strip_prefix(b"}")? } else { behind };
        (self.known)(name)
    }

    /// Adds a value that stands outside of quotes. White space in the value ends words.
    fn split(&mut self, value: &[u8]) -> Option<()> {
        for byte in value {
            match byte {
                b' ' | b'\t' | b'\n' => self.end_word(),
                b'*' | b'?' | b'[' | b'\\' => return None,
                byte => self.begun().push(*byte),
            }
        }
        Some(())
    }

    fn begun(&mut self) -> &mut Vec<u8> {
        self.word.get_or_insert_default()
    }

    fn end_word(&mut self) {
        self.done.extend(self.word.take());
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const KNOWN: [(&str, &str); 5] =
        [("A", "1"), ("EMPTY", ""), ("TWO", " a  b "), ("STAR", "*"), ("QUOTE", "'x")];

    fn known(name: &[u8]) -> Option<Vec<u8>> {
        KNOWN.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, value)| value.as_bytes().to_vec())
    }

    #[test]
    fn words_are_those_of_the_shell() {
        let lines = [
            "a b",
            "  a\tb  ",
            "a 'b c' \"d e\"",
            "a '' \"\"",
            "a \\  b\\ c",
            "a \"\\$A \\\\ \\x \\\"\"",
            "a $A ${A}x",
            "a \"$TWO\" $TWO x$TWO",
            "a $TWO$A",
            "a $EMPTY \"$EMPTY\"",
            "a$A",
            "a b#c",
            "a $QUOTE",
            "a 'x'\"y\"z",
            "a -p=$A",
            "a \"*\" '?'",
            "a é",
            "a !",
            "a %h,@x:+/.-_^",
            "a \"it's\"",
            "a \"$STAR\"",
            "$A b",
            "a =x b=c",
            "a \"x~\"",
            "a '${A}'",
            "a \\$A",
            "a $EMPTY$EMPTY",
            "a \"#\"",
            "a 'b'#c",
        ];
        for line in lines {
            let words = words(line, &known).unwrap_or_else(|| panic!("{line:?} needs no shell"));
            let said: Vec<u8> = words.iter().flat_map(|word| word.iter().copied().chain([b'\n'])).collect();
            let script = format!("set -- {line}; for word; do printf '%s\\n' \"$word\"; done");
            let shell =
                Command::new("/bin/sh").arg("-c").arg(script).env_clear().envs(KNOWN).output().expect("sh");
            assert_eq!(said.escape_ascii().to_string(), shell.stdout.escape_ascii().to_string(), "{line:?}");
        }
    }

    #[test]
    fn whatever_needs_a_shell_is_left_to_it() {
        for line in [
            "",
            "  ",
            "a | b",
            "a >b",
            "A=1 b",
            "cd x",
            "a *",
            "a b?",
            "a [x]",
            "a ~",
            "a ~/x",
            "a {b,c}",
            "a # b",
            "a $1",
            "a $$",
            "a $?",
            "a $@",
            "a ${A:-x}",
            "a ${A",
            "a $UNSET",
            "a \"$UNSET\"",
            "a $PWD",
            "a $IFS",
            "a 'b",
            "a \"b",
            "a b\\",
            "a $STAR",
            "a $'x'",
            "a $\"x\"",
            "a `b`",
            "a $(b)",
            "a & b",
            "exec a",
            "$EMPTY",
            "\"\" b",
            "a\nb",
            "a $",
        ] {
            assert_eq!(words(line, &known), None, "{line:?}");
        }
    }
}
