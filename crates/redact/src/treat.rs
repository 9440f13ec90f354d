//! The treatment of a string by each class of the show-list. The table in
//! docs/programs/ps-inspect-sanitize.md#what-is-guaranteed says the same for users.

use crate::command::{Line, Words};
use crate::placeholder::{self, Kind};
use crate::policy::Policy;
use crate::scan::{self, Scanner};
use crate::secret_value::secret_value;
use crate::shape::{self, Shape};
use crate::show_list::{Class, KeyShape, show_list};
use crate::verdict::{Parts, Verdict};
use crate::{decode, hex, mount, words};

/// The caller's policy and the scanner, which every decision needs in addition to the string itself.
pub(crate) struct Treatment {
    pub(crate) policy: Policy,
    pub(crate) scanner: Scanner,
}

impl Treatment {
    pub(crate) fn new(policy: Policy) -> Self {
        Self { policy, scanner: Scanner::new(policy.pii) }
    }

    /// Decides about a string. `key` is the key of the string, `line` the command line of which it is a word.
    pub(crate) fn decide<'a>(
        &self,
        class: Option<Class>,
        key: &str,
        line: &mut Line,
        text: &'a str,
    ) -> Verdict<'a> {
        if text.is_empty() || placeholder::is_one(text) {
            // A placeholder in a command line is counted as a word, so that the words after it are judged in the same way as
            // when the word was masked.
            line.advance(text);
            return Verdict::Show;
        }
        let words = Words { scanner: &self.scanner, relaxed: self.policy.show_commands, inner: false };
        match class {
            None => Verdict::Mask(Kind::Unknown),
            Some(Class::Typed(shape)) => self.typed(shape, text),
            Some(Class::Name(shape)) => self.name(shape, text),
            Some(Class::Env) => self.env(text),
            Some(Class::Label) => self.listed(show_list().label(key), Kind::Label, "", text),
            Some(Class::Program) => words.program(text),
            Some(Class::Command) => line.word(&words, text),
            Some(Class::Script) => words.script(text),
            Some(Class::Source) => mount::path(&self.scanner, text),
            Some(Class::Bind) => mount::bind(&self.scanner, text),
            Some(Class::Device) => mount::device(text),
            Some(Class::Url) => secret_value(Kind::Option, "", text),
            Some(Class::Option) => Verdict::Mask(Kind::Option),
            Some(Class::Free(kind)) => Verdict::Mask(kind),
        }
    }

    /// Whether a key may be shown unchanged.
    pub(crate) fn shows_key(&self, shape: KeyShape, key: &str) -> bool {
        let chars = |extra: &[u8]| key.bytes().all(|b| b.is_ascii_alphanumeric() || extra.contains(&b));
        let replaced = key.strip_prefix("key-").is_some_and(shape::is_port);
        let fits = match shape {
            KeyShape::Port => is_port_key(key),
            KeyShape::Id => {
                hex::is_hex(key, 64..=64) || (key.len() == 25 && chars(b"")) || key == "lb-ingress"
            }
            KeyShape::Directory => shape::is_directory(key),
            KeyShape::Name => shape::is_name(key) && !self.policy.hide_names,
            KeyShape::Field => {
                key.len() <= 64 && key.starts_with(|c: char| c.is_ascii_alphabetic()) && chars(b"_")
            }
            KeyShape::Label | KeyShape::Option => (1..=256).contains(&key.len()) && chars(b"._-/"),
        };
        let explained = matches!(shape, KeyShape::Port | KeyShape::Id);
        replaced || key.is_empty() || (fits && (explained || self.scanner.hit(key).is_none()))
    }

    fn typed<'a>(&self, shape: Shape, text: &str) -> Verdict<'a> {
        if !shape.fits(text) {
            return Verdict::Mask(Kind::Shape);
        }
        if text.len() >= 25 && decode::hides_text(text) {
            return Verdict::Mask(Kind::Shape);
        }
        let personal = self.policy.pii.then(|| crate::pii::found(text)).flatten();
        personal.or_else(|| scan::by_rule(text)).map_or(Verdict::Show, Verdict::Mask)
    }

    fn name<'a>(&self, shape: Shape, text: &'a str) -> Verdict<'a> {
        if self.policy.hide_names {
            return if shape.is_no_name(text) { Verdict::Show } else { Verdict::Mask(Kind::Name) };
        }
        if let (Shape::Image, Some(at)) = (shape, shape::without_digest(text).rfind('@')) {
            return self.image_with_login(shape, text, at);
        }
        if !shape.fits(text) {
            return Verdict::Mask(Kind::Shape);
        }
        self.scanner.hit(&shape.unexplained(text)).map_or(Verdict::Show, Verdict::Mask)
    }

    /// Judges `user:password@registry/image`: the image is shown.
    fn image_with_login<'a>(&self, shape: Shape, text: &'a str, at: usize) -> Verdict<'a> {
        let image = &text[at + 1..];
        if !(text[..at].contains(':') || placeholder::is_one(&text[..at]))
            || !image.contains('/')
            || !shape.fits(image)
            || self.scanner.hit(&shape.unexplained(image)).is_some()
        {
            return Verdict::Mask(Kind::Shape);
        }
        let mut parts = Parts::default();
        parts.mask(Kind::UrlPassword, &text[..at]);
        parts.show(&text[at..]);
        parts.verdict()
    }

    fn env<'a>(&self, text: &'a str) -> Verdict<'a> {
        let Some((name, value)) = text.split_once('=').filter(|(name, value)| self.is_env_name(name, value))
        else {
            return Verdict::Mask(Kind::Env);
        };
        let lead = &text[..=name.len()];
        match self.listed(show_list().env(name), Kind::Env, lead, value) {
            Verdict::Parts(_) if name == "PATH" => search_path(lead, value),
            verdict => verdict,
        }
    }

    /// Text that ends in equals signs may be base64, so the name before it must be certain.
    fn is_env_name(&self, name: &str, value: &str) -> bool {
        let has = |test: fn(&u8) -> bool| name.bytes().any(|b| test(&b));
        let mixed = has(u8::is_ascii_uppercase) && (has(u8::is_ascii_lowercase) || has(u8::is_ascii_digit));
        if value.starts_with('=') || (value.is_empty() && mixed) {
            return false;
        }
        let chars = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        (1..=128).contains(&name.len()) && name.bytes().all(chars) && self.scanner.hit(name).is_none()
    }

    /// Judges a value whose name may be in the list: it is shown if it has the row's shape.
    fn listed<'a>(&self, row: Option<Class>, kind: Kind, lead: &'a str, value: &'a str) -> Verdict<'a> {
        let shown = match row {
            Some(Class::Typed(shape)) => matches!(self.typed(shape, value), Verdict::Show),
            Some(Class::Name(shape)) => matches!(self.name(shape, value), Verdict::Show),
            _ => false,
        };
        if shown { Verdict::Show } else { secret_value(kind, lead, value) }
    }
}

/// Judges a search path: directories that every machine has are shown. `lead` stays.
fn search_path<'a>(lead: &'a str, value: &'a str) -> Verdict<'a> {
    let is_usual =
        |field: &str| placeholder::is_one(field) || (field.starts_with('/') && words::is_common_path(field));
    let fields = mount::fields(value);
    if !fields.iter().any(|field| is_usual(field)) {
        return secret_value(Kind::Env, lead, value);
    }
    let mut parts = Parts::led_by(lead);
    for (at, field) in fields.into_iter().enumerate() {
        parts.show(if at > 0 { ":" } else { "" });
        parts.show_if(field.is_empty() || is_usual(field), Kind::Path, field);
    }
    parts.verdict()
}

/// Whether the key is a port and its protocol: `5000/tcp`.
fn is_port_key(key: &str) -> bool {
    let (port, protocol) = key.split_once('/').unwrap_or((key, "tcp"));
    let range = port.split('-').all(shape::is_port) && port.split('-').count() <= 2;
    range && matches!(protocol, "tcp" | "udp" | "sctp")
}
