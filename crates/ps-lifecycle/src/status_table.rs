//! How the rows of `status` are shown to a person.

use std::collections::BTreeSet;
use std::io::{self, Write};

use ps_rows::StatusRow;

const HEADINGS: [&str; 9] =
    ["APP", "PROCESS", "STATE", "PID/CONTAINER", "PORT", "SINCE", "RESTARTS", "CPU/MEM", "LAST EXIT"];

/// A table for people, columns as wide as they need to be.
pub(crate) fn text(mut out: impl Write, rows: &[StatusRow]) -> io::Result<()> {
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
fn led_elsewhere(row: &StatusRow) -> Option<String> {
    let (typed, directory) = row.typed_directory.as_ref().zip(row.directory.as_ref())?;
    Some(format!("{} was deployed from {typed} and runs in {directory}", row.app))
}

fn cells(row: &StatusRow) -> [String; 9] {
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
        or_dash(row.last_exit.map(|exit| exit.to_string())),
    ]
}
