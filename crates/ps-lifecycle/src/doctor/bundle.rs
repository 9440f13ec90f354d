//! `--bundle`: one archive, without secrets, of everything that somebody who helps needs.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use formation::AppName;
use ps_cli::say;
use ps_journal::Journal;
use ps_rows::{FindingRow, StatusRow};
use redact::{Layout, Policy};
use serde::Serialize;
use serde_json::Value;
use tar::{Builder, Header};

use crate::session::Session;

/// How many entries of an app's journal are included, counted from the end.
const ENTRIES: usize = 500;

/// Writes the archive, whole or not at all. Its file `missing.txt` names what could not be included.
pub(super) fn write(session: &Session, rows: &[FindingRow], file: &Path) -> Result<()> {
    let mut archive = Builder::new(Vec::new());
    let mut missing = Vec::new();
    add(&mut archive, "doctor.jsonl", &masked(rows)?)?;
    let apps: Vec<_> = session.world.apps()?.into_iter().map(|app| app.name).collect();
    let mut answers = ps_schedulers::statuses(&session.world, &apps);
    let mut statuses = Vec::new();
    for app in &apps {
        if let Some((scheduler, status)) = answers.statuses.remove(app) {
            statuses.extend(masked(&StatusRow::of_app(scheduler.as_str(), status))?);
        }
    }
    missing.extend(answers.silent.iter().map(|silent| format!("status: {}", silent.reason)));
    add(&mut archive, "status.jsonl", &statuses)?;
    for app in &apps {
        match described(session, app) {
            Ok(described) => add(&mut archive, &format!("inspect/{app}.json"), &described)?,
            Err(error) => missing.push(format!("inspect {app}: {error:#}")),
        }
        match journal(session, app) {
            Ok(journal) => add(&mut archive, &format!("journal/{app}.jsonl"), &journal)?,
            Err(error) => missing.push(format!("journal of {app}: {error:#}")),
        }
    }
    let missing: Vec<_> = missing.iter().map(|line| redact::line(line)).collect();
    add(&mut archive, "missing.txt", missing.join("\n").as_bytes())?;
    put(file, &archive.into_inner()?)?;
    say::step_aside(&format!(
        "{} holds what was found, without secrets; look into it before you send it",
        file.display()
    ));
    Ok(())
}

/// Creates a file that only its owner can read.
fn put(file: &Path, content: &[u8]) -> Result<()> {
    if file.exists() {
        bail!("{} is there already: name another file", file.display());
    }
    let context = || format!("write {}", file.display());
    let mut new = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
        .with_context(context)?;
    let written = new.write_all(content).and_then(|()| new.sync_all());
    if written.is_err() {
        let _ = std::fs::remove_file(file);
    }
    written.with_context(context)
}

fn described(session: &Session, app: &AppName) -> Result<Vec<u8>> {
    let described = ps_schedulers::of(&session.world, app)?.inspect(app)?;
    safe(&serde_json::to_vec(&described)?)
}

fn journal(session: &Session, app: &AppName) -> Result<Vec<u8>> {
    let entries = Journal::of(&session.world, app).read()?.entries;
    let last = &entries[entries.len().saturating_sub(ENTRIES)..];
    masked(last)
}

/// Rows without the values of environments. In every other string, text that looks like a secret is masked.
fn masked(rows: &[impl Serialize]) -> Result<Vec<u8>> {
    let mut lines = Vec::new();
    for row in rows {
        let mut row = serde_json::to_value(row)?;
        mask(&mut row);
        ps_rows::json_line(&mut lines, &row)?;
    }
    Ok(lines)
}

fn mask(value: &mut Value) {
    match value {
        Value::String(text) => *text = redact::line(text).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(mask),
        Value::Object(fields) => fields.values_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) => (),
    }
}

/// A description without secrets: every value that is not known to be harmless is masked.
fn safe(json: &[u8]) -> Result<Vec<u8>> {
    if json.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    let mut text = String::new();
    redact::sanitize(json, Policy::default())?.write(Layout::Lines, &mut text)?;
    Ok(text.into_bytes())
}

fn add(archive: &mut Builder<Vec<u8>>, name: &str, content: &[u8]) -> Result<()> {
    let mut header = Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o600);
    archive.append_data(&mut header, format!("formation-doctor/{name}"), content)?;
    Ok(())
}
