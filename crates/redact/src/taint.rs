//! Values that were masked in one place and must not be shown in another. A fingerprint of every masked value is stored, and every
//! text that is to be shown is searched for all of them at once. An automaton could do the same, but for all values of a large
//! document it would take dozens of times the document's memory. Two values may have the same fingerprint by chance; then one
//! value too many is masked.

use std::collections::HashSet;

use crate::{decode, hex, shape, words};

/// Of a longer value only the first bytes are searched for.
const LONGEST: usize = 64;
const SHORTEST: usize = 4;
/// After these numbers of bytes the search continues only if a value begins in this way.
const CHECKPOINTS: [usize; 4] = [6, 12, 24, 48];
/// A value of this length or more is searched for even inside words.
const CERTAIN: usize = 6;
const FACTOR: u64 = 0x9E37_79B9_7F4A_7C15;

/// Values that were masked.
#[derive(Default)]
pub(crate) struct Taint {
    anywhere: Fingerprints,
    /// Short words: they are found only as separate words.
    alone: Fingerprints,
    /// Numbers of up to five digits: they are found only as whole words of commands and names.
    numbers: HashSet<Box<str>>,
    /// Bit n is set if there is a value of n bytes.
    lengths: u128,
    /// The hashes of the first four bytes of every value.
    starts: Sieve,
    /// The beginnings of every value up to each checkpoint, until they are moved into `beginnings`.
    begun: Fingerprints,
    /// These beginnings, and the values themselves: a text that is not in it needs no search.
    beginnings: Sieve,
    /// Values that are not searched for although they were masked somewhere, because they occur all over the document: its ids,
    /// the name of its app, values that typed places show.
    innocent: HashSet<u64>,
}

impl Taint {
    /// Stores a masked value, its decoded views, and its parts.
    pub(crate) fn add(&mut self, value: &str) {
        self.add_with_parts(value);
        if value.len() <= 16 * 1024 {
            for view in decode::views(value) {
                self.add_with_parts(&view);
            }
        }
    }

    /// Excludes a value from the search, because its place shows it, even if it is masked elsewhere.
    pub(crate) fn forgive(&mut self, value: &str) {
        self.innocent.insert(fingerprint(value.as_bytes()));
        if hex::is_hex(value, 64..=64) {
            self.innocent.insert(fingerprint(&value.as_bytes()[..12]));
        }
    }

    /// Ends collecting and makes the values searchable.
    pub(crate) fn freeze(&mut self) {
        let innocent = std::mem::take(&mut self.innocent);
        for values in [&mut self.anywhere, &mut self.alone] {
            values.0.retain(|value| !innocent.contains(value));
            values.sort();
        }
        let begun = std::mem::take(&mut self.begun).0;
        self.beginnings = Sieve::for_values(begun.len() + self.anywhere.0.len() + self.alone.0.len());
        for &value in self.anywhere.0.iter().chain(&self.alone.0) {
            self.beginnings.set(value);
        }
        for beginning in begun {
            self.beginnings.set(beginning);
        }
    }

    /// Whether a text that is to be shown contains a masked value: as it is, decoded or backwards.
    pub(crate) fn touches(&self, text: &str) -> bool {
        if self.lengths == 0 {
            return false;
        }
        self.holds(text.as_bytes())
            || self.holds(&text.bytes().rev().collect::<Vec<_>>())
            || decode::views(text).iter().any(|view| self.holds(view.as_bytes()))
    }

    /// As [`Taint::touches`] without decoding, for text that has just been written.
    pub(crate) fn touches_plainly(&self, text: &str) -> bool {
        self.lengths != 0 && self.holds(text.as_bytes())
    }

    /// Whether a word of a text is a number that was masked elsewhere.
    pub(crate) fn has_number(&self, text: &str) -> bool {
        !self.numbers.is_empty()
            && text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| self.numbers.contains(word))
    }

    /// As [`Taint::has_number`] for numbers of four or five digits, which occur in names less often by chance.
    pub(crate) fn has_long_number(&self, text: &str) -> bool {
        !self.numbers.is_empty()
            && text
                .split(|c: char| !c.is_ascii_alphanumeric())
                .any(|word| word.len() > 3 && self.numbers.contains(word))
    }

    fn add_with_parts(&mut self, value: &str) {
        let value = value.trim();
        self.insert(value);
        if is_innocent(value) {
            return;
        }
        let first = decode::head(value, 16 * 1024);
        for separator in ['=', ':'] {
            self.insert(first.split_once(separator).map_or("", |(_, right)| right).trim());
        }
        let edge = |c: char| c.is_whitespace() || "\"'`,;&=:@/?(){}[]<>|\\#".contains(c);
        first
            .split(edge)
            .filter(|part| *part != value && is_telling(part))
            .for_each(|part| self.insert(part));
    }

    fn insert(&mut self, value: &str) {
        if is_port_like(value) {
            self.numbers.insert(value.into());
        }
        if value.len() < SHORTEST || is_innocent(value) {
            return;
        }
        let bytes = &value.as_bytes()[..value.len().min(LONGEST)];
        let letters = bytes.iter().all(u8::is_ascii_lowercase);
        let values = if bytes.len() < CERTAIN && letters { &mut self.alone } else { &mut self.anywhere };
        values.add(fingerprint(bytes));
        self.lengths |= 1 << bytes.len();
        if self.starts.0.is_empty() {
            self.starts = Sieve(vec![0; 1 << 14]);
        }
        self.starts.set(start(bytes));
        for checkpoint in CHECKPOINTS.into_iter().filter(|&length| length <= bytes.len()) {
            self.begun.add(fingerprint(&bytes[..checkpoint]));
        }
    }

    fn holds(&self, text: &[u8]) -> bool {
        (0..text.len().saturating_sub(SHORTEST - 1))
            .any(|at| self.starts.may_have(start(&text[at..])) && self.holds_at(text, at))
    }

    fn holds_at(&self, text: &[u8], at: usize) -> bool {
        let mut hash = 0;
        for (&byte, length) in text[at..].iter().take(LONGEST).zip(1..) {
            hash = step(hash, byte);
            let value = finish(hash, length);
            if self.lengths & (1 << length) != 0 && self.is_value(value, text, at, length) {
                return true;
            }
            if CHECKPOINTS.contains(&length) && !self.beginnings.may_have(value) {
                return false;
            }
        }
        false
    }

    fn is_value(&self, value: u64, text: &[u8], at: usize, length: usize) -> bool {
        self.anywhere.has(value)
            || (length < CERTAIN && self.alone.has(value) && stands_alone(text, at, length))
    }
}

/// A set that takes eight bytes for each value.
#[derive(Default)]
struct Fingerprints(Vec<u64>);

impl Fingerprints {
    fn add(&mut self, value: u64) {
        if self.0.len() == self.0.capacity() {
            self.sort();
            self.0.reserve(self.0.len().max(64));
        }
        self.0.push(value);
    }

    fn sort(&mut self) {
        self.0.sort_unstable();
        self.0.dedup();
    }

    fn has(&self, value: u64) -> bool {
        self.0.binary_search(&value).is_ok()
    }
}

/// A set of values that takes little room: it may report a value that is not in it, but it never misses one that is (a Bloom
/// filter with one hash).
#[derive(Default)]
struct Sieve(Vec<u64>);

impl Sieve {
    fn for_values(count: usize) -> Self {
        Self(vec![0; (count / 4 + 1).next_power_of_two()])
    }

    fn set(&mut self, value: u64) {
        let (word, bit) = self.place(value);
        self.0[word] |= bit;
    }

    fn may_have(&self, value: u64) -> bool {
        let (word, bit) = self.place(value);
        self.0[word] & bit != 0
    }

    fn place(&self, value: u64) -> (usize, u64) {
        let mixed = value ^ (value >> 29);
        (usize::try_from(mixed >> 6).unwrap_or(0) & (self.0.len() - 1), 1 << (mixed & 63))
    }
}

fn start(bytes: &[u8]) -> u64 {
    u64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])).wrapping_mul(FACTOR)
}

/// Whether the value has two to five digits and is not a very common port.
fn is_port_like(value: &str) -> bool {
    let usual =
        ["80", "443", "3000", "3306", "5000", "5432", "6379", "8000", "8080", "8443", "9000", "27017"];
    (2..=5).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit()) && !usual.contains(&value)
}

fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(FACTOR).rotate_left(23)
}

fn finish(hash: u64, length: usize) -> u64 {
    (hash ^ length as u64).wrapping_mul(FACTOR)
}

fn fingerprint(bytes: &[u8]) -> u64 {
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    finish(bytes.iter().fold(0, |hash, &byte| step(hash, byte)), bytes.len())
}

fn stands_alone(text: &[u8], at: usize, length: usize) -> bool {
    let letter = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    !letter(at + length) && (at == 0 || !letter(at - 1))
}

/// Whether a part of a masked value is searched for as well: it is long enough, and mixes letters with digits.
fn is_telling(part: &str) -> bool {
    let digit = part.bytes().any(|b| b.is_ascii_digit());
    part.len() >= 8 && digit && part.bytes().any(|b| b.is_ascii_alphabetic())
}

/// Whether a value occurs in many documents and reveals nothing: common words and paths of them, versions, short numbers,
/// addresses, times.
fn is_innocent(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_punctuation() || b == b' ')
        || (value.len() <= 5 && value.bytes().all(|b| b.is_ascii_digit()))
        || words::is_common(value)
        || words::is_common_path(value)
        || value.split(['/', ':']).all(|part| words::is_common_part(part) || shape::is_version(part))
        || shape::is_version(value)
        || shape::is_ip(value)
        || shape::is_time(value)
        || value.split(':').all(|dir| dir.starts_with('/') && words::is_common_path(dir))
}

#[cfg(test)]
mod tests {
    use super::Taint;

    fn tainted(values: &[&str]) -> Taint {
        let mut taint = Taint::default();
        for value in values {
            taint.add(value);
        }
        taint.freeze();
        taint
    }

    #[test]
    fn a_masked_value_is_found_again_in_every_disguise() {
        let taint = tainted(&["hunter2secret", "postgres://u:pa55phrase@db/x", "role=Tr0ubador"]);
        let texts = [
            "web-hunter2secret-1",
            "terces2retnuh",
            "aHVudGVyMnNlY3JldA",
            "68756e74657232736563726574",
            "x/pa55phrase",
            "hunter2%73ecret",
            "Tr0ubador",
            "YWh1bnRlcjJzZWNyZXQ",
            "a\\u0068unter2secret",
        ];
        assert_eq!(texts.iter().filter(|text| !taint.touches(text)).collect::<Vec<_>>(), Vec::<&&str>::new());
    }

    #[test]
    fn words_that_everybody_has_taint_nothing() {
        let common = [
            "true",
            "production",
            "web",
            "5432",
            "/var/lib/postgresql/data",
            "16.13.0",
            "172.17.0.2",
            "postgres",
            "2026-11-21T05:43:45Z",
            "utf-8",
            "/usr/lib/node_modules",
            "wordpress",
            "12345",
            "docker-entrypoint.sh",
            "docker.io/library/redis:7",
            "postgres:16-alpine",
        ];
        let taint = tainted(&common);
        assert_eq!(common.iter().filter(|text| taint.touches(text)).collect::<Vec<_>>(), Vec::<&&str>::new());
    }

    #[test]
    fn short_words_count_only_where_they_stand_alone_and_short_mixtures_anywhere() {
        let taint = tainted(&["zorb", "k7x9"]);
        assert!(taint.touches("a-zorb-b") && !taint.touches("azorba") && taint.touches("ak7x9b"));
    }

    #[test]
    fn a_long_value_is_known_by_its_beginning() {
        let long = "q1w2e3r4".repeat(100);
        assert!(tainted(&[&long]).touches(&long[..70]));
    }

    #[test]
    fn what_is_shown_by_right_taints_nothing() {
        let mut taint = Taint::default();
        let id = "50f05446ea111d1c1f2ba4c18cc9cc62f28a98a517cc9965c65a8072dc9bbda8";
        taint.add("50f05446ea11");
        taint.forgive(id);
        taint.freeze();
        assert!(!taint.touches(id));
    }
}
