//! Prints the formation on stdout: as Dokku prints it, as JSON, or as CSV. Entries that would not be accepted today
//! are printed as they are, with one warning for all of them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anyhow::{Context, Result};
use formation::AppName;
use ps_apps::{FormationOrigin, StoredEntry, StoredFormation, World};
use ps_cli::exit::Outcome;
use ps_cli::say;
use serde::Serialize;

use crate::args::Args;
use crate::format::Format;

#[derive(Serialize)]
struct Row<'a> {
    process_type: &'a str,
    quantity: i64,
}

pub(crate) fn formation(world: &World, app: &AppName, args: &Args) -> Result<Outcome> {
    let stored = read(world, app)?;
    warn_of_unacceptable(app, &stored);
    let is_quiet = args.quiet || say::quiet();
    write(app, &stored, args.format(), is_quiet)?;
    let source = world.formation_origin(app)?;
    if source != FormationOrigin::Argument && !is_quiet && !world.inside_dokku() {
        say::detail(&format!("these counts come from {}", of(source)))?;
    }
    Ok(Outcome::Done)
}

fn of(source: FormationOrigin) -> &'static str {
    match source {
        FormationOrigin::Argument => "a command line",
        FormationOrigin::AppJson => "the formation in app.json: change it there and deploy again",
        FormationOrigin::DokkuScale => {
            "the file DOKKU_SCALE, which each deploy reads again: a formation in app.json takes its place"
        }
        FormationOrigin::Trigger => "the trigger ps-set-scale",
    }
}

pub(crate) fn read(world: &World, app: &AppName) -> Result<StoredFormation> {
    world.formation(app).with_context(|| format!("read the formation of {app}"))
}

pub(crate) fn write(app: &AppName, stored: &StoredFormation, format: Format, is_quiet: bool) -> Result<()> {
    let rows = stored.effective();
    let mut out = io::stdout().lock();
    match format {
        Format::Text => out.write_all(text(app, &rows, is_quiet).as_bytes())?,
        Format::Json => writeln!(
            out,
            "{}",
            as_dokku_escapes(&serde_json::to_string(&as_rows(&rows).collect::<Vec<_>>())?)
        )?,
        Format::Csv => csv(&mut out, &rows)?,
        // A stored formation is no event, so there is nothing to print.
        Format::Events => (),
        Format::DokkuScale => out.write_all(dokku_scale(stored).as_bytes())?,
    }
    Ok(out.flush()?)
}

fn text(app: &AppName, rows: &BTreeMap<&str, i64>, is_quiet: bool) -> String {
    let header = format!("-----> Scaling for {app}\nproctype: qty\n--------: ---\n");
    // Dokku pads to five bytes, not to five characters.
    let padding = |name: &str| " ".repeat(4_usize.saturating_sub(name.len()));
    let lines = rows.iter().map(|(name, count)| format!("{name}:{} {count}\n", padding(name)));
    (!is_quiet).then_some(header).into_iter().chain(lines).collect()
}

/// The lines for a deploy to read; an entry that a deploy would not accept is left out.
fn dokku_scale(stored: &StoredFormation) -> String {
    let entries = stored.scale.iter().chain(&stored.old).filter_map(StoredEntry::accepted);
    let mut counts = BTreeMap::new();
    for (process_type, quantity) in entries {
        counts.entry(process_type).or_insert(quantity);
    }
    counts
        .iter()
        .fold(String::new(), |file, (process_type, quantity)| file + &format!("{process_type}={quantity}\n"))
}

/// Escapes JSON as Dokku's encoder does: characters that have a meaning in HTML or in a script become escapes. All of
/// them are inside strings.
fn as_dokku_escapes(json: &str) -> String {
    let escapes = [
        ("&", "\\u0026"),
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("\u{2028}", "\\u2028"),
        ("\u{2029}", "\\u2029"),
    ];
    escapes.iter().fold(json.to_owned(), |json, (character, escape)| json.replace(character, escape))
}

fn csv(out: &mut impl Write, rows: &BTreeMap<&str, i64>) -> Result<()> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(out);
    writer.write_record(["process_type", "quantity"])?;
    as_rows(rows).try_for_each(|row| writer.serialize(row))?;
    Ok(writer.flush()?)
}

fn as_rows<'a>(rows: &'a BTreeMap<&'a str, i64>) -> impl Iterator<Item = Row<'a>> {
    rows.iter().map(|(process_type, quantity)| Row { process_type, quantity: *quantity })
}

fn warn_of_unacceptable(app: &AppName, stored: &StoredFormation) {
    let names: Vec<_> =
        stored.unacceptable().map(|entry| format!("{}={}", entry.name, entry.count)).collect();
    if let [first, ..] = &names[..] {
        let name = first.split('=').next().unwrap_or_default();
        let scale = if say::inside_dokku() { "dokku ps:scale" } else { "ps-scale" };
        say::warning(&format!(
            "{app}: never started, because it would not be accepted today: {}; drop it with {scale} {app} '{name}=0'",
            names.join(", ")
        ));
    }
}
