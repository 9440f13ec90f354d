//! The second of two walks over a document. It is made twice: first without output, to find what still has to be masked and to
//! check the result; then to write. So nothing is written before the whole document is known to be safe, and the output need
//! not be kept in memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

use crate::collect::{Collected, Decision, Spot, line};
use crate::document::{Children, Document, Node, Value};
use crate::gentle::Masked;
use crate::memo::Memo;
use crate::placeholder::{self, Kind, Style};
use crate::show_list::{Class, KeyShape, Place, Step, show_list};
use crate::text::{self, Quoted};
use crate::treat::Treatment;
use crate::verdict::{Parts, Verdict};
use crate::{Error, Layout, command::Line, scan};

/// The longest number that is shown, in characters; engines write no longer ones.
const LONGEST_NUMBER: usize = 32;

/// An output that drops everything.
pub(crate) struct Nothing;

impl Write for Nothing {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Ok(())
    }
}

/// A summary of what was masked.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// How many strings, keys and numbers were masked, by kind.
    pub counts: BTreeMap<Kind, u64>,
    /// Where something was masked and why, one line each, if [`crate::Policy::explain`] asked for it. No line contains the
    /// value.
    pub reasons: Vec<String>,
}

/// One walk, which either writes or checks.
pub(crate) struct Renderer<'r, 'a, W> {
    pub(crate) doc: &'r Document<'a>,
    pub(crate) treatment: &'r Treatment,
    pub(crate) found: &'r mut Collected,
    pub(crate) out: W,
    pub(crate) layout: Layout,
    /// Set in the walk that checks and counts.
    pub(crate) checking: Option<&'r mut Summary>,
    pub(crate) path: Vec<String>,
    pub(crate) depth: usize,
    pub(crate) touched: Memo<bool>,
}

struct Entry<'a> {
    key: Cow<'a, str>,
    value: Value,
    place: Place,
    name: Cow<'a, str>,
}

impl<'a, W: Write> Renderer<'_, 'a, W> {
    /// Walks over the whole document.
    pub(crate) fn document(&mut self) -> Result<(), Error> {
        let roots: Vec<Value> = self.doc.roots().collect();
        match (self.layout, &roots[..]) {
            (Layout::Pretty, [root]) => self.root(*root),
            (Layout::Pretty, _) => self.list(&roots),
            (Layout::Lines, [root]) => match self.doc.node(*root) {
                Node::Array(mut items) => {
                    let next = std::iter::from_fn(|| self.doc.next(&mut items));
                    next.collect::<Vec<_>>().into_iter().try_for_each(|item| self.root(item))
                }
                _ => self.root(*root),
            },
            (Layout::Lines, _) => roots.iter().try_for_each(|root| self.root(*root)),
        }
    }

    fn root(&mut self, root: Value) -> Result<(), Error> {
        self.value(root, &mut Spot::root(), true)?;
        Ok(self.out.write_char('\n')?)
    }

    fn list(&mut self, roots: &[Value]) -> Result<(), Error> {
        self.open('[')?;
        for (at, root) in roots.iter().enumerate() {
            self.separate(at > 0)?;
            self.value(*root, &mut Spot::root(), true)?;
        }
        self.close(']')?;
        Ok(self.out.write_char('\n')?)
    }

    fn value(&mut self, value: Value, spot: &mut Spot<'_>, top: bool) -> Result<(), Error> {
        match self.doc.node(value) {
            Node::Literal(text) if text.len() > LONGEST_NUMBER => {
                self.count(Kind::Shape, "a number too long for one");
                Ok(self.out.write_char('0')?)
            }
            Node::Literal(text) => Ok(self.out.write_str(text)?),
            Node::Text(text) => self.text(value, text, spot),
            Node::Object(object) => self.object(object, spot.place),
            Node::Array(items) => self.array(items, spot, top),
        }
    }

    fn array(&mut self, mut items: Children, spot: &Spot<'_>, top: bool) -> Result<(), Error> {
        let place = if top { spot.place } else { show_list().item(spot.place) };
        let mut inner = Spot { place, key: spot.key.clone(), line: spot.line.clone() };
        let mut at = 0;
        while let Some(item) = self.doc.next(&mut items) {
            if at == 0 {
                self.open('[')?;
            }
            self.separate(at > 0)?;
            self.enter(|| format!("[{at}]"));
            self.value(item, &mut inner, false)?;
            self.path.pop();
            at += 1;
        }
        if at == 0 { Ok(self.out.write_str("[]")?) } else { self.close(']') }
    }

    fn object(&mut self, object: Children, place: Place) -> Result<(), Error> {
        let mut entries = object;
        let mut renamed: Option<Vec<Entry<'a>>> = None;
        let mut at = 0;
        // Keys are sorted already, unless one was replaced: then all of them are sorted again.
        if self.has_renamed(object, place) {
            let mut all = Vec::new();
            while let Some(entry) = self.entry(&mut entries, place) {
                all.push(entry);
            }
            all.sort_by(|a, b| a.key.cmp(&b.key));
            all.reverse();
            renamed = Some(all);
        }
        loop {
            let next = match &mut renamed {
                Some(rest) => rest.pop(),
                None => self.entry(&mut entries, place),
            };
            let Some(entry) = next else { break };
            if at == 0 {
                self.open('{')?;
            }
            self.separate(at > 0)?;
            self.member(object, entry)?;
            at += 1;
        }
        if at == 0 { Ok(self.out.write_str("{}")?) } else { self.close('}') }
    }

    fn member(&mut self, object: Children, entry: Entry<'a>) -> Result<(), Error> {
        text::write_quoted(&mut self.out, &entry.key)?;
        self.out.write_str(if self.layout == Layout::Pretty { ": " } else { ":" })?;
        self.enter(|| entry.key.clone().into_owned());
        let mut spot = Spot { place: entry.place, key: entry.name, line: Line::default() };
        spot.line = line(self.doc, object, &spot);
        self.value(entry.value, &mut spot, false)?;
        self.path.pop();
        Ok(())
    }

    /// Whether a key of this object is masked. The checking walk also decides which keys contain a masked value.
    fn has_renamed(&mut self, mut entries: Children, place: Place) -> bool {
        let mut renamed = false;
        while let Some(key) = self.doc.next(&mut entries) {
            self.doc.next(&mut entries);
            if self.checking.is_some() {
                self.check_key(key, place);
            }
            renamed |= self.found.decisions[key.cell()] != Decision::Show;
        }
        renamed
    }

    fn check_key(&mut self, key: Value, place: Place) {
        let name = self.doc.quoted(key).decoded();
        let tainted = name.is_some_and(|name| match show_list().step(place, &name) {
            Step::Known(_) => false,
            Step::Free(KeyShape::Name, _) => self.taints_a_name(&name),
            Step::Free(..) => self.touches(&name),
        });
        let decision = &mut self.found.decisions[key.cell()];
        if tainted && *decision == Decision::Show {
            *decision = Decision::Mask(Kind::Tainted);
        }
        if let Decision::Mask(kind) = *decision {
            self.count(kind, "a key that must not be shown");
        }
    }

    fn entry(&mut self, entries: &mut Children, place: Place) -> Option<Entry<'a>> {
        let cell = self.doc.next(entries)?;
        let value = self.doc.next(entries)?;
        let quoted = self.doc.quoted(cell);
        let name = quoted.decoded().unwrap_or_default();
        let place = match show_list().step(place, &name) {
            Step::Known(next) | Step::Free(_, next) => next,
        };
        let key = match self.found.decisions[cell.cell()] {
            Decision::Show => name.clone(),
            _ => format!("key-{}", self.found.numbers.of(quoted.as_written())).into(),
        };
        Some(Entry { key, value, place, name })
    }

    fn text(&mut self, cell: Value, quoted: Quoted<'a>, at: &mut Spot<'_>) -> Result<(), Error> {
        let Some(text) = quoted.decoded() else {
            self.count(Kind::Shape, "no Unicode");
            return self.placeholder("", Kind::Shape, quoted.as_written());
        };
        let class = at.class();
        let verdict = match self.found.decisions[cell.cell()] {
            Decision::Parts | Decision::Lead(_) => self.treatment.decide(class, &at.key, &mut at.line, &text),
            // The words of a command line are counted even if no decision is left to make.
            _ if matches!(class, Some(Class::Command)) => {
                self.treatment.decide(class, &at.key, &mut at.line, &text)
            }
            _ => Verdict::Show,
        };
        if self.checking.is_some() {
            self.check(cell, class, &text, &verdict);
        }
        match (self.found.decisions[cell.cell()], verdict) {
            (Decision::Show, _) => self.emit(&text),
            (Decision::Mask(kind), _) => self.placeholder("", kind, &text),
            (Decision::Parts, Verdict::Parts(parts)) => self.parts(&parts),
            (Decision::Lead(kind), Verdict::Parts(parts)) => {
                self.placeholder(parts.lead, kind, &text[parts.lead.len()..])
            }
            (Decision::Parts | Decision::Lead(_), _) => Err(Error::SelfCheck),
        }
    }

    /// Decides again about a string that was going to be shown: it may contain a value that was masked elsewhere.
    fn check(&mut self, cell: Value, class: Option<Class>, text: &str, verdict: &Verdict<'_>) {
        let decision = self.found.decisions[cell.cell()];
        let command = matches!(class, Some(Class::Command | Class::Program | Class::Script));
        let tainted = |text: &str| self.touches(text) || (command && self.touches_gently(text));
        let number = command && self.has_number(text);
        let name = matches!(class, Some(Class::Name(_) | Class::Label)) && self.taints_a_name(text);
        let second = match (decision, verdict) {
            (Decision::Show, _) if text.is_empty() || placeholder::is_one(text) => Decision::Show,
            (Decision::Show, _) if matches!(class, Some(Class::Typed(_))) => {
                if self.found.masked.everywhere.touches_plainly(text) {
                    Decision::Mask(Kind::Tainted)
                } else {
                    decision
                }
            }
            (Decision::Show, _) if number || name || tainted(text) => Decision::Mask(Kind::Tainted),
            (Decision::Parts, Verdict::Parts(parts))
                if tainted(parts.lead) || self.has_number(&shown(class, parts)) =>
            {
                Decision::Mask(Kind::Tainted)
            }
            (Decision::Parts, Verdict::Parts(parts)) if tainted(&parts.shown()) => match parts.lead {
                "" => Decision::Mask(Kind::Tainted),
                _ => Decision::Lead(Kind::Tainted),
            },
            _ => decision,
        };
        self.found.decisions[cell.cell()] = second;
        match (second, verdict) {
            (Decision::Mask(kind) | Decision::Lead(kind), _) => self.count(kind, &reason(kind, class, text)),
            (Decision::Parts, Verdict::Parts(parts)) => {
                let kinds: Vec<Kind> = parts.pieces.iter().filter_map(|piece| piece.masked).collect();
                for kind in kinds {
                    self.count(kind, &reason(kind, class, text));
                }
            }
            _ => {}
        }
    }

    fn touches(&self, text: &str) -> bool {
        self.touched.answer(text, || self.found.masked.everywhere.touches(text))
    }

    /// Whether a command line contains a word that was masked elsewhere as a name or a place.
    fn touches_gently(&self, text: &str) -> bool {
        self.found.masked.in_commands.touches(text)
    }

    fn taints_a_name(&self, text: &str) -> bool {
        self.touches(text) || self.found.masked.everywhere.has_long_number(text)
    }

    fn has_number(&self, text: &str) -> bool {
        let Masked { everywhere, in_commands } = &self.found.masked;
        everywhere.has_number(text) || in_commands.has_number(text)
    }

    fn parts(&mut self, parts: &Parts<'_>) -> Result<(), Error> {
        if self.treatment.policy.style == Style::Dokku {
            return self.emit(&format!("{}{}", parts.lead, placeholder::DOKKU));
        }
        let mut text = parts.lead.to_owned();
        for piece in &parts.pieces {
            match piece.masked {
                Some(kind) => self.write_placeholder(&mut text, kind, &piece.text),
                None => text.push_str(&piece.text),
            }
        }
        self.emit(&text)
    }

    fn placeholder(&mut self, lead: &str, kind: Kind, value: &str) -> Result<(), Error> {
        let mut text = lead.to_owned();
        self.write_placeholder(&mut text, kind, value);
        self.emit(&text)
    }

    fn write_placeholder(&mut self, out: &mut String, kind: Kind, value: &str) {
        match self.treatment.policy.style {
            Style::Numbered => {
                let number = self.found.numbers.of(value);
                write!(out, "[redacted:{kind}:{number}]").expect("a string takes all text");
            }
            Style::Bare => out.push_str("[redacted]"),
            Style::Dokku => out.push_str(placeholder::DOKKU),
        }
    }

    /// Writes a string. Every string passes here, so that the checking walk examines once more what is about to be shown.
    fn emit(&mut self, text: &str) -> Result<(), Error> {
        if self.checking.is_some() && !placeholder::is_one(text) {
            let shown = placeholder::without(text);
            if self.found.masked.everywhere.touches_plainly(&shown) || scan::by_rule(&shown).is_some() {
                return Err(Error::SelfCheck);
            }
        }
        Ok(text::write_quoted(&mut self.out, text)?)
    }

    fn count(&mut self, kind: Kind, why: &str) {
        let path = &self.path;
        if let Some(summary) = self.checking.as_mut() {
            *summary.counts.entry(kind).or_default() += 1;
            if self.treatment.policy.explain {
                summary.reasons.push(format!("{}: {kind}: {why}", path.concat()));
            }
        }
    }

    fn enter(&mut self, step: impl FnOnce() -> String) {
        let explained = self.checking.is_some() && self.treatment.policy.explain;
        let step = if explained { step() } else { String::new() };
        let dot = if step.starts_with('[') || self.path.is_empty() { "" } else { "." };
        self.path.push(if step.is_empty() { step } else { format!("{dot}{step}") });
    }

    fn open(&mut self, bracket: char) -> fmt::Result {
        self.depth += 1;
        self.out.write_char(bracket)
    }

    fn separate(&mut self, comma: bool) -> fmt::Result {
        self.out.write_str(if comma { "," } else { "" })?;
        self.new_line()
    }

    fn close(&mut self, bracket: char) -> Result<(), Error> {
        self.depth -= 1;
        self.new_line()?;
        Ok(self.out.write_char(bracket)?)
    }

    fn new_line(&mut self) -> fmt::Result {
        if self.layout == Layout::Lines {
            return Ok(());
        }
        self.out.write_char('\n')?;
        (0..self.depth).try_for_each(|_| self.out.write_str("    "))
    }
}

fn shown(class: Option<Class>, parts: &Parts<'_>) -> String {
    let command = matches!(class, Some(Class::Command | Class::Program | Class::Script));
    if command { parts.shown() } else { String::new() }
}

/// Why something is masked, in words that reveal nothing about the value.
fn reason(kind: Kind, class: Option<Class>, text: &str) -> String {
    let why = match kind {
        Kind::Env | Kind::Label => "its name is not on the show-list with this shape",
        Kind::Arg => "a word of a command line that is neither a known program, a flag nor a short number",
        Kind::User | Kind::UrlPassword => "the login of a URL",
        Kind::Host => "a host that is not plainly a name",
        Kind::Query => "the query of a URL",
        Kind::Jwt | Kind::PrivateKey | Kind::Token => "it looks like a credential",
        Kind::Entropy => "it looks random",
        Kind::HealthOutput | Kind::Text => {
            return format!("free text of {} is never shown", bucket(text.len()));
        }
        Kind::Path if matches!(class, Some(Class::Bind)) => "a bind whose source is not known",
        Kind::Path if matches!(class, Some(Class::Env | Class::Label | Class::Url)) => {
            "a path that not every machine has"
        }
        Kind::Path => "a path of the host",
        Kind::Option => "values of options are never shown",
        Kind::Shape => "not of the shape that this place permits",
        Kind::Unknown => "the show-list does not know this place",
        Kind::Name => "names are hidden",
        Kind::Pii => "it looks personal",
        Kind::Tainted => "it holds what was masked elsewhere",
    };
    why.to_owned()
}

fn bucket(length: usize) -> &'static str {
    match length {
        0..100 => "less than 100 bytes",
        100..1000 => "100 to 999 bytes",
        1000..10_000 => "1,000 to 9,999 bytes",
        _ => "10,000 bytes or more",
    }
}
