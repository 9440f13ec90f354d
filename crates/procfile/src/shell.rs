//! Expansion of variables with more rules than Dokku has, if a flag asks for it: defaults as in a shell (`${A:-x}`),
//! unknown variables left as written, and a list of the variables that nothing defines.

use std::collections::HashMap;
use std::ops::Range;

use crate::expand::{self, Piece, Variables};

/// How deeply a default may contain another default, as in `${A:-${B:-x}}`. Deeper ones stay as written.
const MAX_DEPTH: usize = 32;

/// Which rules the expansion follows. The default is Dokku's way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Understand `${X:-y}`, `${X-y}`, `${X:?message}` and `${X?message}` as a shell does.
    pub shell_defaults: bool,
    /// Leave a variable that nothing defines as written. Without this it becomes empty.
    pub keep_unknown: bool,
}

/// A command after expansion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    /// The command.
    pub command: Vec<u8>,
    /// The variables that nothing defines. One that is used twice is listed twice.
    pub unresolved: Vec<String>,
    /// Each `${X:?message}` whose variable is not set, as variable and message.
    pub demanded: Vec<(String, String)>,
}

/// Expands a command by the rules of a style, and reports which variables nothing defines.
///
/// ```
/// use procfile::{Style, Variables, expand_in_style};
///
/// let style = Style { shell_defaults: true, ..Style::default() };
/// let done = expand_in_style(b"serve -p ${PORT:-80} -h ${HOST:-localhost} $X", &Variables::new("web", 5000), style);
/// assert_eq!(done.command, b"serve -p 5000 -h localhost ");
/// assert_eq!(done.unresolved, ["X"]);
/// ```
pub fn expand_in_style(command: &[u8], variables: &Variables<'_>, style: Style) -> Expanded {
    let braces = if style.shell_defaults { matching_braces(command) } else { HashMap::new() };
    let mut expansion = Expansion { command, braces, variables, style, done: Expanded::default() };
    expansion.text(0..command.len(), 0);
    expansion.done
}

struct Expansion<'a> {
    command: &'a [u8],
    /// For each `${`, the place of the `}` that closes it.
    braces: HashMap<usize, usize>,
    variables: &'a Variables<'a>,
    style: Style,
    done: Expanded,
}

/// A reference with a shell operator: `${name operator word}`.
struct Operation<'a> {
    name: &'a [u8],
    /// Whether the operator has a colon, so that an empty value counts as not set.
    colon: bool,
    operator: u8,
    word: Range<usize>,
}

impl<'a> Expansion<'a> {
    fn text(&mut self, range: Range<usize>, depth: usize) {
        let mut pieces = expand::pieces(&self.command[range.clone()]);
        while !pieces.rest().is_empty() {
            let at = range.end - pieces.rest().len();
            if let Some(operation) = self.operation_at(at).filter(|_| depth < MAX_DEPTH) {
                self.operation(&operation, depth);
                pieces.skip_bytes(operation.word.end + 1 - at);
            } else if let Some(piece) = pieces.next() {
                self.piece(&piece);
            }
        }
    }

    fn piece(&mut self, piece: &Piece<'_>) {
        match piece {
            Piece::Text(plain) => self.done.command.extend_from_slice(plain),
            Piece::Variable { name, written } => match self.variables.get(name) {
                Some(value) => self.done.command.extend(value),
                None => self.unknown(name, written),
            },
            Piece::Dropped(written) if self.style.keep_unknown => {
                self.done.command.extend_from_slice(written);
            }
            Piece::Dropped(_) => {}
        }
    }

    fn unknown(&mut self, name: &[u8], written: &[u8]) {
        self.done.unresolved.push(String::from_utf8_lossy(name).into_owned());
        if self.style.keep_unknown {
            self.done.command.extend_from_slice(written);
        }
    }

    fn operation(&mut self, operation: &Operation<'_>, depth: usize) {
        let value = self.variables.get(operation.name);
        match value.filter(|value| !operation.colon || !value.is_empty()) {
            Some(value) => self.done.command.extend(value),
            None if operation.operator == b'-' => self.text(operation.word.clone(), depth + 1),
            None => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let message = text(&self.command[operation.word.clone()]);
                self.done.demanded.push((text(operation.name), message));
            }
        }
    }

    /// The operation that begins at a place; `None` if none begins there.
    fn operation_at(&self, at: usize) -> Option<Operation<'a>> {
        let end = *self.braces.get(&at)?;
        let inside = &self.command[at + 2..end];
        let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        let name_len = inside.iter().take_while(is_name).count();
        if name_len == 0 || inside[0].is_ascii_digit() {
            return None;
        }
        let (name, behind) = inside.split_at(name_len);
        let colon = behind.first() == Some(&b':');
        let behind = &behind[usize::from(colon)..];
        let operator = *behind.first().filter(|byte| matches!(byte, b'-' | b'?'))?;
        Some(Operation { name, colon, operator, word: end + 1 - behind.len()..end })
    }
}

/// Finds the closing brace of each `${`. Braces that open inside are closed first.
fn matching_braces(command: &[u8]) -> HashMap<usize, usize> {
    let (mut open, mut closed) = (Vec::new(), HashMap::new());
    for at in memchr::memchr2_iter(b'{', b'}', command) {
        match command[at] {
            b'}' => closed.extend(open.pop().map(|start| (start, at))),
            _ if command[..at].ends_with(b"$") => open.push(at - 1),
            _ => {}
        }
    }
    closed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EnvFile;

    fn with(command: &str, style: Style) -> Expanded {
        let file = EnvFile::parse(b"EMPTY=\nA=1\n").expect("legal");
        let variables = Variables { env_file: Some(&file), ..Variables::new("web", 5000) };
        expand_in_style(command.as_bytes(), &variables, style)
    }

    fn text(command: &str, style: Style) -> String {
        String::from_utf8(with(command, style).command).expect("text")
    }

    #[test]
    fn defaults_are_those_of_a_shell() {
        let style = Style { shell_defaults: true, ..Style::default() };
        for (command, expected) in [
            ("${A:-x}|${A-x}", "1|1"),
            ("${EMPTY:-x}|${EMPTY-x}", "x|"),
            ("${NO:-x y}|${NO-}", "x y|"),
            ("${NO:-${EMPTY:-$A}}z", "1z"),
            ("${NO:-$PORT", "NO:-5000"),
            ("${A:?no}", "1"),
            ("${A}$PORT$(x)$NO", "15000$(x)"),
        ] {
            assert_eq!(text(command, style), expected, "{command}");
        }
        let demanded = with("${NO:?is needed} ${EMPTY?x} ${EMPTY:?}", style).demanded;
        assert_eq!(demanded, [("NO".into(), "is needed".into()), ("EMPTY".into(), String::new())]);
    }

    #[test]
    fn unknown_variables_can_be_kept() {
        let style = Style { keep_unknown: true, ..Style::default() };
        assert_eq!(text("$A $NO ${NO} ${NO:-x} $$ ${", style), "1 $NO ${NO} ${NO:-x} $$ ${");
        assert_eq!(with("$NO ${NO} $A", style).unresolved, ["NO", "NO"]);
    }

    #[test]
    fn without_a_style_it_is_dokkus_expansion() {
        for command in ["$A ${A:-x} ${PORT} $$ ${ $(x) \\$A é$", "${${${", "a"] {
            let variables = Variables::new("web", 5000);
            let styled = expand_in_style(command.as_bytes(), &variables, Style::default());
            assert_eq!(styled.command, expand::expand(command.as_bytes(), &variables), "{command}");
        }
    }

    #[test]
    fn depth_is_limited() {
        let style = Style { shell_defaults: true, ..Style::default() };
        let nested = |depth| format!("{}x{}", "${N:-".repeat(depth), "}".repeat(depth));
        assert_eq!(text(&nested(MAX_DEPTH), style), "x");
        assert!(text(&nested(100_000), style).ends_with("}}"));
        assert!(text(&"${N:-".repeat(100_000), style).starts_with("N:-"));
    }
}
