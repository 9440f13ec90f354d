//! The targets of the exporters. An independent reader's words of what was exported must be its words of a plain twin
//! with the marks replaced by the hostile values: so nothing was lost, nothing changed, and no directive, line, word or
//! command came in. What a format cannot hold may be refused.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use procfile::is_simple_command;
use procfile_exchange::export::Format;

use super::case::{Case, Marks};
use super::readers;

/// All formats, with their names.
pub const FORMATS: [(&str, Format); 12] = [
    ("systemd", Format::Systemd),
    ("systemd-user", Format::SystemdUser),
    ("sysv", Format::Sysv),
    ("upstart", Format::Upstart),
    ("runit", Format::Runit),
    ("launchd", Format::Launchd),
    ("supervisord", Format::Supervisord),
    ("s6", Format::S6),
    ("openrc", Format::OpenRc),
    ("compose", Format::Compose),
    ("quadlet", Format::Quadlet),
    ("kubernetes", Format::Kubernetes),
];

/// What makes the shape of an export: the format, whether the command is simple, which parts there are.
type Shape = (usize, bool, bool, bool, usize, u16);

/// A word of a plain case, in which marks stand for values: its text is searched for them once, not in every execution.
type Template = Vec<Part>;

/// A part of a word.
enum Part {
    /// What every case of the shape says.
    Said(String),
    /// The place of a value.
    Mark(&'static str),
}

thread_local! {
    static TWINS: RefCell<HashMap<Shape, Rc<Vec<Template>>>> = RefCell::default();
    static SEEN: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// The first byte chooses the format.
pub fn any(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    one(FORMATS[usize::from(*first) % FORMATS.len()].1, rest);
}

/// One format. Says on stderr, each hundred thousand times, how many cases were read back and how many were refused.
pub fn one(format: Format, data: &[u8]) {
    let said = Case::of(data).is_some_and(|case| check(format, case));
    let (mut good, mut refused) = SEEN.get();
    *if said { &mut good } else { &mut refused } += 1;
    SEEN.set((good, refused));
    if (good + refused).is_multiple_of(100_000) {
        // A fuzzer's talk; where nobody listens, nothing is lost.
        let _ = std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("{format:?}: {good} read back, {refused} refused\n"),
        );
    }
}

/// Whether the case is exported and read back; false if it is refused. Panics if it says something else.
pub fn check(format: Format, mut case: Case) -> bool {
    let Some((file, env)) = case.read_back() else { return false };
    let outputs = case.job(&file, &env).and_then(|job| format.render(&job));
    let Ok(outputs) = outputs else { return false };
    let marks = case.marks();
    let wanted = templates(format, &case, &marks);
    let words = readers::words(format, &outputs, case.prestart.is_some());
    let mut meant = String::new();
    for (at, (word, template)) in words.iter().zip(wanted.iter()).enumerate() {
        fill(&mut meant, template, &marks, format);
        assert_eq!(*word, meant, "{format:?}: word {at} of {case:?}");
    }
    assert_eq!(words.len(), wanted.len(), "{format:?}: words were added or lost: {case:?}");
    true
}

/// The words of a plain case of this one's shape, rendered once for each shape.
fn templates(format: Format, case: &Case, marks: &Marks) -> Rc<Vec<Template>> {
    let place = FORMATS.iter().position(|(_, other)| *other == format).unwrap_or_default();
    let shape = (
        place,
        is_simple_command(&case.command),
        case.prestart.is_some(),
        case.description.is_some(),
        case.values.len(),
        case.count,
    );
    let render = || {
        let words = render(format, &case.twin());
        Rc::new(words.iter().map(|word| template(word, marks)).collect())
    };
    TWINS.with_borrow_mut(|twins| Rc::clone(twins.entry(shape).or_insert_with(render)))
}

fn render(format: Format, twin: &Case) -> Vec<String> {
    let mut twin = twin.clone();
    let (file, env) = twin.read_back().expect("a plain case is legal");
    let outputs =
        format.render(&twin.job(&file, &env).expect("a plain job")).expect("plain values fit everywhere");
    let words = readers::words(format, &outputs, twin.prestart.is_some());
    assert!(words.iter().any(|word| word.contains(&twin.command)), "{format:?}: no command in {words:?}");
    for value in &twin.values {
        assert!(words.iter().any(|word| word.contains(value)), "{format:?}: no {value} in {words:?}");
    }
    words
}

/// The places of the marks in a plain word.
fn template(word: &str, marks: &Marks) -> Template {
    let mut parts = Vec::new();
    let mut rest = word;
    let next = |rest: &str| {
        let found = marks.iter().filter_map(|(mark, _)| Some((rest.find(mark)?, *mark)));
        found.min_by_key(|found| found.0)
    };
    while let Some((at, mark)) = next(rest) {
        parts.push(Part::Said(rest[..at].to_owned()));
        parts.push(Part::Mark(mark));
        rest = &rest[at + mark.len()..];
    }
    parts.push(Part::Said(rest.to_owned()));
    parts
}

/// Fills a template with values in the places of the marks.
fn fill(word: &mut String, template: &Template, marks: &Marks, format: Format) {
    word.clear();
    for part in template {
        match part {
            Part::Said(text) => word.push_str(text),
            Part::Mark(mark) => {
                let (_, value) =
                    marks.iter().find(|(name, _)| name == mark).expect("a case has its shape's marks");
                word.push_str(&as_written(mark, value, format));
            }
        }
    }
}

/// A description is one line for people; XML has no place for two characters.
fn as_written<'a>(mark: &str, value: &'a str, format: Format) -> Cow<'a, str> {
    match format {
        Format::Launchd => value.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}").into(),
        Format::OpenRc => value.into(),
        _ if mark == "xDESCRIPTIONx" => {
            let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
            line.trim_end_matches(['\\', ' ']).to_owned().into()
        }
        _ => value.into(),
    }
}
