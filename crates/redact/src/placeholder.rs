//! The placeholder that replaces a masked value: `[redacted:url-password:3]`. Equal values get equal numbers, so that a reader
//! sees that two places have the same value. The placeholder contains nothing else about the value, neither its length nor a
//! hash.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

/// Why a value was masked, as shown in the placeholder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The value of an environment variable.
    Env,
    /// The value of a label.
    Label,
    /// A word of a command line.
    Arg,
    /// The user in a URL.
    User,
    /// The password in a URL.
    UrlPassword,
    /// A host name in a URL that does not look like a plain name.
    Host,
    /// A value in a query or the fragment of a URL.
    Query,
    /// A signed or encrypted JSON web token.
    Jwt,
    /// A private key.
    PrivateKey,
    /// A token of a known form, a connection string, a password hash, or encoded text.
    Token,
    /// A value that looks random.
    Entropy,
    /// The output of a health probe.
    HealthOutput,
    /// Other text of programs and engines.
    Text,
    /// A path of the host, or a part of it.
    Path,
    /// The value of an option of a driver, of a name server, and the like.
    Option,
    /// A value without the shape that this place permits.
    Shape,
    /// A place that the show-list does not know.
    Unknown,
    /// A name, masked because `--hide-names` asked for it.
    Name,
    /// An e-mail address, a public address or a card number, masked because `--pii` asked for it.
    Pii,
    /// A value that contains something that was masked elsewhere in the document.
    Tainted,
}

const KINDS: [(Kind, &str); 20] = [
    (Kind::Env, "env"),
    (Kind::Label, "label"),
    (Kind::Arg, "arg"),
    (Kind::User, "user"),
    (Kind::UrlPassword, "url-password"),
    (Kind::Host, "host"),
    (Kind::Query, "query"),
    (Kind::Jwt, "jwt"),
    (Kind::PrivateKey, "private-key"),
    (Kind::Token, "token"),
    (Kind::Entropy, "entropy"),
    (Kind::HealthOutput, "health-output"),
    (Kind::Text, "text"),
    (Kind::Path, "path"),
    (Kind::Option, "option"),
    (Kind::Shape, "shape"),
    (Kind::Unknown, "unknown"),
    (Kind::Name, "name"),
    (Kind::Pii, "pii"),
    (Kind::Tainted, "tainted"),
];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = KINDS.iter().find(|(kind, _)| kind == self).map_or("unknown", |(_, name)| name);
        f.write_str(name)
    }
}

/// How placeholders are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// `[redacted:<kind>:<number>]`: equal values get equal numbers.
    #[default]
    Numbered,
    /// `[redacted]`: nothing can be correlated.
    Bare,
    /// `XXXXXX` for the whole string, as Dokku's `ps:inspect` masks.
    Dokku,
}

/// The text that Dokku writes for every masked string.
pub(crate) const DOKKU: &str = "XXXXXX";

/// The placeholder at the start of the text; `None` if it starts with anything else. Output that is sanitised again
/// must come out unchanged, so these are never masked.
pub(crate) fn leading(text: &str) -> Option<&str> {
    if text.starts_with("[redacted]") {
        return Some(&text[..10]);
    }
    let rest = text.strip_prefix("[redacted:")?;
    let (kind, rest) = rest.split_once(':')?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let known = KINDS.iter().any(|(_, name)| *name == kind);
    let length = "[redacted:".len() + kind.len() + 1 + digits;
    (known && (1..=9).contains(&digits) && text[length..].starts_with(']')).then(|| &text[..=length])
}

/// Whether the text is exactly one placeholder.
pub(crate) fn is_one(text: &str) -> bool {
    text == DOKKU || leading(text).is_some_and(|found| found.len() == text.len())
}

/// The text with a blank in place of each placeholder.
pub(crate) fn without(text: &str) -> std::borrow::Cow<'_, str> {
    let text = text.strip_suffix(DOKKU).filter(|lead| lead.ends_with('=')).unwrap_or(text);
    if !text.contains("[redacted") {
        return text.into();
    }
    let mut rest = text;
    let mut out = String::with_capacity(text.len());
    while let Some(at) = rest.find("[redacted") {
        out.push_str(&rest[..at]);
        let found = leading(&rest[at..]).unwrap_or("[");
        out.push(if found == "[" { '[' } else { ' ' });
        rest = &rest[at + found.len()..];
    }
    out.push_str(rest);
    out.into()
}

/// The numbers given so far. A value is identified by a 64-bit hash, so that a large document is not in memory twice.
#[derive(Default)]
pub(crate) struct Numbers {
    hasher: RandomState,
    given: HashMap<u64, u32>,
    highest: u32,
}

impl Numbers {
    /// The number of a value: the one it has already, or the next one.
    pub(crate) fn of(&mut self, value: &str) -> u32 {
        let next = self.highest + 1;
        let number = *self.given.entry(self.hasher.hash_one(value)).or_insert(next);
        self.highest = self.highest.max(number);
        number
    }

    /// Makes new numbers follow that of a key that was replaced in an earlier run.
    pub(crate) fn reserve_key(&mut self, key: &str) {
        let number = key.strip_prefix("key-").and_then(|digits| digits.parse().ok());
        self.highest = self.highest.max(number.filter(|number| *number < 100_000_000).unwrap_or(0));
    }

    /// Makes new numbers follow those of placeholders that the document already contains.
    pub(crate) fn reserve(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find("[redacted:") {
            rest = &rest[at..];
            let found = leading(rest);
            let number = found.and_then(|one| one.trim_end_matches(']').rsplit(':').next()?.parse().ok());
            self.highest = self.highest.max(number.unwrap_or(0));
            rest = &rest[found.map_or(1, str::len)..];
        }
    }
}
