//! The decision about one string: it is shown, masked, or shown in part.

use std::borrow::Cow;

use crate::placeholder::{self, Kind};

/// The decision about a string.
#[derive(Debug)]
pub(crate) enum Verdict<'a> {
    Show,
    Mask(Kind),
    Parts(Parts<'a>),
}

/// A string of which parts are shown.
#[derive(Debug, Default)]
pub(crate) struct Parts<'a> {
    /// The name before a value (`KEY=`): it stays in every style.
    pub(crate) lead: &'a str,
    pub(crate) pieces: Vec<Piece<'a>>,
}

/// A part of a string.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    pub(crate) text: Cow<'a, str>,
    /// Why it is masked; `None` if it is shown.
    pub(crate) masked: Option<Kind>,
}

impl<'a> Parts<'a> {
    pub(crate) fn led_by(lead: &'a str) -> Self {
        Self { lead, pieces: Vec::new() }
    }

    pub(crate) fn show(&mut self, text: impl Into<Cow<'a, str>>) {
        self.push(text.into(), None);
    }

    /// Masks a part, unless there is nothing to mask.
    pub(crate) fn mask(&mut self, kind: Kind, text: impl Into<Cow<'a, str>>) {
        let text = text.into();
        let kind = if placeholder::is_one(&text) { None } else { Some(kind) };
        self.push(text, kind);
    }

    /// A part if the condition holds, a mask otherwise.
    pub(crate) fn show_if(&mut self, plain: bool, kind: Kind, text: impl Into<Cow<'a, str>>) {
        if plain { self.show(text) } else { self.mask(kind, text) }
    }

    /// Whether anything is masked.
    pub(crate) fn masks(&self) -> bool {
        self.pieces.iter().any(|piece| piece.masked.is_some())
    }

    /// The verdict: a string of which all parts are shown is shown.
    pub(crate) fn verdict(self) -> Verdict<'a> {
        if self.masks() { Verdict::Parts(self) } else { Verdict::Show }
    }

    /// All that is shown, with a blank for what is not.
    pub(crate) fn shown(&self) -> String {
        let mut text = self.lead.to_owned();
        for piece in &self.pieces {
            text.push_str(if piece.masked.is_some() || placeholder::is_one(&piece.text) {
                " "
            } else {
                &piece.text
            });
        }
        text
    }

    fn push(&mut self, text: Cow<'a, str>, masked: Option<Kind>) {
        if !text.is_empty() {
            self.pieces.push(Piece { text, masked });
        }
    }
}
