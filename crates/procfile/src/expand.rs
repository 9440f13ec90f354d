//! Expansion of the variables in a command, as Dokku's `procfile-util show` does it: one pass from left to right,
//! over bytes. Quotes and backslashes have no meaning, values are not expanded again, and `$(` is left for the shell.

use crate::ambient::Ambient;
use crate::env_file::EnvFile;

/// The values that the variables of a command have. The env file is asked first, then the environment of the caller,
/// then `PS` and `PORT`. Every other variable is empty.
#[derive(Clone, Copy)]
pub struct Variables<'a> {
    /// The variables of an env file. A variable of the file wins even if its value is empty.
    pub env_file: Option<&'a EnvFile>,
    /// The environment of the caller, asked by name. An empty value counts as not set.
    pub ambient: Option<&'a Ambient<'a>>,
    /// The value of `PS`: the process type, such as `web`, or another name of the process.
    pub ps: &'a str,
    /// The value of `PORT`.
    pub port: i64,
}

impl<'a> Variables<'a> {
    /// The values of `PS` and `PORT` alone.
    pub fn new(ps: &'a str, port: i64) -> Self {
        Self { env_file: None, ambient: None, ps, port }
    }

    /// The value of a variable; `None` if nothing defines it.
    pub fn get(&self, name: &[u8]) -> Option<Vec<u8>> {
        if let Some(value) = self.env_file.and_then(|file| file.get_bytes(name)) {
            return Some(value.to_vec());
        }
        let ambient = self.ambient.filter(|_| name != b"PS").and_then(|ask| ask(name));
        match name {
            _ if ambient.as_ref().is_some_and(|value| !value.is_empty()) => ambient,
            b"PS" => Some(self.ps.into()),
            b"PORT" => Some(self.port.to_string().into()),
            _ => None,
        }
    }
}

/// Expands the variables of a command. A variable that nothing defines becomes empty.
///
/// ```
/// let variables = procfile::Variables::new("web", 5000);
/// assert_eq!(procfile::expand(b"serve -p $PORT --name ${PS}.$X", &variables), b"serve -p 5000 --name web.");
/// ```
pub fn expand(command: &[u8], variables: &Variables<'_>) -> Vec<u8> {
    let mut expanded = Vec::with_capacity(command.len() + 16);
    for piece in pieces(command) {
        match piece {
            Piece::Text(text) => expanded.extend_from_slice(text),
            Piece::Variable { name, .. } => expanded.extend(variables.get(name).unwrap_or_default()),
            Piece::Dropped(_) => {}
        }
    }
    expanded
}

/// A part of a command. All parts together, each as it was written, are the whole command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Text that is kept.
    Text(&'a [u8]),
    /// A variable: its name, and how the reference is written.
    Variable { name: &'a [u8], written: &'a [u8] },
    /// Broken syntax that is removed: `${}`, or a `${` that is never closed.
    Dropped(&'a [u8]),
}

/// The parts of a command, from left to right.
pub(crate) fn pieces(command: &[u8]) -> Pieces<'_> {
    Pieces { rest: command, last_brace: memchr::memrchr(b'}', command) }
}

/// An iterator over the parts of a command.
pub(crate) struct Pieces<'a> {
    rest: &'a [u8],
    /// Where the last `}` of the command is. Searching for it at each `${` would take quadratic time in a command
    /// without any.
    last_brace: Option<usize>,
}

impl<'a> Pieces<'a> {
    /// The text that has not been handed out yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Skips the next bytes.
    pub(crate) fn skip_bytes(&mut self, len: usize) {
        self.rest = &self.rest[len..];
        self.last_brace = self.last_brace.and_then(|at| at.checked_sub(len));
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let piece = match memchr::memchr(b'$', self.rest).unwrap_or(self.rest.len()) {
            0 if self.rest.is_empty() => return None,
            0 => reference(self.rest, self.last_brace.is_some()),
            dollar => Piece::Text(&self.rest[..dollar]),
        };
        self.skip_bytes(piece.written().len());
        Some(piece)
    }
}

impl<'a> Piece<'a> {
    /// How the part was written.
    pub(crate) fn written(&self) -> &'a [u8] {
        match self {
            Self::Text(written) | Self::Variable { written, .. } | Self::Dropped(written) => written,
        }
    }
}

/// Reads the reference at the beginning of `text`, which begins with `$`.
fn reference(text: &[u8], may_close: bool) -> Piece<'_> {
    match text.get(1) {
        Some(b'(') => Piece::Text(&text[..2]),
        Some(b'{') => braced(text, may_close),
        Some(byte) if is_special(*byte) => Piece::Variable { name: &text[1..2], written: &text[..2] },
        _ => {
            let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
            match text[1..].iter().take_while(is_name).count() {
                0 => Piece::Text(&text[..1]),
                len => Piece::Variable { name: &text[1..=len], written: &text[..=len] },
            }
        }
    }
}

fn braced(text: &[u8], may_close: bool) -> Piece<'_> {
    let end = if may_close { memchr::memchr(b'}', text) } else { None };
    match end {
        None => Piece::Dropped(&text[..2]),
        Some(2) => Piece::Dropped(&text[..3]),
        Some(end) => Piece::Variable { name: &text[2..end], written: &text[..=end] },
    }
}

/// Whether a byte is the one-letter name of a shell's special parameter, such as `?` in `$?`.
fn is_special(byte: u8) -> bool {
    matches!(byte, b'*' | b'#' | b'$' | b'@' | b'!' | b'?' | b'-' | b'0'..=b'9')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(command: &str) -> String {
        String::from_utf8(expand(command.as_bytes(), &Variables::new("web", 5000))).expect("text")
    }

    #[test]
    fn the_grammar_is_the_one_of_show() {
        for (command, expected) in [
            ("a $PORT ${PORT} $PS", "a 5000 5000 web"),
            ("\\$PORT '$PORT'", "\\5000 '5000'"),
            ("a $ $/ $. $\" $é $", "a $ $/ $. $\" $é $"),
            ("a $12 $* $$ $# b", "a 2    b"),
            ("${PORT:-3000}|${ PORT }|${12}|${}", "|||"),
            ("a ${PORT b", "a PORT b"),
            ("a $(echo $PORT) b", "a $(echo 5000) b"),
            ("$PORTS$PORT_1", ""),
            ("${PORT}${PORT", "5000PORT"),
        ] {
            assert_eq!(plain(command), expected, "{command:?}");
        }
    }

    #[test]
    fn the_env_file_wins_then_the_environment() {
        let file = EnvFile::parse(b"EMPTY=\nPORT=1\n").expect("legal");
        let ask = |name: &[u8]| match name {
            b"EMPTY" | b"HOME" | b"PS" => Some(b"ambient".to_vec()),
            b"BLANK" => Some(Vec::new()),
            _ => None,
        };
        let variables =
            Variables { env_file: Some(&file), ambient: Some(&ask), ..Variables::new("web", 5000) };
        let command = b"[$EMPTY][$PORT][$HOME][$PS][$BLANK]";
        assert_eq!(expand(command, &variables), b"[][1][ambient][web][]");
    }

    #[test]
    fn pieces_joined_are_the_command() {
        for command in ["", "$", "${", "${}${a}$b$(c)$$$", "x${y${z"] {
            let joined: Vec<u8> = pieces(command.as_bytes()).flat_map(|p| p.written().to_vec()).collect();
            assert_eq!(joined, command.as_bytes());
        }
    }
}
