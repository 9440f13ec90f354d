//! How the rows of `status` are printed: a table, JSON lines, CSV.

use std::collections::BTreeSet;
use std::io::{self, Write};

use anyhow::Result;
use formation::Exit;
use serde::Serialize;

const COLUMNS: [&str; 14] = [
    "app",
    "process_type",
    "index",
    "state",
    "pid",
    "container_id",
    "address",
    "port",
    "since",
    "restarts",
    "cpu_percent",
    "memory_bytes",
    "last_exit",
    "scheduler",
];
const HEADINGS: [&str; 9] =
    ["APP", "PROCESS", "STATE", "PID/CONTAINER", "PORT", "SINCE", "RESTARTS", "CPU/MEM", "LAST EXIT"];

/// One instance, as scripts see it (docs/contract.md).
#[derive(Debug, Serialize)]
pub(crate) struct InstanceRow {
    pub(crate) app: String,
    pub(crate) process_type: String,
    pub(crate) index: u16,
    pub(crate) state: &'static str,
    pub(crate) pid: Option<u32>,
    pub(crate) container_id: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) since: Option<String>,
    pub(crate) restarts: Option<u32>,
    pub(crate) cpu_percent: Option<f64>,
    pub(crate) memory_bytes: Option<u64>,
    pub(crate) last_exit: Option<Exit>,
    pub(crate) scheduler: String,
    /// The last three are there only where there is something to say, and not in CSV.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) directory: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) typed_directory: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

/// A table for people, columns as wide as they need to be.
pub(crate) fn text(mut out: impl Write, rows: &[InstanceRow]) -> io::Result<()> {
    let mut lines = vec![HEADINGS.map(str::to_owned)];
    lines.extend(rows.iter().map(cells));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADINGS.len()).map(width).collect();
    for line in &lines {
        let padded: Vec<String> =
            line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(out, "{}", padded.join("  ").trim_end())?;
    }
    for line in rows.iter().filter_map(led_elsewhere).collect::<BTreeSet<String>>() {
        writeln!(out, "{line}")?;
    }
    out.flush()
}

/// Where the path that was typed leads, said once for an app whose instances run there.
fn led_elsewhere(row: &InstanceRow) -> Option<String> {
    let (typed, directory) = row.typed_directory.as_ref().zip(row.directory.as_ref())?;
    Some(format!("{} was deployed from {typed} and runs in {directory}", row.app))
}

/// One object a line.
pub(crate) fn json(mut out: impl Write, rows: &[InstanceRow]) -> io::Result<()> {
    for row in rows {
        serde_json::to_writer(&mut out, row).map_err(io::Error::from)?;
        writeln!(out)?;
    }
    out.flush()
}

/// A header, then a row each; what is null in JSON is empty.
pub(crate) fn csv(out: impl Write, rows: &[InstanceRow]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(COLUMNS).map_err(from_csv)?;
    for row in rows {
        writer.write_record(record(row)).map_err(from_csv)?;
    }
    Ok(writer.flush()?)
}

fn record(row: &InstanceRow) -> [String; 14] {
    [
        row.app.clone(),
        row.process_type.clone(),
        row.index.to_string(),
        row.state.to_owned(),
        or_empty(row.pid),
        or_empty(row.container_id.as_ref()),
        or_empty(row.address.as_ref()),
        or_empty(row.port),
        or_empty(row.since.as_ref()),
        or_empty(row.restarts),
        or_empty(row.cpu_percent),
        or_empty(row.memory_bytes),
        row.last_exit.map(exit).unwrap_or_default(),
        row.scheduler.clone(),
    ]
}

fn cells(row: &InstanceRow) -> [String; 9] {
    let container = row.container_id.as_ref().map(|id| id.chars().take(12).collect());
    let usage = row.cpu_percent.zip(row.memory_bytes);
    let or_dash = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
    [
        row.app.clone(),
        format!("{}.{}", row.process_type, row.index),
        row.state.to_owned(),
        or_dash(row.pid.map(|pid| pid.to_string()).or(container)),
        or_dash(row.port.map(|port| port.to_string())),
        or_dash(row.since.clone()),
        or_dash(row.restarts.map(|restarts| restarts.to_string())),
        or_dash(usage.map(|(cpu, memory)| format!("{cpu} % {} MiB", memory >> 20))),
        or_dash(row.last_exit.map(exit)),
    ]
}

fn exit(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("code {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
    }
}

fn or_empty<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A broken pipe below the csv crate is still a broken pipe.
fn from_csv(error: csv::Error) -> anyhow::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => anyhow::anyhow!("write CSV: {other:?}"),
    }
}
