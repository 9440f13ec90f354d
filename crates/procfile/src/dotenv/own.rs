//! Our own grammar of env files. A value is what most of godotenv, Compose, python-dotenv and bash read, with two
//! exceptions: a comment is never part of a value, and a reference to a name that nothing defines removes no text.
//! Tests compare this with docs/dotenv.md.

use super::lines::{Lines, ends_blank, trim_blanks, trim_blanks_start};
use super::reference::{Scope, expanded};
use crate::ambient::Ambient;
use crate::env_file::EnvFile;
use crate::env_file_error::{EnvFileError, EnvFileWarning, Oddity};
use crate::space;

/// Reads all statements of a text into a file. `known` returns variables that exist before the file is read.
pub(super) fn read(text: &[u8], known: &Ambient<'_>, into: &mut EnvFile) -> Result<(), EnvFileError> {
    let mut reader = Reader { text, at: 0, lines: Lines::default(), known };
    while reader.seek_statement() {
        reader.statement(into)?;
    }
    Ok(())
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    lines: Lines,
    known: &'a Ambient<'a>,
}

/// What ended a name.
enum Separator {
    Value,
    LineEnd,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    fn line(&mut self) -> usize {
        self.lines.at(self.text, self.at)
    }

    /// Skips white space and comment lines; returns false at the end of the text.
    fn seek_statement(&mut self) -> bool {
        loop {
            self.at = self.text.len() - space::trim_start(self.rest()).len();
            match self.rest().first() {
                None => return false,
                Some(b'#') => self.skip_line(),
                Some(_) => return true,
            }
        }
    }

    fn skip_line(&mut self) {
        self.at += memchr::memchr(b'\n', self.rest()).unwrap_or(self.rest().len());
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - trim_blanks_start(self.rest()).len();
    }

    /// Reads one statement, and those that follow its closing quote on the same line.
    fn statement(&mut self, into: &mut EnvFile) -> Result<(), EnvFileError> {
        let mut follows_quote = false;
        loop {
            let line = self.line();
            let (name, separator) = self.name(follows_quote)?;
            match separator {
                Separator::LineEnd if follows_quote => return Err(EnvFileError::AfterQuote { line }),
                Separator::LineEnd => {
                    into.warn(EnvFileWarning::new(line, name, Oddity::NoValue));
                    return Ok(());
                }
                Separator::Value => (),
            }
            let before = self.at;
            self.skip_blanks();
            let has_blank = self.at > before;
            let quote = self.rest().first().copied().filter(|byte| matches!(byte, b'"' | b'\''));
            let value = match quote {
                Some(quote) => self.quoted(quote, name, into)?,
                None => self.unquoted(has_blank, name, into)?,
            };
            if value.contains(&0) {
                return Err(EnvFileError::Nul { line, name: EnvFileError::shown(name) });
            }
            into.set(name, value, line)?;
            if quote.is_none() || !self.goes_on() {
                return Ok(());
            }
            follows_quote = true;
        }
    }

    /// Behind a closing quote: whether the line goes on with more than blanks and a comment.
    fn goes_on(&mut self) -> bool {
        self.skip_blanks();
        match self.rest().first() {
            None | Some(b'\n') => false,
            Some(b'#') => {
                self.skip_line();
                false
            }
            Some(_) => true,
        }
    }

    /// Reads a name and what ends it.
    fn name(&mut self, follows_quote: bool) -> Result<(&'a [u8], Separator), EnvFileError> {
        if let Some(exported) = self.rest().strip_prefix(b"export") {
            let name = trim_blanks_start(exported);
            if name.len() < exported.len() && !name.starts_with(b"\n") {
                self.at = self.text.len() - name.len();
            }
        }
        let rest = self.rest();
        let end = rest.iter().position(|byte| !is_name_byte(*byte)).unwrap_or(rest.len());
        let name = trim_blanks(&rest[..end]);
        let blank = memchr::memchr3(b' ', b'\t', b'\r', name);
        let unexpected = match rest.get(end) {
            None | Some(b'=' | b':' | b'\n') => blank.map(|at| name[at]),
            Some(byte) => Some(*byte),
        };
        let line = self.line();
        match unexpected {
            Some(_) if follows_quote => Err(EnvFileError::AfterQuote { line }),
            Some(byte) => Err(EnvFileError::UnexpectedCharacter { line, character: char::from(byte) }),
            None if name.is_empty() => Err(EnvFileError::MissingName { line }),
            None if matches!(rest.get(end), Some(b'=' | b':')) => {
                self.at += end + 1;
                Ok((name, Separator::Value))
            }
            None => {
                self.at += end;
                Ok((name, Separator::LineEnd))
            }
        }
    }

    fn unquoted(
        &mut self,
        has_blank: bool,
        name: &[u8],
        into: &mut EnvFile,
    ) -> Result<Vec<u8>, EnvFileError> {
        let line = self.line();
        let rest = self.rest();
        let text = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
        self.at += text.len();
        let is_comment = |at: &usize| if *at == 0 { has_blank } else { ends_blank(&text[..*at]) };
        let comment = memchr::memchr_iter(b'#', text).find(is_comment);
        let value = trim_blanks(&text[..comment.unwrap_or(text.len())]);
        if matches!(value, [b'#'] | [b'#', b' ' | b'\t', ..]) {
            into.warn(EnvFileWarning::new(line, name, Oddity::LikeAComment));
        }
        expanded(value, &mut Scope { line, name, known: self.known, file: into, has_escapes: false })
    }

    fn quoted(&mut self, quote: u8, name: &[u8], into: &mut EnvFile) -> Result<Vec<u8>, EnvFileError> {
        let line = self.line();
        let inside = &self.rest()[1..];
        let end = closing(inside, quote).ok_or(EnvFileError::Unterminated { line })?;
        self.at += end + 2;
        let inside = &inside[..end];
        if quote == b'\'' {
            return Ok(with_plain_quotes(inside));
        }
        expanded(inside, &mut Scope { line, name, known: self.known, file: into, has_escapes: true })
    }
}

/// Where a quote is closed. A backslash protects the character behind it.
fn closing(text: &[u8], quote: u8) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(quote, b'\\', &text[at..])?;
        if text[at] == quote {
            return Some(at);
        }
        at += 2;
        if at >= text.len() {
            return None;
        }
    }
}

/// Removes the backslashes of `\'`, the only escape between single quotes.
fn with_plain_quotes(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, byte == b'\\') {
            (_, false) => plain.push(byte),
            (_, true) => match bytes.next() {
                Some(b'\'') => plain.push(b'\''),
                next => plain.extend([b'\\'].into_iter().chain(next)),
            },
        }
    }
    plain
}

/// Letters, digits, `_ . - [ ]`, and every byte from 0x80 on. Blanks are judged once the name has ended.
fn is_name_byte(byte: u8) -> bool {
    byte >= 0x80 || byte.is_ascii_alphanumeric() || b"_.-[]\t\x0b\x0c\r ".contains(&byte)
}
