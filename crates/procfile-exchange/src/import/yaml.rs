//! Reads YAML as Compose and pm2 read it. How much memory a document may take is limited by the parser, also where aliases multiply
//! its parts.

use crate::import::error::ImportError;
use crate::import::node::Node;

/// What a number with a leading 0 is, in which the readers of Compose and of pm2 differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Octal {
    /// `010` is eight, as Go reads it.
    Legacy,
    /// `010` is ten, as JavaScript reads it.
    Marked,
}

/// Parses a text. `yes`, `on` and `y` are texts and no truth values, as in both managers.
pub(crate) fn read(text: &str, octal: Octal, what: &'static str) -> Result<Node, ImportError> {
    let options = serde_saphyr::options! {
        strict_booleans: true,
        legacy_octal_numbers: octal == Octal::Legacy,
        reject_non_finite_typeless_float: false,
    };
    let first_line =
        |why: &serde_saphyr::Error| why.to_string().lines().next().unwrap_or_default().to_owned();
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|why| ImportError::Syntax(what, first_line(&why)))
}
