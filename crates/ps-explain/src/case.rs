//! The input of a rule.

use crate::facts::{Facts, Known};
use crate::finding::Said;

/// An app, and the instance of it that is worst off, if any is.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) it: Option<&'a Known>,
}

/// A rule with the cause or circumstance that it stands for.
pub(crate) type Rule = (&'static str, fn(Case<'_>) -> Option<Said>);
