//! References `$NAME` and `${NAME…}` in the values of our own grammar. A reference to a name that nothing defines
//! stays as written, with a warning. `$(…)` and backquotes are plain text, because no command is run here.

use crate::ambient::Ambient;
use crate::env_file::EnvFile;
use crate::env_file_error::{EnvFileError, EnvFileWarning, Oddity};

/// How deeply a reference may stand inside the default of another one. Nobody needs more.
const MAX_DEPTH: usize = 32;

/// The variable whose value is read, and the variables that its references may name.
pub(super) struct Scope<'a> {
    pub(super) line: usize,
    /// The variable whose value is read.
    pub(super) name: &'a [u8],
    /// The variables that exist before the file is read.
    pub(super) known: &'a Ambient<'a>,
    /// The variables of the file so far. They are asked first.
    pub(super) file: &'a mut EnvFile,
    /// Whether a backslash is an escape, as it is between double quotes.
    pub(super) has_escapes: bool,
}

/// What stands between `${NAME` and `}`.
enum Form<'a> {
    Plain,
    /// `-` or `:-`, and the text that is used if the variable is not set.
    Default(&'a [u8]),
    /// `+` or `:+`, and the text that is used if the variable is set.
    Instead(&'a [u8]),
    /// `?` or `:?`: the variable must be set.
    Required,
}

/// Replaces the references of a value, and its escapes if it has them.
pub(super) fn expanded(text: &[u8], scope: &mut Scope<'_>) -> Result<Vec<u8>, EnvFileError> {
    let mut plain = Vec::with_capacity(text.len());
    scope.expand(text, 0, &mut plain)?;
    Ok(plain)
}

impl Scope<'_> {
    fn expand(&mut self, text: &[u8], depth: usize, into: &mut Vec<u8>) -> Result<(), EnvFileError> {
        let mut rest = text;
        while let Some(at) = memchr::memchr2(b'$', b'\\', rest) {
            into.extend_from_slice(&rest[..at]);
            let here = &rest[at..];
            let len =
                if here[0] == b'$' { self.reference(here, depth, into)? } else { self.backslash(here, into) };
            rest = &here[len..];
        }
        into.extend_from_slice(rest);
        Ok(())
    }

    /// Reads the escape at the beginning of `text`, which begins with a backslash. Returns how many bytes it has.
    fn backslash(&self, text: &[u8], into: &mut Vec<u8>) -> usize {
        let escaped = match text.get(1) {
            Some(b'$') => Some(b'$'),
            Some(byte) if self.has_escapes => escaped(*byte),
            _ => None,
        };
        into.push(escaped.unwrap_or(b'\\'));
        1 + usize::from(escaped.is_some())
    }

    /// Reads the reference at the beginning of `text`, which begins with `$`. Returns how many bytes it has.
    fn reference(&mut self, text: &[u8], depth: usize, into: &mut Vec<u8>) -> Result<usize, EnvFileError> {
        let behind = &text[1..];
        let name = name_of(behind);
        if behind.first() == Some(&b'{') {
            return self.braced(text, depth, into);
        }
        if behind.first() == Some(&b'$') {
            return Ok(self.two_dollars(text, into));
        }
        if name.is_empty() {
            into.push(b'$');
            return Ok(1);
        }
        let whole = &text[..=name.len()];
        self.put(whole, name, into)?;
        Ok(whole.len())
    }

    /// `$$NAME` of a variable that is set is how Compose writes a literal `$NAME`. Any other `$$` is two characters.
    fn two_dollars(&self, text: &[u8], into: &mut Vec<u8>) -> usize {
        let name = name_of(&text[2..]);
        if !name.is_empty() && self.find(name).is_some() {
            into.extend_from_slice(&text[1..2 + name.len()]);
            return 2 + name.len();
        }
        into.push(b'$');
        if text.get(2) == Some(&b'{') {
            return 1;
        }
        into.push(b'$');
        2
    }

    fn braced(&mut self, text: &[u8], depth: usize, into: &mut Vec<u8>) -> Result<usize, EnvFileError> {
        let bad = || EnvFileError::BadReference { line: self.line, name: EnvFileError::shown(self.name) };
        let end = self.closing_brace(text).filter(|_| depth < MAX_DEPTH).ok_or_else(bad)?;
        let (whole, inside) = (&text[..=end], &text[2..end]);
        let name = name_of(inside);
        let tail = &inside[name.len()..];
        let (counts_empty, tail) = tail.strip_prefix(b":").map_or((true, tail), |tail| (false, tail));
        let form = match (tail.first(), counts_empty) {
            (Some(b'-'), _) => Form::Default(&tail[1..]),
            (Some(b'+'), _) => Form::Instead(&tail[1..]),
            (Some(b'?'), _) => Form::Required,
            (None, true) => Form::Plain,
            _ => return Err(bad()),
        };
        if name.is_empty() {
            return Err(bad());
        }
        let is_there = self.find(name).is_some_and(|value| counts_empty || !value.is_empty());
        match form {
            Form::Default(text) if !is_there => self.expand(text, depth + 1, into)?,
            Form::Instead(text) if is_there => self.expand(text, depth + 1, into)?,
            Form::Instead(_) => (),
            Form::Required if !is_there => {
                let (name, wanted) = (EnvFileError::shown(self.name), EnvFileError::shown(name));
                return Err(EnvFileError::Required { line: self.line, name, wanted });
            }
            Form::Plain | Form::Default(_) | Form::Required => self.put(whole, name, into)?,
        }
        Ok(whole.len())
    }

    /// Where the brace of a `${` is closed. A `${` inside is closed first.
    fn closing_brace(&self, text: &[u8]) -> Option<usize> {
        let (mut at, mut open) = (2, 1);
        loop {
            at += text[at..].iter().position(|byte| b"\\${}".contains(byte))?;
            match text[at] {
                b'\\' if self.has_escapes => at += 1,
                b'$' if text.get(at + 1) == Some(&b'{') => {
                    open += 1;
                    at += 1;
                }
                b'}' => open -= 1,
                _ => (),
            }
            if open == 0 {
                return Some(at);
            }
            at += 1;
            if at >= text.len() {
                return None;
            }
        }
    }

    /// Adds the value of `name`, or `whole`, which is the reference as written, if nothing defines the name.
    fn put(&mut self, whole: &[u8], name: &[u8], into: &mut Vec<u8>) -> Result<(), EnvFileError> {
        if let Some(value) = self.find(name) {
            into.extend_from_slice(&value);
        } else {
            into.extend_from_slice(whole);
            self.file.warn(EnvFileWarning::new(self.line, self.name, Oddity::Undefined));
        }
        // Values that consist of other values can double in size with each line.
        self.file.has_room(into.len(), self.line, self.name)
    }

    fn find(&self, name: &[u8]) -> Option<Vec<u8>> {
        self.file.get_bytes(name).map(<[u8]>::to_vec).or_else(|| (self.known)(name))
    }
}

fn escaped(byte: u8) -> Option<u8> {
    Some(match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'v' => 0x0b,
        b'"' | b'\\' => byte,
        _ => return None,
    })
}

/// The name at the beginning of a text: letters, digits and `_`, not beginning with a digit.
fn name_of(text: &[u8]) -> &[u8] {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let len = text.iter().take_while(|byte| is_name(byte)).count();
    if text.first().is_some_and(u8::is_ascii_digit) { &[] } else { &text[..len] }
}
