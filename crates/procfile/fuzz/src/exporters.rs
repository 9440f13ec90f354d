//! The targets of the exporters. An independent reader's words of what was exported must be its words of a plain twin
//! with the marks replaced by the hostile values: so nothing was lost, nothing changed, and no directive, line, word or
//! command came in. What a format cannot hold may be refused.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use procfile::export::Format;
use procfile::is_simple_command;

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

thread_local! {
    static TWINS: RefCell<HashMap<Shape, Vec<String>>> = RefCell::default();
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
    let (twin, marks) = case.twin();
    let wanted: Vec<String> =
        plain_words(format, &twin).iter().map(|word| with_values(word, &marks, format)).collect();
    let words = readers::words(format, &outputs, case.prestart.is_some());
    for (at, (word, wanted)) in words.iter().zip(&wanted).enumerate() {
        assert_eq!(word, wanted, "{format:?}: word {at} of {case:?}");
    }
    assert_eq!(words.len(), wanted.len(), "{format:?}: words were added or lost: {case:?}");
    true
}

/// The words of a plain case, rendered once for each shape.
fn plain_words(format: Format, twin: &Case) -> Vec<String> {
    let place = FORMATS.iter().position(|(_, other)| *other == format).unwrap_or_default();
    let shape = (
        place,
        is_simple_command(&twin.command),
        twin.prestart.is_some(),
        twin.description.is_some(),
        twin.values.len(),
        twin.count,
    );
    TWINS.with_borrow_mut(|twins| twins.entry(shape).or_insert_with(|| render(format, twin)).clone())
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

/// A word with values in the places of the marks; values are not searched for marks.
fn with_values(word: &str, marks: &Marks, format: Format) -> String {
    let mut result = String::new();
    let mut rest = word;
    while !rest.is_empty() {
        let next =
            marks.iter().filter_map(|mark| Some((rest.find(mark.0)?, mark))).min_by_key(|found| found.0);
        let Some((at, (mark, value))) = next else { break };
        result.push_str(&rest[..at]);
        result.push_str(&as_written(mark, value, format));
        rest = &rest[at + mark.len()..];
    }
    result + rest
}

/// A description is one line for people; XML has no place for two characters.
fn as_written(mark: &str, value: &str, format: Format) -> String {
    match format {
        Format::Launchd => value.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}"),
        Format::OpenRc => value.to_owned(),
        _ if mark == "xDESCRIPTIONx" => {
            let line = value.split_whitespace().collect::<Vec<_>>().join(" ");
            line.trim_end_matches(['\\', ' ']).to_owned()
        }
        _ => value.to_owned(),
    }
}
