//! Prints the rows of `status` for people.

use std::collections::BTreeSet;
use std::io::{self, Write};

use ps_rows::StatusRow;

const HEADINGS: [&str; 10] =
    ["APP", "PROCESS", "STATE", "PID/CONTAINER", "PORT", "SINCE", "RESTARTS", "CPU/MEM", "LAST EXIT", "NEXT"];

/// A table whose columns are as wide as their content. The last column is there if something runs by a schedule.
pub(crate) fn text(mut out: impl Write, rows: &[StatusRow]) -> io::Result<()> {
    let mut lines = vec![HEADINGS.map(str::to_owned)];
    lines.extend(rows.chunk_by(is_same_slot).flat_map(|slot| slot.iter().map(|row| cells(row, slot.len()))));
    let has_schedule = rows.iter().any(|row| row.next.is_some());
    let columns = HEADINGS.len() - usize::from(!has_schedule);
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
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

/// If the app's directory was given by a path that leads elsewhere now: one line about it.
fn led_elsewhere(row: &StatusRow) -> Option<String> {
    let (typed, directory) = row.typed_directory.as_ref().zip(row.directory.as_ref())?;
    Some(format!("{} was deployed from {typed} and runs in {directory}", row.app))
}

fn is_same_slot(row: &StatusRow, next: &StatusRow) -> bool {
    (&row.app, &row.process_type, row.index) == (&next.app, &next.process_type, next.index)
}

/// The slot of a row. If several runs are in the slot, the run and its role follow.
fn name(row: &StatusRow, in_slot: usize) -> String {
    let slot = format!("{}.{}", row.process_type, row.index);
    match (row.run, row.role) {
        (Some(run), Some(role)) if in_slot > 1 => format!("{slot}@{run} {role}"),
        _ => slot,
    }
}

fn cells(row: &StatusRow, in_slot: usize) -> [String; 10] {
    let container = row.container_id.as_ref().map(|id| id.chars().take(12).collect());
    let usage = row.cpu_percent.zip(row.memory_bytes);
    let or_dash = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
    [
        row.app.clone(),
        name(row, in_slot),
        row.state.to_owned(),
        or_dash(row.pid.map(|pid| pid.to_string()).or(container)),
        or_dash(row.port.map(|port| port.to_string())),
        or_dash(row.since.clone()),
        or_dash(row.restarts.map(|restarts| restarts.to_string())),
        or_dash(usage.map(|(cpu, memory)| format!("{cpu} % {} MiB", memory >> 20))),
        or_dash(last_exit(row)),
        or_dash(row.next.clone()),
    ]
}

fn last_exit(row: &StatusRow) -> Option<String> {
    let killed = row.out_of_memory.map(|killed| killed.to_string());
    killed.or_else(|| row.last_exit.map(|exit| exit.to_string()))
}

#[cfg(test)]
mod tests {
    use formation::State;
    use ps_scheduler::Instance;

    use super::*;

    #[test]
    fn a_slot_that_holds_two_runs_has_two_rows_that_say_which_is_which() {
        let row = |slot: &str, run, role| {
            let instance = Instance::new(slot.parse().expect("a slot"), State::Running);
            StatusRow { run: Some(run), role: Some(role), ..StatusRow::of("native", "shop", instance) }
        };
        let rows = [row("web.1", 16, "current"), row("web.1", 17, "incoming"), row("web.2", 15, "current")];
        let mut printed = Vec::new();
        text(&mut printed, &rows).expect("memory takes what is written");
        let printed = String::from_utf8(printed).expect("UTF-8");
        let cell = |line: &str| line.split("  ").nth(1).map(|cell| cell.trim().to_owned());
        let names: Vec<String> = printed.lines().skip(1).filter_map(cell).collect();
        assert_eq!(names, ["web.1@16 current", "web.1@17 incoming", "web.2"]);
    }
}
