//! Dokku's grammar of env files: that of godotenv 1.5, by which Dokku writes and reads its ENV files. A reference
//! sees only earlier variables of the file, never the environment of the process. A value that its author probably
//! did not mean is read as godotenv reads it, with a warning. Three quirks of godotenv that change a value without a
//! sign are not copied, because no file that Dokku writes contains them: a backslash before a closing quote,
//! `$(NAME)` and `${NAME:-…}` stay as written.

use std::borrow::Cow;

use super::lines::{Lines, ends_blank, trim_blanks, trim_blanks_start};
use crate::env_file::EnvFile;
use crate::env_file_error::{EnvFileError, EnvFileWarning, Oddity};
use crate::space;

/// Reads all statements of a text into a file.
pub(super) fn read(bytes: &[u8], into: &mut EnvFile) -> Result<(), EnvFileError> {
    let text = with_plain_line_ends(bytes);
    let mut reader = Reader { text: &text, at: 0, lines: Lines::default() };
    while reader.seek_statement() {
        let line = reader.line(reader.at);
        let key = reader.key()?;
        let mut oddities = Vec::new();
        let value = reader.value(into, &mut oddities)?;
        into.has_room(value.len(), line, key)?;
        if key.is_empty() {
            continue;
        }
        for oddity in oddities {
            into.warn(EnvFileWarning::new(line, key, oddity));
        }
        into.set(key, value, line)?;
    }
    Ok(())
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    lines: Lines,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    fn line(&mut self, at: usize) -> usize {
        self.lines.at(self.text, at)
    }

    /// Skips white space and comment lines; returns false at the end of the text.
    fn seek_statement(&mut self) -> bool {
        loop {
            self.at = self.text.len() - space::trim_start(self.rest()).len();
            match self.rest().first() {
                None => return false,
                Some(b'#') => match memchr::memchr(b'\n', self.rest()) {
                    Some(end) => self.at += end,
                    None => return false,
                },
                Some(_) => return true,
            }
        }
    }

    /// Reads a name and its separator. A text without a separator is a value without a name.
    fn key(&mut self) -> Result<&'a [u8], EnvFileError> {
        self.skip_blanks();
        if let Some(exported) = self.rest().strip_prefix(b"export") {
            let name = trim_blanks_start(exported);
            if name.len() < exported.len() {
                self.at = self.text.len() - name.len();
            }
        }
        let rest = self.rest();
        if rest.is_empty() {
            return Err(EnvFileError::MissingName { line: self.line(self.at) });
        }
        match rest.iter().position(|byte| !is_key_byte(*byte)) {
            None => Ok(&[]),
            Some(end) if matches!(rest[end], b'=' | b':') => {
                self.at += end + 1;
                self.skip_blanks();
                Ok(space::trim_end(&rest[..end]))
            }
            Some(end) => {
                let character = char::from(rest[end]);
                Err(EnvFileError::UnexpectedCharacter { line: self.line(self.at + end), character })
            }
        }
    }

    fn value(&mut self, earlier: &EnvFile, odd: &mut Vec<Oddity>) -> Result<Vec<u8>, EnvFileError> {
        match self.rest().first() {
            Some(quote @ (b'"' | b'\'')) => self.quoted(*quote, earlier, odd),
            _ => Ok(self.unquoted(earlier, odd)),
        }
    }

    fn unquoted(&mut self, earlier: &EnvFile, odd: &mut Vec<Oddity>) -> Vec<u8> {
        let rest = self.rest();
        let line = &rest[..memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len())];
        self.at += line.len();
        let comment = memchr::memrchr_iter(b'#', line).find(|at| ends_blank(&line[..*at]));
        let value = trim_blanks(&line[..comment.unwrap_or(line.len())]);
        let has_mark = |at: usize| at == 0 || ends_blank(&value[..at]);
        if memchr::memchr_iter(b'#', value).any(has_mark) {
            odd.push(Oddity::CommentInValue);
        }
        expanded(value, earlier, odd)
    }

    fn quoted(
        &mut self,
        quote: u8,
        earlier: &EnvFile,
        odd: &mut Vec<Oddity>,
    ) -> Result<Vec<u8>, EnvFileError> {
        let rest = self.rest();
        let end = memchr::memchr_iter(quote, rest)
            .find(|at| *at > 0 && backslashes_before(rest, *at).is_multiple_of(2))
            .ok_or_else(|| EnvFileError::Unterminated { line: self.lines.at(self.text, self.at) })?;
        self.at += end + 1;
        let inside = without_quotes(&rest[..end], quote);
        if quote == b'\'' {
            return Ok(inside.to_vec());
        }
        Ok(expanded(&unescaped(inside), earlier, odd))
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - trim_blanks_start(self.rest()).len();
    }
}

fn with_plain_line_ends(bytes: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memmem::find(bytes, b"\r\n").is_none() {
        return Cow::Borrowed(bytes);
    }
    let mut plain = Vec::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        if *byte != b'\r' || bytes.get(at + 1) != Some(&b'\n') {
            plain.push(*byte);
        }
    }
    Cow::Owned(plain)
}

/// Letters, digits, `_`, `.`, and blanks between them. Bytes from 0x80 on are judged as Latin-1 characters.
fn is_key_byte(byte: u8) -> bool {
    match byte {
        b'_' | b'.' | b'\t' | 0x0b | 0x0c | b'\r' | b' ' | 0x85 | 0xa0 => true,
        ..0x80 => byte.is_ascii_alphanumeric(),
        _ => char::from(byte).is_alphabetic() || char::from(byte).is_numeric(),
    }
}

fn backslashes_before(text: &[u8], at: usize) -> usize {
    text[..at].iter().rev().take_while(|byte| **byte == b'\\').count()
}

fn without_quotes(mut text: &[u8], quote: u8) -> &[u8] {
    while let Some(rest) = text.strip_suffix(&[quote]) {
        text = rest;
    }
    while let Some(rest) = text.strip_prefix(&[quote]) {
        text = rest;
    }
    text
}

/// Replaces `\n` and `\r` by the characters they stand for, and removes every other backslash except that of `\$`.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        plain.extend_from_slice(&rest[..at]);
        match rest.get(at + 1) {
            Some(b'n') => plain.push(b'\n'),
            Some(b'r') => plain.push(b'\r'),
            Some(b'$') => plain.extend_from_slice(b"\\$"),
            Some(other) => plain.push(*other),
            None => plain.push(b'\\'),
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    plain
}

/// Replaces `$NAME` and `${NAME}` by the values of earlier variables. A name has no lower-case letters here.
fn expanded(text: &[u8], earlier: &EnvFile, odd: &mut Vec<Oddity>) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'$', rest) {
        let reference = Reference::at(&rest[at..]);
        let kept = &rest[at..at + reference.len];
        match reference.name {
            _ if rest[..at].ends_with(b"\\") => {
                plain.extend_from_slice(&rest[..at - 1]);
                plain.extend_from_slice(kept);
            }
            None => plain.extend_from_slice(&rest[..at + reference.len]),
            Some(name) => {
                plain.extend_from_slice(&rest[..at]);
                let value = earlier.get_bytes(name);
                if value.is_none() && !odd.contains(&Oddity::Deleted) {
                    odd.push(Oddity::Deleted);
                }
                plain.extend_from_slice(value.unwrap_or_default());
            }
        }
        rest = &rest[at + reference.len..];
    }
    plain.extend_from_slice(rest);
    plain
}

/// A `$` and the text that belongs to it.
struct Reference<'a> {
    /// The name that is looked up; `None` if the text stays as written.
    name: Option<&'a [u8]>,
    len: usize,
}

impl<'a> Reference<'a> {
    /// Reads the reference at the beginning of `text`, which begins with `$`.
    fn at(text: &'a [u8]) -> Self {
        let parenthesis = usize::from(text.get(1) == Some(&b'('));
        let brace = usize::from(text.get(1 + parenthesis) == Some(&b'{'));
        let from = 1 + parenthesis + brace;
        let is_name = |byte: &&u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_');
        let end = from + text[from..].iter().take_while(is_name).count();
        let shell_operator = brace == 1 && matches!(text.get(end), Some(b':' | b'-' | b'+' | b'?' | b'='));
        let len = end + usize::from(text.get(end) == Some(&b'}'));
        let named = end > from && parenthesis == 0 && !shell_operator;
        Self { name: named.then(|| &text[from..end]), len }
    }
}
