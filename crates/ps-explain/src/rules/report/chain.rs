//! Errors that were raised from others, as Python reports them: the first traceback is that of the error which the program met first.
//!
//! ```text
//! KeyError: 'SHOP_DSN'
//!
//! The above exception was the direct cause of the following exception:
//!
//! Traceback (most recent call last):
//!   File "app.py", line 9, in connect
//! StoreError: the store cannot be opened
//! ```
//!
//! The program itself says here that the first error is the cause. Where an error only came up while another one was handled, that one need
//! not be the cause, and both are told.

use super::single::{IsSeen, Sign, of_headline};
use crate::facts::Line;
use crate::rules::headline::is_of_report;

const TRACEBACK: &str = "Traceback (";
const DIRECT: &str = "The above exception was the direct cause of the following exception:";
const HANDLED: &str = "During handling of the above exception, another exception occurred:";

/// The sign of the first error of the chain whose last one has this sign and stands here.
pub(super) fn followed<'a>(sign: Sign<'a>, lines: &[&'a Line], at: usize, is_seen: IsSeen<'_>) -> Sign<'a> {
    if !sign.pattern.is_wide() {
        return sign;
    }
    let (mut first, mut is_cause) = (None, true);
    let mut at = at;
    while let Some((earlier, is_direct)) = before(lines, at) {
        (first, is_cause, at) = (Some(earlier), is_cause && is_direct, earlier);
    }
    let Some(first) = first else { return sign };
    let told = of_headline(lines, first, is_seen);
    if is_cause && !told.pattern.is_wide() {
        return Sign { is_report: sign.is_report, ..told };
    }
    Sign { behind: Some(lines[first]), ..sign }
}

/// The line that tells the error before the one which stands here, and whether that is its cause.
fn before(lines: &[&Line], at: usize) -> Option<(usize, bool)> {
    let last =
        |until: usize, is_it: fn(&str) -> bool| lines[..until].iter().rposition(|line| is_it(&line.written));
    let begin = last(at + 1, |text| text.starts_with(TRACEBACK))?;
    if lines[begin + 1..at.max(begin + 1)].iter().any(|line| !is_of_report(&line.written)) {
        return None;
    }
    let link = last(begin, |text| !text.trim().is_empty())?;
    let is_direct = lines[link].written == DIRECT;
    if !is_direct && lines[link].written != HANDLED {
        return None;
    }
    // Without its traceback, which may be older than what is looked at, the error is the block of lines above.
    let earlier = last(link, |text| text.starts_with(TRACEBACK)).map_or(0, |begin| begin + 1);
    let told = (earlier..link).find(|at| !is_of_report(&lines[*at].written))?;
    Some((told, is_direct))
}

#[cfg(test)]
mod tests {
    use formation::Stream;

    use super::super::sign;
    use super::*;

    fn chained(link: &str, first: &str) -> (&'static str, String, Option<String>) {
        let text = format!(
            "Traceback (most recent call last):\n  File \"<frozen os>\", line 679, in __getitem__\n{first}\n\n{link}\n\n\
             Traceback (most recent call last):\n  File \"a.py\", line 9, in <module>\n    connect()\nStoreError: it cannot be opened\n"
        );
        let lines: Vec<Line> = text.lines().map(|line| Line::of_test(Stream::Stderr, line)).collect();
        let sign = sign(&lines, None, &|_| false).expect("a sign");
        (sign.pattern.cause, sign.line.text.clone(), sign.behind.map(|line| line.text.clone()))
    }

    #[test]
    fn the_first_error_of_a_chain_is_the_cause_if_the_program_says_so() {
        let missing = "KeyError: 'SHOP_DSN'";
        assert_eq!(chained(DIRECT, missing), ("variable-missing", missing.to_owned(), None));
        let last = "StoreError: it cannot be opened".to_owned();
        assert_eq!(chained(HANDLED, missing), ("exception", last.clone(), Some(missing.to_owned())));
        let other = "ShopError: mars is no region";
        assert_eq!(chained(DIRECT, other), ("exception", last.clone(), Some(other.to_owned())));
        assert_eq!(chained("and then", missing), ("exception", last, None));
    }
}
