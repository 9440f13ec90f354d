//! The command of another process manager, and the line for `sh` that it becomes in a Procfile.

use formation::MAX_NAME_BYTES;
use procfile::{MAX_LINE_BYTES, is_simple_command};

/// A part of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Text without any special meaning.
    Literal(String),
    /// A variable, written for `sh` as `${X}`. Outside of quotes, its value may become several words.
    Variable { written: String, quoted: bool },
}

/// One argument.
pub(crate) type Word = Vec<Piece>;

/// What a process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// A program and its arguments.
    Argv(Vec<Word>),
    /// A line for `sh`.
    Script(String),
}

/// Reserved words of the shell: a line that begins with one of them does not run the program of that name.
const RESERVED: &[&str] = &[
    "!", "{", "}", "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in",
    "select", "then", "time", "until", "while",
];

impl Command {
    /// The line for `sh`; the error says why there is none.
    pub(crate) fn line(&self) -> Result<String, &'static str> {
        let line = match self.unwrapped() {
            Self::Script(script) => script.trim().to_owned(),
            Self::Argv(words) => argv_line(&words),
        };
        if line.is_empty() {
            return Err("the command is empty");
        }
        if line.contains(['\n', '\r']) {
            return Err(
                "the command has several lines, a Procfile's has one: put it into a script of the app",
            );
        }
        if line.chars().any(|c| c.is_control() && c != '\t') {
            return Err("the command holds a control character");
        }
        Ok(if survives(&line) { line } else { argv_line(&[literal("sh"), literal("-c"), literal(&line)]) })
    }

    /// The script, if the command is `sh -c script`: a Procfile's command is a script for `sh` already.
    fn unwrapped(&self) -> Self {
        let Self::Argv(words) = self else { return self.clone() };
        let [shell, flag, script] = &words[..] else { return self.clone() };
        let is = |word: &Word, texts: &[&str]| matches!(&word[..], [Piece::Literal(text)] if texts.contains(&text.as_str()));
        if !is(shell, &["sh", "/bin/sh"]) || !is(flag, &["-c"]) {
            return self.clone();
        }
        // The other manager replaces variables inside of single quotes too, and the shell does not.
        let filled_in = script.iter().any(|piece| matches!(piece, Piece::Variable { .. }));
        let shields = |piece: &Piece| matches!(piece, Piece::Literal(text) if text.contains(['\'', '\\']));
        if filled_in && script.iter().any(shields) {
            return self.clone();
        }
        let written: String = script.iter().map(Piece::as_written).collect();
        Self::Script(without_exec(&written).to_owned())
    }
}

impl Piece {
    fn as_written(&self) -> &str {
        match self {
            Self::Literal(text) => text,
            Self::Variable { written, .. } => written,
        }
    }
}

/// A word of literal text.
pub(crate) fn literal(text: &str) -> Word {
    vec![Piece::Literal(text.to_owned())]
}

/// The script without its leading `exec`, if the script is a simple command, where `exec` changes nothing.
pub(crate) fn without_exec(script: &str) -> &str {
    match script.strip_prefix("exec ") {
        Some(rest) if is_simple_command(rest) => rest,
        _ => script,
    }
}

/// A line that runs `line` in a directory; `None` if no Procfile can hold it. If the directory cannot be entered, no part of `line` is
/// run, however many commands `line` has.
pub(crate) fn entering(directory: &str, line: &str) -> Option<String> {
    let way = quoted(
        &if directory.starts_with('-') { format!("./{directory}") } else { directory.to_owned() },
        false,
    );
    let then = if is_simple_command(line) { "&&" } else { "|| exit;" };
    let line = format!("cd {way} {then} {line}");
    (line.len() + MAX_NAME_BYTES + 2 <= MAX_LINE_BYTES && survives(&line)).then_some(line)
}

/// A line that runs `line` with these variables, each of which has the value of another one.
pub(crate) fn with_variables(variables: &[(&str, &str)], line: &str) -> String {
    let set: Vec<String> =
        variables.iter().map(|(name, stored)| format!("{name}=\"${{{stored}}}\"")).collect();
    match (set.is_empty(), is_simple_command(line)) {
        (true, _) => line.to_owned(),
        (false, true) => format!("env {} {line}", set.join(" ")),
        (false, false) => format!("export {}; {line}", set.join(" ")),
    }
}

/// Whether the Procfile's grammar reads a command as it stands.
fn survives(line: &str) -> bool {
    let text = format!("x: {line}");
    procfile::Procfile::parse(text.as_bytes())
        .is_ok_and(|read| read.get("x").is_some_and(|entry| entry.command == line.as_bytes()))
}

fn argv_line(words: &[Word]) -> String {
    let shown = words.iter().enumerate().map(|(at, word)| shown(word, at == 0));
    shown.collect::<Vec<_>>().join(" ")
}

fn shown(word: &Word, first: bool) -> String {
    if word.is_empty() {
        return "''".to_owned();
    }
    let alone = word.len() == 1;
    let piece = |piece: &Piece| match piece {
        Piece::Literal(text) if text.is_empty() && !alone => String::new(),
        Piece::Literal(text) => quoted(text, first),
        Piece::Variable { written, quoted: true } => format!("\"{written}\""),
        Piece::Variable { written, quoted: false } => written.clone(),
    };
    word.iter().map(piece).collect()
}

/// A word for `sh`, quoted only where it must be. A blank before `#` or `//` is separated from it by quotes, because the two would begin
/// a comment of the Procfile.
fn quoted(text: &str, first: bool) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+:,./-".contains(&byte);
    let bare = text.bytes().all(|byte| plain(byte) || (byte == b'=' && !first));
    let special = text.is_empty() || text.starts_with("//") || (first && RESERVED.contains(&text));
    if bare && !special {
        return text.to_owned();
    }
    let mut quoted = String::from("'");
    let mut blank = false;
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("'\\''"),
            '#' | '/' if blank => {
                quoted.push_str("''");
                quoted.push(c);
            }
            c => quoted.push(c),
        }
        blank = c.is_ascii_whitespace();
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> String {
        Command::Argv(words.iter().map(|word| literal(word)).collect()).line().expect("a line")
    }

    #[test]
    fn arguments_reach_the_program_as_they_are() {
        for words in [
            &["a", "", "b c", "it's", "$HOME", "`x`", "a\\"][..],
            &["a", "x # y", "x // y", "//host", "#", "x #", "\t#"],
            &["A=b", "A=b"],
            &["if", "~", "*", "a;b", "-x", "é "],
        ] {
            let line = line(words);
            assert!(survives(&line), "{line}");
            assert_eq!(shlex::split(&line).expect("words"), words, "{line}");
        }
        assert_eq!(line(&["node", "--port=1", "a.js"]), "node --port=1 a.js");
    }

    #[test]
    fn a_directory_is_entered_by_all_of_a_line_or_none() {
        assert_eq!(entering("a b", "x -y").as_deref(), Some("cd 'a b' && x -y"));
        assert_eq!(entering("-", "x; y &").as_deref(), Some("cd ./- || exit; x; y &"));
        assert_eq!(entering("/srv/# x", "y").as_deref(), Some("cd '/srv/# x' && y"));
        assert_eq!(entering("a", "x # y"), None);
    }

    #[test]
    fn a_shells_script_is_the_line_itself() {
        assert_eq!(line(&["sh", "-c", "exec bin/serve -p $PORT"]), "bin/serve -p $PORT");
        assert_eq!(line(&["/bin/sh", "-c", " a && exec b\n"]), "a && exec b");
        assert_eq!(line(&["bash", "-c", "a && b"]), "bash -c 'a && b'");
        assert_eq!(line(&["sh", "-c", "a # b"]), "sh -c 'a ''# b'");
        let variable = || Piece::Variable { written: "${X}".to_owned(), quoted: true };
        let script = |before: &str| vec![Piece::Literal(before.to_owned()), variable()];
        let of = |script| Command::Argv(vec![literal("sh"), literal("-c"), script]).line();
        assert_eq!(of(script("run ")).as_deref(), Ok("run ${X}"));
        assert_eq!(of(script("run \\")).as_deref(), Ok("sh -c 'run \\'\"${X}\""));
        assert!(Command::Script("a\nweb: b".to_owned()).line().is_err());
        assert!(Command::Script(" \n".to_owned()).line().is_err());
    }
}
