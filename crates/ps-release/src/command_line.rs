//! The command line of an app that has no Procfile, from the arguments of a deploy. It is recorded as one line, so
//! each argument is quoted in a way that both a shell and a Procfile read back correctly.

use std::fmt::Write;

use crate::Error;

/// The arguments of a deploy that replace a Procfile.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandLine<'a> {
    /// A command for a shell. With an interpreter it is the path of a script, and perhaps its arguments.
    pub command: Option<&'a str>,
    /// The program that runs the script.
    pub interpreter: Option<&'a str>,
    /// Further arguments, each taken literally. Without a command the first one is the program.
    pub arguments: &'a [String],
}

impl CommandLine<'_> {
    /// The whole command line; `None` if nothing was given.
    ///
    /// # Errors
    /// An argument cannot be part of a line, or the command is a script for a shell, to which nothing can be added.
    pub fn line(self) -> Result<Option<String>, Error> {
        let adds = self.interpreter.is_some() || !self.arguments.is_empty();
        if let Some(command) = self.command.filter(|command| adds && !is_simple(command)) {
            return Err(Error::NotSimple { command: command.to_owned() });
        }
        let words = self.arguments.iter().map(|word| quoted(word));
        let interpreter = self.interpreter.map(quoted);
        let command = self.command.map(|command| Ok(command.trim().to_owned()));
        let parts: Vec<String> =
            interpreter.into_iter().chain(command).chain(words).collect::<Result<_, _>>()?;
        let line = parts.join(" ");
        // An argument inside quotes may look like an operator. Then a shell reads the line, and `exec` makes sure
        // that the shell does not stay around the program.
        let is_for_a_shell = !self.arguments.is_empty() && !is_simple(&line);
        // An empty command counts as given. It is refused by the caller.
        let is_said = self.command.is_some() || !line.is_empty();
        Ok(is_said.then(|| if is_for_a_shell { format!("exec {line}") } else { line }))
    }
}

/// Whether a command consists of a program and its arguments, whatever values its variables have.
fn is_simple(command: &str) -> bool {
    procfile::words(command, &|_| Some(b"x".to_vec())).is_some()
}

/// The word in quotes, so that a shell reads it back. In a Procfile a blank before `#` or `//` begins a comment, also
/// inside quotes. In such a place the quotes are closed and the character is written with a backslash.
fn quoted(word: &str) -> Result<String, Error> {
    if word.contains(['\n', '\r', '\0']) {
        return Err(Error::NotOneWord { word: word.to_owned() });
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) && !word.starts_with("//") {
        return Ok(word.to_owned());
    }
    let mut line = String::from("'");
    let mut before = None;
    for character in word.chars() {
        let may_begin_comment = matches!(character, '#' | '/') && before.is_some_and(char::is_whitespace);
        if character == '\'' || may_begin_comment {
            // Writing to a string cannot fail.
            let _ = write!(line, "'\\{character}'");
        } else {
            line.push(character);
        }
        before = Some(character);
    }
    line.push('\'');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use procfile::Procfile;

    use super::*;

    fn line(
        command: Option<&str>,
        interpreter: Option<&str>,
        arguments: &[&str],
    ) -> Result<Option<String>, String> {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        CommandLine { command, interpreter, arguments: &arguments }.line().map_err(|error| error.to_string())
    }

    #[test]
    fn an_interpreter_comes_before_the_command_and_arguments_behind_it() {
        assert_eq!(line(None, None, &[]), Ok(None));
        assert_eq!(line(Some("a && b"), None, &[]), Ok(Some("a && b".to_owned())));
        let both = line(Some("app.py $PORT"), Some("python3"), &["-v", "a b"]);
        assert_eq!(both, Ok(Some("python3 app.py $PORT -v 'a b'".to_owned())));
        assert_eq!(line(None, None, &["node", "app.js"]), Ok(Some("node app.js".to_owned())));
        assert_eq!(line(None, None, &["node", ";"]), Ok(Some("exec node ';'".to_owned())));
        for (interpreter, arguments) in [(Some("python3"), &[][..]), (None, &["-v"])] {
            let refused = line(Some("a && b"), interpreter, arguments).expect_err("a script for a shell");
            assert!(refused.contains("\"a && b\""), "{refused}");
        }
        assert!(line(None, None, &["a\nb"]).expect_err("two lines").contains("line end"));
    }

    #[test]
    fn every_argument_reaches_the_program_as_it_is_through_a_procfile() {
        let words = [
            "p",
            "",
            " ",
            "a b",
            "it's",
            "'",
            "\"",
            "\\",
            "$HOME",
            "`id`",
            "a # b",
            "#",
            "//x",
            " // y",
            "http://x//",
            "*",
            "~",
            "a\tb",
            "a\t#b",
            "é #",
            ";",
            "&&",
            "-",
            "--",
            "x=1",
            "{a,b}",
            "!",
            "/",
            "//",
            "a //",
        ];
        let line = line(None, None, &[&["/usr/bin/printf", "%s|"][..], &words].concat())
            .expect("legal")
            .expect("a line");
        let procfile = format!("web: {line}\n");
        let parsed = Procfile::parse(procfile.as_bytes()).expect("a Procfile");
        let command = parsed.entries().next().expect("web").command;
        let command = std::str::from_utf8(command).expect("text");
        let printed = Command::new("/bin/sh").args(["-c", command]).output().expect("a shell");
        let read = String::from_utf8(printed.stdout).expect("text");
        let read: Vec<&str> = read.split_terminator('|').collect();
        assert_eq!(read, words, "{line}");
    }
}
