//! Command lines. By default only known programs, names of flags, operators and short numbers are shown; every other word is
//! masked, and only the number of words can be seen. With `--show-commands` a word is shown unless the word before it is a
//! secret's name (`--password x`), or it looks like a credential.

use std::borrow::Cow;

use crate::client::{self, Client};
use crate::placeholder::Kind;
use crate::scan::Scanner;
use crate::secret_value::secret_value;
use crate::verdict::{Parts, Verdict};
use crate::{decode, entropy, key_name, placeholder, shape, words};

/// A longer script is masked as a whole, in bytes.
const LONGEST: usize = 64 * 1024;
/// After one of these words the next word is a program again.
const CONTINUES: &[&str] = &[
    "exec",
    "env",
    "sudo",
    "nohup",
    "time",
    "then",
    "else",
    "do",
    "if",
    "while",
    "!",
    "RUN",
    "CMD",
    "ENTRYPOINT",
    "tini",
    "dumb-init",
    "su-exec",
    "--",
];
const OPERATORS: &[&str] = &[
    "&&",
    "||",
    "|",
    ";",
    "&",
    "(",
    ")",
    "{",
    "}",
    ";;",
    ">",
    ">>",
    "<",
    "2>&1",
    ">&2",
    "1>&2",
    "2>/dev/null",
    ">/dev/null",
    "/dev/null",
    "2>",
    "|&",
];
/// Common words that are often used as passwords, so that they are not shown as common words.
const WEAK: &[&str] =
    &["admin", "guest", "root", "test", "demo", "hello", "world", "foo", "bar", "default", "master", "user"];

/// The facts that the words so far give about the next word of a command line.
///
/// The output must not change when it is sanitized again, and then masked words are placeholders. So a fact that makes the next
/// word visible may come only from words that are shown: they are the same the second time. A fact that masks the next word may
/// come from every word, also from a masked one, because masking more is safe. For example, in `mysql -u shop -p x` the program
/// `mysql` is shown, so the fact that it takes credentials is known both times.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is learnt from words of its own")]
pub(crate) struct Line {
    /// The program has come: the next word is one of its arguments.
    program: bool,
    previous: Option<String>,
    /// The programs on the line that take credentials: `docker exec db mysql -px` runs two.
    clients: Vec<&'static Client>,
    /// A shell has come.
    shell: bool,
    /// The next word is a script.
    script: bool,
    /// This is the test of a health check, whose first word gives the meaning of the others.
    check: bool,
}

impl Line {
    /// A line whose first words are under other keys of the document: the words of `Args` follow `Path`, those of `Cmd` follow
    /// `Entrypoint`.
    pub(crate) fn after(words: &[String]) -> Self {
        let mut line = Self::default();
        for word in words {
            line.advance(word);
        }
        line
    }

    /// The line of the test of a health check.
    pub(crate) fn of_a_check() -> Self {
        Self { check: true, ..Self::default() }
    }

    /// Decides about the next word.
    pub(crate) fn word<'a>(&mut self, policy: &Words<'_>, text: &'a str) -> Verdict<'a> {
        let verdict = if self.check {
            let known = matches!(text, "CMD" | "CMD-SHELL" | "NONE");
            if known { Verdict::Show } else { Verdict::Mask(Kind::Arg) }
        } else if self.expects_secret() {
            Verdict::Mask(Kind::Arg)
        } else if self.script {
            policy.script(text)
        } else if !self.program && !text.trim_start().starts_with('-') {
            policy.program(text)
        } else {
            policy.argument(self, text)
        };
        self.advance(text);
        verdict
    }

    /// Goes on to the next word.
    pub(crate) fn advance(&mut self, text: &str) {
        if std::mem::take(&mut self.check) {
            self.script = text == "CMD-SHELL";
            return;
        }
        let shown = !self.expects_secret();
        self.program |=
            !CONTINUES.contains(&text) && !stays_before_the_program(text) && !placeholder::is_one(text);
        self.shell |= shown && is_shell(text);
        self.script = shown && self.shell && text.starts_with('-') && text.ends_with('c') && text.len() <= 4;
        let new =
            client::named(text).filter(|new| !self.clients.iter().any(|known| std::ptr::eq(*known, *new)));
        self.clients.extend(new);
        // `Authorization: Basic x` has three words.
        if shown || !is_scheme(text) {
            self.previous = Some(text.to_owned());
        }
    }

    /// Whether the previous word says that this one is a secret.
    fn expects_secret(&self) -> bool {
        let Some(flag) = self.previous.as_deref() else { return false };
        // In a script, `"token": "x"` and `password: x` are two words each.
        (flag.ends_with([':', '"', '\'', '>']) && key_name::gives_a_secret(&format!("{flag} x")))
            || (flag.starts_with('-')
                && !flag.contains('=')
                && key_name::is_secret(flag.trim_start_matches('-')))
            || self.clients.iter().any(|client| client.flags.contains(&flag))
    }

    /// The offset of the credential in a word that also contains its flag: `-px`, `--user=a:b`, `pass:x`.
    fn attached(&self, text: &str) -> Option<usize> {
        self.clients.iter().filter_map(|client| client.attached(text)).min()
    }

    /// Whether the word belongs to a program that takes passwords as plain words: `htpasswd -b f user x`.
    fn takes_words(&self, text: &str) -> bool {
        !text.starts_with('-') && !is_known(text) && self.clients.iter().any(|client| client.words)
    }
}

/// The rules for judging words.
pub(crate) struct Words<'s> {
    pub(crate) scanner: &'s Scanner,
    /// `--show-commands`.
    pub(crate) relaxed: bool,
    /// The words are those of a script: a quoted word with blanks is not split again.
    pub(crate) inner: bool,
}

impl Words<'_> {
    /// Judges the first word of a line.
    pub(crate) fn program<'a>(&self, text: &'a str) -> Verdict<'a> {
        if self.relaxed {
            return self.relaxed_argument(text);
        }
        if text.contains(' ') {
            return self.script(text);
        }
        if is_known(text) {
            return Verdict::Show;
        }
        self.assignment(text).unwrap_or_else(|| secret_value(Kind::Arg, "", text))
    }

    /// Judges a script for a shell, word by word.
    pub(crate) fn script<'a>(&self, text: &'a str) -> Verdict<'a> {
        if text.len() > LONGEST {
            return Verdict::Mask(Kind::Arg);
        }
        if self.inner {
            return if self.relaxed { self.unless_hit(text) } else { Verdict::Mask(Kind::Arg) };
        }
        let words = Words { inner: true, ..*self };
        let mut parts = Parts::default();
        let mut line = Line::default();
        for (at, word) in split(text).into_iter().enumerate() {
            parts.show(if at > 0 { " " } else { "" });
            if OPERATORS.contains(&word) {
                line = Line::default();
                parts.show(word);
                continue;
            }
            match line.word(&words, word) {
                Verdict::Show => parts.show(word),
                Verdict::Mask(kind) => parts.mask(kind, word),
                Verdict::Parts(inner) => {
                    parts.show(inner.lead);
                    parts.pieces.extend(inner.pieces);
                }
            }
        }
        // The words together, or the text between them, may contain a secret that no single word contains.
        let all = if parts.masks() { parts.shown().into() } else { Cow::Borrowed(text) };
        if self.scanner.hit(&all).is_some() { Verdict::Mask(Kind::Arg) } else { parts.verdict() }
    }

    fn argument<'a>(&self, line: &Line, text: &'a str) -> Verdict<'a> {
        if self.relaxed && line.takes_words(text) {
            return Verdict::Mask(Kind::Arg);
        }
        if self.relaxed {
            let attached = line.attached(text).filter(|_| self.scanner.hit(text).is_none());
            return attached.map_or_else(|| self.relaxed_argument(text), |at| behind_its_flag(text, at));
        }
        if is_known(text) {
            return Verdict::Show;
        }
        self.flag(line, text).unwrap_or_else(|| secret_value(Kind::Arg, "", text))
    }

    /// Judges a flag: its name is shown, a value attached to it is masked.
    fn flag<'a>(&self, line: &Line, text: &'a str) -> Option<Verdict<'a>> {
        let name = text.split_once('=').map_or(text, |(name, _)| name);
        if is_long_flag(name) && self.scanner.hit(name).is_none() {
            let mut parts = Parts::led_by("");
            parts.show(name);
            if let Some(value) = text.get(name.len() + 1..) {
                parts.show("=");
                let number = shape::is_port(value) && !key_name::is_secret(name);
                parts.show_if(number, Kind::Arg, value);
            }
            return Some(parts.verdict());
        }
        let short = text.strip_prefix('-').filter(|rest| !rest.starts_with('-'))?;
        let letter = short.chars().next().filter(char::is_ascii_alphabetic)?;
        if words::is_common(short) || short.len() == letter.len_utf8() || (short.len() <= 3 && line.shell) {
            return Some(Verdict::Show);
        }
        let mut parts = Parts::default();
        parts.show(&text[..2]);
        parts.mask(Kind::Arg, &text[2..]);
        Some(parts.verdict())
    }

    fn relaxed_argument<'a>(&self, text: &'a str) -> Verdict<'a> {
        if text.contains(' ') {
            return match self.script(text) {
                Verdict::Show => self.unless_hit(text),
                masked => masked,
            };
        }
        self.assignment(text).unwrap_or_else(|| self.unless_hit(text))
    }

    /// Judges `NAME=value`: the value is masked, with `--show-commands` only if the name is a secret's.
    fn assignment<'a>(&self, text: &'a str) -> Option<Verdict<'a>> {
        let (name, value) = text.split_once('=')?;
        let bare = name.trim_start_matches('-');
        // Text that ends in one or two equals signs is base64, not an assignment.
        if !is_variable(bare)
            || value.is_empty()
            || value.starts_with('=')
            || self.scanner.hit(bare).is_some()
            || (self.relaxed && !key_name::is_secret(bare))
        {
            return None;
        }
        Some(secret_value(Kind::Arg, &text[..=name.len()], value))
    }

    fn unless_hit<'a>(&self, text: &'a str) -> Verdict<'a> {
        if text.len() > LONGEST {
            return Verdict::Mask(Kind::Arg);
        }
        let chosen = || decode::views(text).iter().any(|view| entropy::looks_chosen(view));
        if self.scanner.hit(text).is_some() || entropy::looks_chosen(text) || chosen() {
            return secret_value(Kind::Arg, "", text);
        }
        Verdict::Show
    }
}

/// Whether a word is shown at any place: a known program, a common word, a short number.
fn is_known(text: &str) -> bool {
    let path = text.len() <= 128
        && words::is_common_path(text)
        && (text.starts_with('/') || text.split('/').all(|part| !WEAK.contains(&part)));
    path || shape::is_port(text) || matches!(text, "CMD" | "NONE" | "--" | "-")
}

fn is_shell(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    matches!(name, "sh" | "bash" | "ash" | "dash" | "zsh" | "busybox" | "cmd") && is_known(path)
}

/// Whether the program is still to come after this word: a flag or an assignment, of which a part is always shown.
fn stays_before_the_program(text: &str) -> bool {
    let name = text.split_once('=').map_or(text, |(name, _)| name);
    is_long_flag(name)
        || text.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()))
        || (name.len() < text.len() && is_variable(name))
}

/// A verdict that shows the flag and masks the value attached to it.
fn behind_its_flag(text: &str, at: usize) -> Verdict<'_> {
    let mut parts = Parts::default();
    parts.show(&text[..at]);
    parts.mask(Kind::Arg, &text[at..]);
    parts.verdict()
}

/// `--name` and `--long-name`: only letters, so that a secret with a digit in it does not match.
fn is_long_flag(text: &str) -> bool {
    let word = |word: &str| (1..=14).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase());
    text.strip_prefix("--").is_some_and(|name| name.split('-').count() <= 6 && name.split('-').all(word))
}

/// Splits a script into words: at blanks outside quotes and placeholders, with semicolons as words of their own.
fn split(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut quote = None;
    let mut skip = 0;
    for (at, char) in text.char_indices() {
        if at < skip {
            continue;
        }
        match (quote, char) {
            (Some(open), _) if open == char => quote = None,
            (None, '\'' | '"' | '`') => quote = Some(char),
            (None, '[') => skip = at + placeholder::leading(&text[at..]).map_or(1, str::len),
            (None, _) if char.is_whitespace() || (char == ';' && !is_entity(&text[start..at])) => {
                words.extend(Some(&text[start..at]).filter(|word| !word.is_empty()));
                words.extend((char == ';').then_some(&text[at..=at]));
                start = at + char.len_utf8();
            }
            _ => {}
        }
    }
    words.extend(Some(&text[start..]).filter(|word| !word.is_empty()));
    words
}

fn is_variable(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

fn is_scheme(word: &str) -> bool {
    let schemes = ["basic", "bearer", "token", "digest", "apikey", "negotiate", "hawk", "ssws"];
    schemes.iter().any(|scheme| word.eq_ignore_ascii_case(scheme))
}

/// Whether a semicolon after the text would end an HTML entity.
fn is_entity(text: &str) -> bool {
    let name = text.rfind('&').map(|at| &text[at + 1..]);
    name.is_some_and(|name| {
        name.len() <= 10 && name.starts_with('#') && name[1..].bytes().all(|b| b.is_ascii_alphanumeric())
    })
}
