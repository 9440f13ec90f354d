//! The columns of the table.

use clap::ValueEnum;
use jiff::Timestamp;
use ps_rows::StatusRow;

/// The width of the bar for used memory, in characters.
const BAR: u64 = 10;

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Column {
    /// The app
    App,
    /// The instance, and while it is replaced its run
    Process,
    /// What it is doing
    State,
    /// Its main process, or its container
    Pid,
    /// Its PORT
    Port,
    /// How long it has been in this state
    Since,
    /// How often it was started again by itself
    Restarts,
    /// How often its slot was started again, by reason
    Reasons,
    /// How much of a CPU it has used since its start
    Cpu,
    /// Its memory, and how much of its limit that is
    Memory,
    /// How it ended the last time
    Exit,
    /// Open connections of the app's address
    Connections,
    /// The release that it was started from
    Release,
    /// The number of its run
    Run,
    /// Who runs it
    Scheduler,
    /// What there is to know of its last start or end
    Note,
    /// When it is due, if it runs by a schedule
    Next,
}

impl Column {
    /// The columns of a table if none were chosen.
    pub(super) const USUAL: [Self; 11] = [
        Self::App,
        Self::Process,
        Self::State,
        Self::Pid,
        Self::Port,
        Self::Since,
        Self::Restarts,
        Self::Cpu,
        Self::Memory,
        Self::Exit,
        Self::Next,
    ];

    pub(super) fn heading(self) -> &'static str {
        match self {
            Self::App => "APP",
            Self::Process => "PROCESS",
            Self::State => "STATE",
            Self::Pid => "PID/CONTAINER",
            Self::Port => "PORT",
            Self::Since => "SINCE",
            Self::Restarts => "RESTARTS",
            Self::Reasons => "RESTARTED FOR",
            Self::Cpu => "CPU",
            Self::Memory => "MEMORY",
            Self::Exit => "LAST EXIT",
            Self::Connections => "CONNECTIONS",
            Self::Release => "RELEASE",
            Self::Run => "RUN",
            Self::Scheduler => "SCHEDULER",
            Self::Note => "NOTE",
            Self::Next => "NEXT",
        }
    }

    /// The order in which columns are left out on a narrow terminal, the highest number first; 0: the column always
    /// stays.
    pub(super) fn rank(self) -> u8 {
        match self {
            Self::App | Self::Process | Self::State => 0,
            Self::Since => 1,
            Self::Memory => 2,
            Self::Restarts => 3,
            Self::Cpu => 4,
            Self::Exit => 5,
            Self::Port => 6,
            Self::Pid => 7,
            Self::Next => 8,
            Self::Reasons | Self::Connections | Self::Release | Self::Run | Self::Scheduler | Self::Note => 9,
        }
    }

    /// The text in a row; `in_slot` is how many runs the slot has.
    pub(super) fn cell(self, row: &StatusRow, in_slot: usize, now: Timestamp) -> String {
        let cell = match self {
            Self::App => Some(row.app.clone()),
            Self::Process => Some(process(row, in_slot)),
            Self::State => Some(row.state.to_owned()),
            Self::Pid => {
                let container = row.container_id.as_ref().map(|id| id.chars().take(12).collect());
                row.pid.map(|pid| pid.to_string()).or(container)
            }
            Self::Port => row.port.map(|port| port.to_string()),
            Self::Since => row.since.as_ref().map(|since| age(since, now)),
            Self::Restarts => row.restarts.map(|restarts| restarts.to_string()),
            Self::Reasons => {
                let counted = row.restarts_by_reason.filter(|counted| !counted.0.is_empty());
                counted.map(|counted| counted.0.to_string())
            }
            Self::Cpu => row.cpu_percent.map(|percent| format!("{percent} %")),
            Self::Memory => memory(row),
            Self::Exit => last_exit(row),
            Self::Connections => row.connections.map(|connections| connections.to_string()),
            Self::Release => row.release.map(|release| release.to_string()),
            Self::Run => row.run.map(|run| run.to_string()),
            Self::Scheduler => Some(row.scheduler.clone()),
            Self::Note => row.note.as_ref().map(|note| note.lines().next().unwrap_or_default().to_owned()),
            Self::Next => row.next.clone(),
        };
        cell.unwrap_or_else(|| "-".to_owned())
    }
}

/// `web.1`
pub(super) fn slot(row: &StatusRow) -> String {
    format!("{}.{}", row.process_type, row.index)
}

/// The slot of a row. If several runs are in the slot, the run and its role follow; in place of the role, what it is while a canary is
/// judged. The slot of a control has one run, and is no place of the app.
fn process(row: &StatusRow, in_slot: usize) -> String {
    let slot = slot(row);
    match (row.run, row.compared.or(row.role)) {
        (Some(run), Some(side)) if row.compared.is_some() => format!("{slot}@{run} {side}"),
        (Some(run), Some(role)) if in_slot > 1 => format!("{slot}@{run} {role}"),
        _ => slot,
    }
}

/// How long ago that was. A text that is not a time is shown unchanged.
fn age(since: &str, now: Timestamp) -> String {
    since.parse().map_or_else(|_| since.to_owned(), |since| ps_output::age(since, now))
}

/// `12 MiB`, or `128 of 256 MiB [=====     ]`.
fn memory(row: &StatusRow) -> Option<String> {
    let used = row.memory_bytes?;
    let limit = row.limits.as_ref().and_then(|limits| limits.memory_max).filter(|limit| *limit > 0);
    let Some(limit) = limit else { return Some(format!("{} MiB", used >> 20)) };
    let filled = (used.saturating_mul(BAR) / limit).min(BAR);
    let bar: String = (0..BAR).map(|place| if place < filled { '=' } else { ' ' }).collect();
    Some(format!("{} of {} MiB [{bar}]", used >> 20, limit >> 20))
}

fn last_exit(row: &StatusRow) -> Option<String> {
    let killed = row.out_of_memory.map(|killed| killed.to_string());
    killed.or_else(|| row.last_exit.map(|exit| exit.to_string()))
}

#[cfg(test)]
mod tests {
    use formation::State;
    use ps_scheduler::{Instance, Limits};

    use super::*;

    #[test]
    fn memory_is_shown_with_its_limit() {
        for (used, limit, shown) in [
            (12, None, "12 MiB"),
            (128, Some(256), "128 of 256 MiB [=====     ]"),
            (300, Some(256), "300 of 256 MiB [==========]"),
            (1, Some(256), "1 of 256 MiB [          ]"),
        ] {
            let limits = limit.map(|mib: u64| Limits { memory_max: Some(mib << 20), ..Limits::default() });
            let instance = Instance {
                memory_bytes: Some(used << 20),
                limits,
                ..Instance::new("web.1".parse().expect("a slot"), State::Running)
            };
            let row = StatusRow::of("native", "shop", instance);
            assert_eq!(Column::Memory.cell(&row, 1, Timestamp::UNIX_EPOCH), shown);
        }
    }
}
