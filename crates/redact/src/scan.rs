//! The scan that every shown value must pass. It applies the rules of `rules.rs`, then checks whether the text looks
//! random or contains encoded text, in the text itself and in every decoded view of it. The run time is linear in the
//! text; patterns are compiled when they are first needed.

use std::sync::{LazyLock, OnceLock};

use aho_corasick::AhoCorasick;
use regex::bytes::{Regex, RegexBuilder};

use crate::memo::Memo;
use crate::placeholder::{self, Kind};
use crate::rules::RULES;
use crate::{decode, entropy, key_name, pii};

static LITERALS: LazyLock<(AhoCorasick, Vec<usize>)> = LazyLock::new(|| {
    let pairs =
        RULES.iter().enumerate().flat_map(|(at, rule)| rule.literals.iter().map(move |text| (*text, at)));
    let (texts, owners): (Vec<_>, Vec<_>) = pairs.unzip();
    let finder = AhoCorasick::builder().ascii_case_insensitive(true).build(texts);
    (finder.expect("the literals of the table are small"), owners)
});

static PATTERNS: LazyLock<Vec<OnceLock<Regex>>> =
    LazyLock::new(|| RULES.iter().map(|_| OnceLock::new()).collect());

/// The scan, and its results so far.
pub(crate) struct Scanner {
    pii: bool,
    known: Memo<Option<Kind>>,
}

impl Scanner {
    pub(crate) fn new(pii: bool) -> Self {
        Self { pii, known: Memo::new() }
    }

    /// The kind of the secret in the text; `None` if nothing was found.
    pub(crate) fn hit(&self, text: &str) -> Option<Kind> {
        if text.len() < 4 { None } else { self.known.answer(text, || self.look(&placeholder::without(text))) }
    }

    fn look(&self, text: &str) -> Option<Kind> {
        let own = self.plainly(text).or_else(|| decode::hides_text(text).then_some(Kind::Token));
        own.or_else(|| decode::views(text).iter().find_map(|view| self.plainly(view)))
    }

    /// The kind of the secret in the text itself, without decoding.
    fn plainly(&self, text: &str) -> Option<Kind> {
        let own = by_rule(text).or_else(|| self.pii.then(|| pii::found(text)).flatten());
        let own = own.or_else(|| entropy::looks_random(text).then_some(Kind::Entropy));
        own.or_else(|| key_name::gives_a_secret(text).then_some(Kind::Token))
    }
}

/// Whether a text of several words contains a secret, without looking at each word separately.
pub(crate) fn gives_itself_away(text: &str) -> bool {
    by_rule(text).is_some() || key_name::gives_a_secret(text)
}

/// The kind of the first rule that matches the text itself.
pub(crate) fn by_rule(text: &str) -> Option<Kind> {
    let (finder, owners) = &*LITERALS;
    let mut tried = [false; RULES.len()];
    let candidates = finder.find_overlapping_iter(text).map(|found| owners[found.pattern().as_usize()]);
    let mut found =
        candidates.filter(|&rule| !std::mem::replace(&mut tried[rule], true) && matches(rule, text));
    found.next().map(|rule| RULES[rule].kind)
}

fn matches(rule: usize, text: &str) -> bool {
    let pattern = PATTERNS[rule].get_or_init(|| {
        let built = RegexBuilder::new(RULES[rule].pattern).unicode(false).build();
        built.unwrap_or_else(|_| unreachable!("the pattern of {:?} is tested", RULES[rule].name))
    });
    pattern.is_match(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{by_rule, matches};
    use crate::rules::RULES;

    #[test]
    fn every_rule_hits_its_examples_and_nothing_that_looks_alike() {
        for (at, rule) in RULES.iter().enumerate() {
            assert!(!rule.hits.is_empty() && !rule.misses.is_empty(), "{} needs examples of both", rule.name);
            for hit in rule.hits.iter().map(|text| text.replacen('~', "", 1)) {
                assert!(matches(at, &hit), "{} must hit {hit}", rule.name);
                assert!(by_rule(&hit).is_some(), "{}: a literal must lead to {hit}", rule.name);
            }
            for miss in rule.misses {
                assert!(!matches(at, miss), "{} must not hit {miss}", rule.name);
            }
        }
    }

    #[test]
    fn every_literal_is_lower_case_and_every_rule_is_named_once() {
        let names: std::collections::BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
        assert_eq!(names.len(), RULES.len());
        assert!(RULES.iter().flat_map(|rule| rule.literals).all(|text| *text == text.to_lowercase()));
    }
}
