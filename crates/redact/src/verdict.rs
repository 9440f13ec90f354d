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

    /// Masks a part, unless the part is empty.
    pub(crate) fn mask(&mut self, kind: Kind, text: impl Into<Cow<'a, str>>) {
        let text = text.into();
        let kind = if placeholder::is_one(&text) { None } else { Some(kind) };
        self.push(text, kind);
    }

    /// Shows a part if the condition holds, and masks it otherwise.
    pub(crate) fn show_if(&mut self, plain: bool, kind: Kind, text: impl Into<Cow<'a, str>>) {
        if plain { self.show(text) } else { self.mask(kind, text) }
    }

    /// Whether anything is masked.
    pub(crate) fn masks(&self) -> bool {
        self.pieces.iter().any(|piece| piece.masked.is_some())
    }

    /// The verdict: if all parts are shown, the string is shown unchanged.
    pub(crate) fn verdict(self) -> Verdict<'a> {
        if self.masks() { Verdict::Parts(self) } else { Verdict::Show }
    }

    /// The shown parts, with a blank in place of each masked one.
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
