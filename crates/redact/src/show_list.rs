//! The show-list as a tree: which class and shape the policy gives to a path. The rows themselves are data, in
//! `show_list.txt`; this file only reads them.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::placeholder::Kind;
use crate::shape::Shape;

static SHOW_LIST: LazyLock<ShowList> = LazyLock::new(|| ShowList::read(include_str!("show_list.txt")));

/// The class of a path, which determines the treatment of strings there. The head of `show_list.txt` explains each
/// class.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Class {
    Typed(Shape),
    Name(Shape),
    Env,
    Label,
    Program,
    Command,
    Script,
    Source,
    Bind,
    Device,
    Url,
    Option,
    Free(Kind),
}

/// The parsed list.
pub(crate) struct ShowList {
    nodes: Vec<Branch>,
    env: HashMap<&'static str, Class>,
    labels: HashMap<&'static str, Class>,
}

/// One level of a path.
#[derive(Default)]
struct Branch {
    keys: HashMap<String, Place>,
    any: Option<(KeyShape, Place)>,
    item: Option<Place>,
    class: Option<Class>,
}

/// A place in the tree. The default is a place that no row names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place(Option<usize>);

/// The form of the keys of a map with arbitrary keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyShape {
    /// A field of the engine's schema that no row knows: an identifier.
    Field,
    Label,
    Option,
    Port,
    Id,
    Name,
    Directory,
}

/// Where a key leads.
pub(crate) enum Step {
    /// The key is in the list, and its value is shown unchanged.
    Known(Place),
    /// Any key may stand here: it is shown if it has the shape and survives the scan.
    Free(KeyShape, Place),
}

/// The list that this crate was built with.
pub(crate) fn show_list() -> &'static ShowList {
    &SHOW_LIST
}

impl ShowList {
    pub(crate) fn root() -> Place {
        Place(Some(0))
    }

    /// The place of an object's value.
    pub(crate) fn step(&self, place: Place, key: &str) -> Step {
        let Some(branch) = self.branch(place) else { return Step::Free(KeyShape::Field, Place(None)) };
        match (branch.keys.get(key), branch.any) {
            (Some(&next), _) => Step::Known(next),
            (None, Some((shape, next))) => Step::Free(shape, next),
            (None, None) => Step::Free(KeyShape::Field, Place(None)),
        }
    }

    /// The place of an array's elements.
    pub(crate) fn item(&self, place: Place) -> Place {
        self.branch(place).and_then(|branch| branch.item).unwrap_or_default()
    }

    /// How strings at this place are treated; `None` if no row names it.
    pub(crate) fn class(&self, place: Place) -> Option<Class> {
        self.branch(place).and_then(|branch| branch.class)
    }

    /// The class of a listed environment variable's value.
    pub(crate) fn env(&self, name: &str) -> Option<Class> {
        self.env.get(name).copied()
    }

    /// The class of a listed label's value.
    pub(crate) fn label(&self, key: &str) -> Option<Class> {
        self.labels.get(key).copied()
    }

    fn branch(&self, place: Place) -> Option<&Branch> {
        place.0.map(|at| &self.nodes[at])
    }

    fn read(text: &'static str) -> Self {
        let mut list = Self { nodes: vec![Branch::default()], env: HashMap::new(), labels: HashMap::new() };
        for row in rows(text) {
            if let Some(name) = row.path.strip_prefix("env:") {
                list.env.insert(name, row.class);
            } else if let Some(key) = row.path.strip_prefix("label:") {
                list.labels.insert(key, row.class);
            } else {
                for path in alternatives(row.path) {
                    list.add(&path, row.class);
                }
            }
        }
        list
    }

    fn add(&mut self, path: &str, class: Class) {
        let mut at = 0;
        for key in path.split('.') {
            let name = key.trim_end_matches("[]");
            at = self.child(at, name);
            for _ in 0..key.matches("[]").count() {
                at = self.item_of(at);
            }
        }
        self.nodes[at].class = Some(class);
    }

    fn child(&mut self, at: usize, name: &str) -> usize {
        let next = self.nodes.len();
        let branch = &mut self.nodes[at];
        let Place(place) = match KeyShape::named(name) {
            Some(shape) => branch.any.get_or_insert((shape, Place(Some(next)))).1,
            None => *branch.keys.entry(name.to_owned()).or_insert(Place(Some(next))),
        };
        self.grow(place, next)
    }

    fn item_of(&mut self, at: usize) -> usize {
        let next = self.nodes.len();
        let Place(place) = *self.nodes[at].item.get_or_insert(Place(Some(next)));
        self.grow(place, next)
    }

    fn grow(&mut self, place: Option<usize>, next: usize) -> usize {
        if place == Some(next) {
            self.nodes.push(Branch::default());
        }
        place.unwrap_or(next)
    }
}

impl KeyShape {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "<label>" => Self::Label,
            "<option>" => Self::Option,
            "<port>" => Self::Port,
            "<id>" => Self::Id,
            "<name>" => Self::Name,
            "<directory>" => Self::Directory,
            _ => return None,
        })
    }
}

/// One line of the list.
struct Row {
    path: &'static str,
    class: Class,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the test that holds each row to its example reads it")
    )]
    example: &'static str,
}

fn rows(text: &'static str) -> impl Iterator<Item = Row> {
    text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(|line| {
        let (path, rest) = line.split_once(' ').expect("a row of the show-list has a path and a class");
        let (class, example) =
            rest.trim_start().split_once(' ').expect("a row of the show-list has an example");
        Row { path, class: class_named(class), example: example.trim() }
    })
}

fn class_named(text: &'static str) -> Class {
    let (class, shape) = text.split_once(':').unwrap_or((text, ""));
    match class {
        "typed" => Class::Typed(Shape::named(shape)),
        "name" => Class::Name(Shape::named(shape)),
        "env" => Class::Env,
        "label" => Class::Label,
        "program" => Class::Program,
        "command" => Class::Command,
        "script" => Class::Script,
        "source" => Class::Source,
        "bind" => Class::Bind,
        "device" => Class::Device,
        "url" => Class::Url,
        "option" => Class::Option,
        "free" => Class::Free(if shape.is_empty() { Kind::Text } else { Kind::HealthOutput }),
        other => unreachable!("the show-list has no class {other}"),
    }
}

/// A path with its braces written out: `{a,b}.c` is `a.c` and `b.c`.
fn alternatives(path: &str) -> Vec<String> {
    let Some(open) = path.find('{') else { return vec![path.to_owned()] };
    let mut depth = 0;
    let mut start = open + 1;
    let mut inner = Vec::new();
    for (at, byte) in path.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b',' if depth == 1 => {
                inner.push(&path[start..at]);
                start = at + 1;
            }
            b'}' if depth > 1 => depth -= 1,
            b'}' => {
                inner.push(&path[start..at]);
                let rest = &path[at + 1..];
                let whole = inner.iter().map(|choice| format!("{}{choice}{rest}", &path[..open]));
                return whole.flat_map(|path| alternatives(&path)).collect();
            }
            _ => {}
        }
    }
    unreachable!("a brace of the show-list is not closed: {path}")
}

#[cfg(test)]
mod tests {
    use super::{Class, alternatives, rows};
    use crate::{Layout, Policy, sanitize};

    const CANARY: &str = "Canary-7f3k!";

    /// A document in which the value stands at the path, every `<shape>` and `[]` filled in.
    fn document(path: &str, value: &str) -> String {
        let value = format!("\"{}\"", value.replace('\\', "\\\\"));
        if let Some(name) = path.strip_prefix("env:") {
            return format!("{{\"Config\":{{\"Env\":[\"{name}={}]}}}}", &value[1..]);
        }
        if let Some(label) = path.strip_prefix("label:") {
            return format!("{{\"Config\":{{\"Labels\":{{\"{label}\":{value}}}}}}}");
        }
        path.rsplit('.').fold(value, |inner, key| {
            let lists = key.matches("[]").count();
            let key = match key.trim_end_matches("[]") {
                "<label>" | "<option>" | "<name>" => "some-name",
                "<port>" => "80/tcp",
                "<directory>" => "/data",
                "<id>" => "5f8a2a576b728102b1eeca2f5819a238d47b9f305236556c1d14c00ffba6d92f",
                key => key,
            };
            format!("{{\"{key}\":{}{inner}{}}}", "[".repeat(lists), "]".repeat(lists))
        })
    }

    fn sanitized(document: &str) -> String {
        let mut text = String::new();
        let mut safe = sanitize(document.as_bytes(), Policy::default()).expect("the document is one");
        safe.write(Layout::Lines, &mut text).expect("a string takes all text");
        text
    }

    #[test]
    fn every_row_shows_its_example_and_masks_what_has_not_its_shape() {
        let text = include_str!("show_list.txt");
        for row in rows(text) {
            for path in alternatives(row.path) {
                if row.example != "-" {
                    let document = document(&path, row.example);
                    assert_eq!(sanitized(&document).trim_end(), document, "{path} must show its example");
                }
                let masked = sanitized(&document(&path, CANARY));
                assert!(!masked.contains("Canary"), "{path} must mask a canary: {masked}");
            }
        }
    }

    #[test]
    fn rows_that_show_nothing_are_the_options_the_labels_and_free_text() {
        for row in rows(include_str!("show_list.txt")).filter(|row| row.example == "-") {
            assert!(
                matches!(row.class, Class::Option | Class::Label | Class::Free(_)),
                "{} needs an example",
                row.path
            );
        }
    }

    #[test]
    fn braces_may_stand_in_braces() {
        assert_eq!(alternatives("{a.{b,c},d}.e"), ["a.b.e", "a.c.e", "d.e"]);
    }
}
