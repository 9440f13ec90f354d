//! The first of two walks over a document. It decides about every string and key by itself, and stores the masked values, so
//! that the second walk finds them wherever they would be shown.

use std::borrow::Cow;

use crate::command::Line;
use crate::document::{Children, Document, Node, Value};
use crate::gentle::{Masked, Surroundings};
use crate::placeholder::{Kind, Numbers};
use crate::show_list::{Class, Place, ShowList, Step, show_list};
use crate::text::Quoted;
use crate::treat::Treatment;
use crate::verdict::Verdict;

/// Keys whose values are masked but not searched for elsewhere, because they repeat what is shown at its own place, such as an
/// image, a project or a command line.
const REPEATS: &[&str] = &[
    "com.docker.stack.image",
    "com.docker.stack.namespace",
    "com.docker.swarm.service.name",
    "com.docker.swarm.task.name",
    "com.docker.compose.image",
    "com.docker.compose.network",
    "com.docker.compose.volume",
    "io.podman.compose.project",
    "io.podman.compose.service",
    "org.opencontainers.image.ref.name",
    "org.opencontainers.image.base.name",
    "CreateCommand",
];

/// Labels that hold the name of the app.
const APP_NAMES: &[&str] =
    &["com.dokku.app-name", "com.docker.compose.project", "com.docker.compose.service"];

/// The decision about the string or key in a cell of the tape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Decision {
    #[default]
    Show,
    Mask(Kind),
    /// Parts of the string are shown. The parts are computed again when the string is written.
    Parts,
    /// Only the name before the value is shown.
    Lead(Kind),
}

/// The place of a value. Together with the value itself it decides whether the value is shown.
pub(crate) struct Spot<'a> {
    pub(crate) place: Place,
    pub(crate) key: Cow<'a, str>,
    pub(crate) line: Line,
}

impl Spot<'_> {
    /// The place of a value at the top level. The elements of an array there are documents themselves.
    pub(crate) fn root() -> Self {
        Self { place: ShowList::root(), key: "".into(), line: Line::default() }
    }

    pub(crate) fn class(&self) -> Option<Class> {
        show_list().class(self.place)
    }
}

/// The result of the first walk.
pub(crate) struct Collected {
    pub(crate) decisions: Vec<Decision>,
    pub(crate) masked: Masked,
    pub(crate) numbers: Numbers,
}

/// Walks over the whole document.
pub(crate) fn collect(doc: &Document<'_>, treatment: &Treatment) -> Collected {
    let found = Collected {
        decisions: vec![Decision::Show; doc.cells()],
        masked: Masked::default(),
        numbers: Numbers::default(),
    };
    let mut collector = Collector { doc, treatment, found };
    doc.roots().for_each(|root| collector.value(root, &mut Spot::root(), true));
    collector.found.masked.freeze();
    collector.found
}

struct Collector<'d, 'a> {
    doc: &'d Document<'a>,
    treatment: &'d Treatment,
    found: Collected,
}

impl<'a> Collector<'_, 'a> {
    fn value(&mut self, value: Value, spot: &mut Spot<'_>, top: bool) {
        match self.doc.node(value) {
            Node::Literal(_) => {}
            Node::Text(text) => self.text(value, text, spot),
            Node::Object(object) => self.object(object, spot.place),
            Node::Array(mut items) => {
                let place = if top { spot.place } else { show_list().item(spot.place) };
                let mut inner = Spot { place, key: spot.key.clone(), line: spot.line.clone() };
                while let Some(item) = self.doc.next(&mut items) {
                    self.value(item, &mut inner, false);
                }
            }
        }
    }

    fn object(&mut self, object: Children, place: Place) {
        let mut entries = object;
        while let Some(key) = self.doc.next(&mut entries) {
            let Some(value) = self.doc.next(&mut entries) else { return };
            let name = self.doc.quoted(key);
            let next = self.key(key, name, place);
            let mut spot =
                Spot { place: next, key: name.decoded().unwrap_or_default(), line: Line::default() };
            spot.line = line(self.doc, object, &spot);
            self.value(value, &mut spot, false);
        }
    }

    fn key(&mut self, cell: Value, name: Quoted<'a>, place: Place) -> Place {
        let Some(key) = name.decoded() else {
            self.decide(cell, Decision::Mask(Kind::Shape));
            return Place::default();
        };
        match show_list().step(place, &key) {
            Step::Known(next) => next,
            Step::Free(shape, next) => {
                self.found.numbers.reserve_key(&key);
                if !self.treatment.shows_key(shape, &key) {
                    self.decide(cell, Decision::Mask(Kind::Shape));
                    self.found.masked.everywhere.add(&key);
                }
                next
            }
        }
    }

    fn text(&mut self, cell: Value, text: Quoted<'a>, at: &mut Spot<'_>) {
        let Some(text) = text.decoded() else { return self.decide(cell, Decision::Mask(Kind::Shape)) };
        self.found.numbers.reserve(&text);
        let class = at.class();
        match self.treatment.decide(class, &at.key, &mut at.line, &text) {
            Verdict::Show => self.forgive(class, &at.key, &text),
            Verdict::Mask(kind) => {
                self.taint(&Surroundings { class, key: &at.key, lead: "", kind }, &text);
                self.decide(cell, Decision::Mask(kind));
            }
            Verdict::Parts(parts) => {
                for piece in &parts.pieces {
                    let Some(kind) = piece.masked else { continue };
                    self.taint(&Surroundings { class, key: &at.key, lead: parts.lead, kind }, &piece.text);
                }
                self.decide(cell, Decision::Parts);
            }
        }
    }

    fn taint(&mut self, surroundings: &Surroundings<'_>, text: &str) {
        if !REPEATS.contains(&surroundings.key) {
            self.found.masked.add(&self.treatment.scanner, surroundings, text);
        }
    }

    /// Excludes values from the search although they may be masked elsewhere: values that a typed place shows, ids at places
    /// where a name may be, and the name of the app if it is a plain word.
    fn forgive(&mut self, class: Option<Class>, key: &str, text: &str) {
        let word = text.len() <= 24 && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'_');
        match class {
            Some(Class::Typed(_)) if text.bytes().any(|b| b.is_ascii_alphabetic()) => {
                self.found.masked.forgive(text);
            }
            Some(Class::Name(shape)) if shape.is_no_name(text) => self.found.masked.forgive(text),
            Some(Class::Label) if word && APP_NAMES.contains(&key) => self.found.masked.forgive(text),
            _ => {}
        }
    }

    fn decide(&mut self, cell: Value, decision: Decision) {
        self.found.decisions[cell.cell()] = decision;
    }
}

/// The command line that an array under this key continues. Words from other keys of the same object come first.
pub(crate) fn line(doc: &Document<'_>, object: Children, spot: &Spot<'_>) -> Line {
    let commands = matches!(show_list().class(show_list().item(spot.place)), Some(Class::Command));
    if !commands {
        return Line::default();
    }
    let first: &[&str] = match &*spot.key {
        "Args" => &["Path", "Command"],
        "arguments" => &["entrypoint"],
        "Cmd" => &["Entrypoint"],
        "Test" => return Line::of_a_check(),
        _ => &[],
    };
    let values = first.iter().filter_map(|key| doc.get(object, key));
    Line::after(&values.flat_map(|value| strings(doc, value)).collect::<Vec<_>>())
}

/// The texts of a string, or of an array of strings.
fn strings(doc: &Document<'_>, value: Value) -> Vec<String> {
    match doc.node(value) {
        Node::Array(mut items) => {
            let next = std::iter::from_fn(|| doc.next(&mut items));
            next.filter_map(|item| doc.string(item)).map(Cow::into_owned).collect()
        }
        _ => doc.string(value).map(Cow::into_owned).into_iter().collect(),
    }
}
