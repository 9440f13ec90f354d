//! How a value that must not be shown is masked. This is not a part of the classes of the show-list, because the words of a
//! command line are masked in the same way.

use crate::placeholder::{self, Kind};
use crate::verdict::{Parts, Verdict};
use crate::{scan, url};

/// Masks a value: a URL keeps its shape, everything else is replaced. `lead` stays.
pub(crate) fn secret_value<'a>(kind: Kind, lead: &'a str, value: &'a str) -> Verdict<'a> {
    if value.is_empty() || placeholder::is_one(value) {
        return Verdict::Show;
    }
    let mut parts = Parts::led_by(lead);
    if !url::append(&mut parts, value) {
        if lead.is_empty() {
            return Verdict::Mask(kind);
        }
        parts.mask(kind, value);
    } else if scan::by_rule(&parts.shown()).is_some() {
        parts.pieces.clear();
        parts.mask(kind, value);
    }
    parts.verdict()
}
