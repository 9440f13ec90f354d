//! The details of the selected app or instance: the verb in progress, its status, how it ended before, and the answer
//! of `ps-explain`.

use ps_rows::StatusRow;
use usage_history::grows;

use super::canvas::Tone;
use super::look::Look;
use super::text::{harmless, memory, time, wrapped};
use crate::model::Model;
use crate::model::list::{name_of, slot_of};
use crate::model::past::Going;
use crate::subject::Subject;

/// The width of the labels before values.
const LABEL: usize = 12;

/// All lines, for a pane of this width.
pub(crate) fn lines(model: &Model, look: &Look, room: usize) -> Vec<(String, Tone)> {
    let Some(subject) = model.list.subject() else { return Vec::new() };
    let mut lines = Vec::new();
    if let Some(going) = model.past.going() {
        lines.extend(in_progress(model, &subject, &going));
    }
    lines.extend(explanation(model, &subject, room));
    match model.list.row(&model.fleet) {
        Some(row) => {
            lines.extend(growth(model, row, room));
            lines.extend(facts(row).into_iter().flat_map(|(label, value)| pair(label, &value, room)));
            lines.extend(exits(model, look, &subject));
            lines.extend(
                row.last_lines.iter().map(|line| (format!("wrote: {}", harmless(line)), Tone::Plain)),
            );
        }
        None => lines.extend(of_app(model, &subject, room)),
    }
    lines
}

/// The verb in progress: its plan, and the progress of each slot.
fn in_progress(model: &Model, subject: &Subject, going: &Going<'_>) -> Vec<(String, Tone)> {
    let age = ps_output::age(going.since, model.now);
    let mut lines = vec![(format!("{} goes on, since {age}", going.verb), Tone::Warning)];
    for change in going.plan {
        let why = if change.reason.is_empty() { String::new() } else { format!(" ({})", change.reason) };
        lines.push((format!("  to {} {}{why}", change.change, change.slots), Tone::Plain));
    }
    if let Some(app) = model.fleet.apps.get(&subject.app) {
        let state = |row: &StatusRow| {
            let since = row.since.as_ref().and_then(|since| since.parse().ok());
            let since = since.map(|since| format!(" for {}", ps_output::age(since, model.now)));
            (
                format!("  {} {}{}", name_of(app, row), row.state, since.unwrap_or_default()),
                Tone::of_state(row.state),
            )
        };
        lines.extend(app.rows.iter().map(state));
    }
    lines
}

fn explanation(model: &Model, subject: &Subject, room: usize) -> Vec<(String, Tone)> {
    match &model.explained {
        Some((of, text)) if of == subject => {
            wrapped(&harmless_lines(text), room).into_iter().map(|line| (line, Tone::Plain)).collect()
        }
        _ => vec![("asking ps-explain".to_owned(), Tone::Weak)],
    }
}

fn harmless_lines(text: &str) -> String {
    text.lines().map(harmless).collect::<Vec<_>>().join("\n")
}

fn pair(label: &str, value: &str, room: usize) -> Vec<(String, Tone)> {
    let parts = wrapped(&harmless_lines(value), room.saturating_sub(LABEL).max(20));
    let label = |number: usize| if number == 0 { label } else { "" };
    parts
        .into_iter()
        .enumerate()
        .map(|(number, part)| (format!("{:LABEL$}{part}", label(number)), Tone::Plain))
        .collect()
}

/// A message if the memory of the instance grows.
fn growth(model: &Model, row: &StatusRow, room: usize) -> Vec<(String, Tone)> {
    let slot = slot_of(row);
    let said = model.growth.of(&row.app, &slot).map(|bytes| grows(&slot, bytes)).unwrap_or_default();
    wrapped(&said, room)
        .into_iter()
        .filter(|line| !line.is_empty())
        .map(|line| (line, Tone::Warning))
        .collect()
}

/// The values of a row that are known, with their labels.
fn facts(row: &StatusRow) -> Vec<(&'static str, String)> {
    let limits = row.limits.as_ref();
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let facts = [
        ("state", Some(row.state.to_owned())),
        ("note", row.note.clone()),
        (
            "last exit",
            row.out_of_memory.map(|oom| oom.to_string()).or(row.last_exit.map(|exit| exit.to_string())),
        ),
        ("restarts", row.restarts.map(|restarts| restarts.to_string())),
        (
            "started for",
            row.restarts_by_reason
                .filter(|counted| !counted.0.is_empty())
                .map(|counted| counted.0.to_string()),
        ),
        ("pid", row.pid.map(|pid| pid.to_string())),
        ("container", row.container_id.as_ref().map(|id| id.chars().take(12).collect())),
        ("address", row.address.clone()),
        ("clients at", (!row.listen.is_empty()).then(|| row.listen.join(" "))),
        ("connections", number(row.connections)),
        ("memory", row.memory_bytes.map(memory)),
        ("memory max", limits.and_then(|limits| limits.memory_max).map(memory)),
        ("cpu max", limits.and_then(|limits| limits.cpu_max).map(|cpus| cpus.to_string())),
        ("since start", row.cpu_percent.map(|percent| format!("{percent} % of a CPU"))),
        ("release", number(row.release)),
        ("run", number(row.run)),
        ("role", row.compared.or(row.role).map(str::to_owned)),
        ("due", row.next.clone()),
        ("directory", row.directory.clone()),
        ("scheduler", Some(row.scheduler.clone())),
    ];
    facts.into_iter().filter_map(|(label, value)| Some((label, value?))).collect()
}

fn exits(model: &Model, look: &Look, subject: &Subject) -> Vec<(String, Tone)> {
    let Some(slot) = &subject.slot else { return Vec::new() };
    let exits = model.past.exits(slot);
    let line = |entry: &&ps_journal::Entry| {
        (format!("{} {}", time(entry.at, &look.zone), harmless(&entry.event.to_string())), Tone::Plain)
    };
    let title = (!exits.is_empty()).then(|| ("last exits:".to_owned(), Tone::Strong));
    title.into_iter().chain(exits.iter().map(line)).collect()
}

fn of_app(model: &Model, subject: &Subject, room: usize) -> Vec<(String, Tone)> {
    let Some(app) = model.fleet.apps.get(&subject.app) else { return Vec::new() };
    let silent = app.silent.iter().map(|reason| format!("no answer: {reason}"));
    let troubles = silent.chain(app.troubles.iter().cloned());
    let mut lines: Vec<(String, Tone)> = troubles
        .flat_map(|trouble| wrapped(&harmless_lines(&trouble), room))
        .map(|line| (line, Tone::Warning))
        .collect();
    let scheduler = app.scheduler.as_deref().unwrap_or("unknown");
    lines.extend(pair("scheduler", scheduler, room));
    lines.extend(pair("instances", &format!("{}, {}", app.rows.len(), app.word()), room));
    lines
}
