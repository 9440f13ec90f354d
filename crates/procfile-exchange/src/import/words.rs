//! Splits a command line into words as a shell does, for Compose, pm2 and supervisord. Each manager's own references to variables are
//! atoms by then, and are not split.

use crate::import::command::{Piece, Word};

/// A part of a text that cannot be split: a character or a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Atom {
    Char(char),
    /// A variable, written for `sh`: `${X}`.
    Variable(String),
}

/// The atoms of a text that has no variables.
pub(crate) fn plain(text: &str) -> Vec<Atom> {
    text.chars().map(Atom::Char).collect()
}

/// One word that has all these atoms.
pub(crate) fn whole(atoms: Vec<Atom>) -> Word {
    let mut builder = Builder::default();
    for atom in atoms {
        builder.push(atom, true);
    }
    builder.word
}

/// The text of a word; `None` if it has a variable.
pub(crate) fn literal(word: &Word) -> Option<&str> {
    match &word[..] {
        [] => Some(""),
        [Piece::Literal(text)] => Some(text),
        _ => None,
    }
}

/// The text of atoms; `None` if one is a variable.
pub(crate) fn text(atoms: &[Atom]) -> Option<String> {
    let text = |atom: &Atom| match atom {
        Atom::Char(c) => Some(*c),
        Atom::Variable(_) => None,
    };
    atoms.iter().map(text).collect()
}

/// The words; `None` if a quote is not closed or a backslash is the last character.
pub(crate) fn split(atoms: Vec<Atom>) -> Option<Vec<Word>> {
    let (mut words, mut builder) = (Vec::new(), Builder::default());
    let mut quote = None;
    let mut atoms = atoms.into_iter();
    while let Some(atom) = atoms.next() {
        match (quote, &atom) {
            (None, Atom::Char(c)) if c.is_ascii_whitespace() => words.extend(builder.take()),
            (None, Atom::Char(c @ ('\'' | '"'))) => {
                quote = Some(*c);
                builder.begun = true;
            }
            (Some(open), Atom::Char(c)) if open == *c => quote = None,
            (None, Atom::Char('\\')) => builder.push(atoms.next()?, true),
            (Some('"'), Atom::Char('\\')) => match atoms.next()? {
                next @ Atom::Char('"' | '\\') => builder.push(next, true),
                next => {
                    builder.push(atom, true);
                    builder.push(next, true);
                }
            },
            (quote, _) => builder.push(atom, quote.is_some()),
        }
    }
    words.extend(builder.take());
    quote.is_none().then_some(words)
}

/// How many bytes of a variable's name a text begins with.
pub(crate) fn name_len(text: &str) -> usize {
    let digit = text.starts_with(|c: char| c.is_ascii_digit());
    let len = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    if digit { 0 } else { len }
}

#[derive(Default)]
struct Builder {
    word: Word,
    begun: bool,
}

impl Builder {
    fn push(&mut self, atom: Atom, quoted: bool) {
        self.begun = true;
        match (atom, self.word.last_mut()) {
            (Atom::Char(c), Some(Piece::Literal(text))) => text.push(c),
            (Atom::Char(c), _) => self.word.push(Piece::Literal(c.to_string())),
            (Atom::Variable(written), _) => self.word.push(Piece::Variable { written, quoted }),
        }
    }

    fn take(&mut self) -> Option<Word> {
        let begun = std::mem::take(&mut self.begun);
        let word = std::mem::take(&mut self.word);
        begun.then_some(word)
    }
}
