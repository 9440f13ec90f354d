//! A JSON document as a tape: a list with one `u32` for each scalar and two for each array or object. Texts are not copied out
//! of the input. A map would lose duplicate keys and the spelling of numbers, which a sanitizer must keep, and a tree of
//! values would take many times the memory of the input. Input that RFC 8259 does not permit is refused, and so is nesting
//! deeper than that of any inspect document.

use std::cmp::Ordering;

use crate::error::{Error, MAX_DEPTH};
use crate::text::Quoted;

/// A parsed document: one top-level value, or several as in JSON lines.
pub(crate) struct Document<'a> {
    text: &'a str,
    tape: Vec<u32>,
    roots: Vec<u32>,
}

/// The place of a value on the tape.
#[derive(Clone, Copy)]
pub(crate) struct Value(u32);

impl Value {
    pub(crate) fn cell(self) -> usize {
        self.0 as usize
    }
}

/// The kind of a value, with its content.
pub(crate) enum Node<'a> {
    /// A number, `true`, `false` or `null`, as it was written.
    Literal(&'a str),
    Text(Quoted<'a>),
    Array(Children),
    Object(Children),
}

/// The elements of an array, or the keys and values of an object in turn.
#[derive(Clone, Copy)]
pub(crate) struct Children {
    next: u32,
    end: u32,
}

impl<'a> Document<'a> {
    /// Parses one or more values. Keys of objects are sorted; equal keys keep their order.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Error> {
        // A byte order mark is skipped, but counts in the offsets of errors.
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let mut parser = Parser { bytes: text.as_bytes(), at, tape: Vec::new(), open: Vec::new() };
        let mut roots = Vec::new();
        parser.skip_blanks();
        while parser.at < text.len() {
            if !matches!(parser.bytes[parser.at], b'{' | b'[') {
                return Err(parser.not_a_document());
            }
            roots.push(parser.position());
            parser.value()?;
            parser.skip_blanks();
        }
        if roots.is_empty() {
            return Err(Error::Empty);
        }
        Ok(Self { text, tape: parser.tape, roots }.sorted())
    }

    /// How many cells the tape has.
    pub(crate) fn cells(&self) -> usize {
        self.tape.len()
    }

    pub(crate) fn roots(&self) -> impl ExactSizeIterator<Item = Value> + '_ {
        self.roots.iter().map(|&at| Value(at))
    }

    pub(crate) fn node(&self, value: Value) -> Node<'a> {
        let start = self.offset(value);
        match self.text.as_bytes()[start] {
            b'{' => Node::Object(self.children(value)),
            b'[' => Node::Array(self.children(value)),
            b'"' => Node::Text(Quoted::at(self.text, start)),
            _ => Node::Literal(literal_at(self.text, start)),
        }
    }

    /// The next key or element; `None` at the end.
    pub(crate) fn next(&self, children: &mut Children) -> Option<Value> {
        (children.next < children.end).then(|| {
            let value = Value(children.next);
            children.next = self.after(value);
            value
        })
    }

    /// The text of a value that is a string; `None` for other values, and for text that is not Unicode.
    pub(crate) fn string(&self, value: Value) -> Option<std::borrow::Cow<'a, str>> {
        match self.node(value) {
            Node::Text(text) => text.decoded(),
            _ => None,
        }
    }

    /// The value of a key in an object; the last one if the key occurs more than once.
    pub(crate) fn get(&self, object: Children, key: &str) -> Option<Value> {
        let mut children = object;
        let mut found = None;
        while let Some(name) = self.next(&mut children) {
            let value = self.next(&mut children)?;
            if self.quoted(name).is(key) {
                found = Some(value);
            }
        }
        found
    }

    /// A key, which is always a string.
    pub(crate) fn quoted(&self, key: Value) -> Quoted<'a> {
        Quoted::at(self.text, self.offset(key))
    }

    fn offset(&self, value: Value) -> usize {
        self.tape[value.0 as usize] as usize
    }

    fn is_container(&self, value: Value) -> bool {
        matches!(self.text.as_bytes()[self.offset(value)], b'{' | b'[')
    }

    fn after(&self, value: Value) -> u32 {
        if self.is_container(value) { self.tape[value.0 as usize + 1] } else { value.0 + 1 }
    }

    fn children(&self, value: Value) -> Children {
        Children { next: value.0 + 2, end: self.after(value) }
    }

    fn sorted(self) -> Self {
        let mut tape = Vec::with_capacity(self.tape.len());
        let roots: Vec<Value> = self.roots().collect();
        for root in roots {
            self.copy_sorted(root, &mut tape);
        }
        Self { tape, ..self }
    }

    /// Copies a value with its keys sorted. A value takes as many cells as before, so roots stay at their places.
    fn copy_sorted(&self, value: Value, tape: &mut Vec<u32>) {
        tape.push(self.tape[value.0 as usize]);
        if !self.is_container(value) {
            return;
        }
        let cell = tape.len();
        tape.push(0);
        let mut children = self.children(value);
        if let Node::Object(_) = self.node(value) {
            for (key, value) in self.entries_in_order(children) {
                tape.push(self.tape[key.0 as usize]);
                self.copy_sorted(value, tape);
            }
        } else {
            while let Some(item) = self.next(&mut children) {
                self.copy_sorted(item, tape);
            }
        }
        tape[cell] = position(tape);
    }

    fn entries_in_order(&self, mut children: Children) -> Vec<(Value, Value)> {
        let mut entries = Vec::new();
        while let Some(key) = self.next(&mut children) {
            entries.extend(self.next(&mut children).map(|value| (key, value)));
        }
        entries.sort_unstable_by(|a, b| self.key_order(a.0, b.0));
        entries
    }

    fn key_order(&self, a: Value, b: Value) -> Ordering {
        self.quoted(a).order(self.quoted(b)).then(a.0.cmp(&b.0))
    }
}

struct Parser<'a> {
    bytes: &'a [u8],
    at: usize,
    tape: Vec<u32>,
    /// The cells of the containers that are open, outermost first.
    open: Vec<u32>,
}

impl Parser<'_> {
    /// Parses one value with everything in it. It does not recurse: the depth is the length of `open`.
    fn value(&mut self) -> Result<(), Error> {
        loop {
            if self.open_or_scalar()? {
                continue;
            }
            loop {
                let Some(&cell) = self.open.last() else { return Ok(()) };
                if self.comma_or_close(cell)? {
                    break;
                }
            }
        }
    }

    /// Parses a scalar (returns false), or opens a container that is not empty (returns true: a value must follow).
    fn open_or_scalar(&mut self) -> Result<bool, Error> {
        self.skip_blanks();
        let start = self.mark()?;
        match self.peek() {
            Some(open @ (b'{' | b'[')) => self.open(open, start),
            Some(b'"') => self.string().map(|()| false),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| false),
            Some(_) => self.word().map(|()| false),
            None => Err(Error::NotJson(self.at, "it ends too early")),
        }
    }

    fn open(&mut self, open: u8, start: u32) -> Result<bool, Error> {
        if self.open.len() == MAX_DEPTH {
            return Err(Error::TooDeep(self.at));
        }
        self.tape.push(0);
        self.at += 1;
        self.skip_blanks();
        if self.peek() == Some(if open == b'{' { b'}' } else { b']' }) {
            self.at += 1;
            self.tape[start as usize + 1] = self.position();
            return Ok(false);
        }
        self.open.push(start);
        if open == b'{' {
            self.key()?;
        }
        Ok(true)
    }

    /// Parses what follows a value: a comma (returns true: a value follows), or the end of the innermost container (returns
    /// false).
    fn comma_or_close(&mut self, cell: u32) -> Result<bool, Error> {
        self.skip_blanks();
        let in_object = self.bytes[self.tape[cell as usize] as usize] == b'{';
        let close = if in_object { b'}' } else { b']' };
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                if in_object {
                    self.skip_blanks();
                    self.key()?;
                }
                Ok(true)
            }
            Some(found) if found == close => {
                self.at += 1;
                self.open.pop();
                self.tape[cell as usize + 1] = self.position();
                Ok(false)
            }
            Some(_) => Err(Error::NotJson(self.at, "a comma or the end of the array or object must follow")),
            None => Err(Error::NotJson(self.at, "it ends too early")),
        }
    }

    fn key(&mut self) -> Result<(), Error> {
        self.mark()?;
        if self.peek() != Some(b'"') {
            return Err(Error::NotJson(self.at, "a key must be a string"));
        }
        self.string()?;
        self.skip_blanks();
        if self.peek() != Some(b':') {
            return Err(Error::NotJson(self.at, "a colon must follow the key"));
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), Error> {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(0..=0x1f) => return Err(Error::NotJson(self.at, "a control character in a string")),
                Some(_) => self.at += 1,
                None => return Err(Error::NotJson(self.at, "it ends within a string")),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Error> {
        let wrong = Error::NotJson(self.at, "an unknown escape");
        let length = match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') => 6,
            _ => return Err(wrong),
        };
        let digits = self.bytes.get(self.at + 2..self.at + length).ok_or(wrong)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(wrong);
        }
        self.at += length;
        Ok(())
    }

    fn number(&mut self) -> Result<(), Error> {
        let start = self.at;
        self.skip_byte(b'-');
        let leading_zero = self.peek() == Some(b'0');
        let whole = self.digits();
        let mut sound = whole > 0 && !(leading_zero && whole > 1);
        if self.skip_byte(b'.') {
            sound &= self.digits() > 0;
        }
        if self.skip_byte(b'e') || self.skip_byte(b'E') {
            let _ = self.skip_byte(b'+') || self.skip_byte(b'-');
            sound &= self.digits() > 0;
        }
        if sound { Ok(()) } else { Err(Error::NotJson(start, "a number that is none")) }
    }

    fn word(&mut self) -> Result<(), Error> {
        let known = [&b"true"[..], b"false", b"null"];
        let rest = &self.bytes[self.at..];
        let word = known.into_iter().find(|word| rest.starts_with(word));
        self.at += word.ok_or(Error::NotJson(self.at, "no JSON value begins like this"))?.len();
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn skip_byte(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Records that a value begins here; returns its cell.
    fn mark(&mut self) -> Result<u32, Error> {
        let cell = self.position();
        self.tape.push(u32::try_from(self.at).map_err(|_| Error::TooLarge)?);
        Ok(cell)
    }

    fn position(&self) -> u32 {
        position(&self.tape)
    }

    /// The error for a scalar at the top level, which is JSON but no inspect document, and for input that is not JSON.
    fn not_a_document(&self) -> Error {
        match self.bytes[self.at] {
            b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => Error::NotADocument(self.at),
            _ => Error::NotJson(self.at, "no JSON value begins like this"),
        }
    }
}

/// The next cell. The tape never holds more cells than the text has bytes, and those are counted in 32 bits.
fn position(tape: &[u32]) -> u32 {
    u32::try_from(tape.len()).expect("a tape is no longer than its text")
}

fn literal_at(text: &str, start: usize) -> &str {
    let rest = &text[start..];
    let end = rest.bytes().position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'-' | b'+' | b'.')));
    &rest[..end.unwrap_or(rest.len())]
}
