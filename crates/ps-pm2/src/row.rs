//! One instance and its state: the data that every list shows.

use anyhow::Result;
use formation::{AppName, Slot, State};
use jiff::Timestamp;
use os_process::{ProcessId, Stat, Usage};
use ps_scheduler::{Instance as Running, Scheduler};

use crate::book::{App, Book, Instance};
use crate::home::Home;
use crate::sharing;

/// One instance.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub(crate) app: &'a App,
    pub(crate) instance: &'a Instance,
    pub(crate) status: Status,
    /// The pid of its own process; 0 if there is none.
    pub(crate) pid: u32,
    /// The process that the supervisor has started: the same one, or `ps-node` above it.
    pub(crate) main: u32,
    pub(crate) restarts: u32,
    /// Restarts in a row that came too soon.
    pub(crate) unstable: u32,
    /// When its process was started; of what is not online, since when it has been in its state. In milliseconds since 1970.
    pub(crate) since: i64,
    /// In bytes.
    pub(crate) memory: u64,
    /// In percent of one CPU, whole.
    pub(crate) cpu: u64,
}

/// pm2's words for states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Launching,
    Online,
    Stopping,
    Stopped,
    Errored,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Launching => "launching",
            Self::Online => "online",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Errored => "errored",
        }
    }

    fn of(state: State) -> Self {
        match state {
            State::Starting | State::Running | State::Unready | State::Unhealthy => Self::Online,
            State::Waiting | State::Backoff | State::Missing => Self::Launching,
            State::Stopping => Self::Stopping,
            State::Scheduled | State::Stopped => Self::Stopped,
            State::Crashed | State::Unknown => Self::Errored,
        }
    }
}

/// Every instance, by id.
pub(crate) fn rows<'a>(home: &Home, book: &'a Book) -> Result<Vec<Row<'a>>> {
    rows_of(home, book.apps.iter().collect())
}

/// The instances of these apps, by id.
pub(crate) fn rows_of<'a>(home: &Home, apps: Vec<&'a App>) -> Result<Vec<Row<'a>>> {
    let names: Vec<AppName> = apps.iter().map(|app| app.app_name()).collect::<Result<_>>()?;
    let statuses = home.native().status(&names)?;
    let mut rows = Vec::new();
    for (app, status) in apps.into_iter().zip(&statuses) {
        for instance in &app.instances {
            let slot = instance.slot();
            let own = restarts(&status.instances, &slot);
            rows.push(row(app, instance, in_slot(&status.instances, &slot), own));
        }
    }
    rows.sort_by_key(|row| row.instance.id);
    Ok(rows)
}

/// What a slot is shown as: its process. While an app is started anew for its memory, a file or the time, the old process may be gone before
/// the new one counts; then the new one is shown, and not that the old one has stopped.
fn in_slot<'a>(instances: &'a [Running], slot: &Slot) -> Option<&'a Running> {
    let of_slot = || instances.iter().filter(|running| running.slot == *slot);
    let lives = |running: &&Running| running.pid.is_some() && running.state.is_alive();
    of_slot().find(lives).or_else(|| of_slot().next())
}

/// How often a slot was started again by itself. A reload begins the count of a run anew, and changed files are no reason of the restart
/// policy; the counts by reason have all of them.
fn restarts(instances: &[Running], slot: &Slot) -> u32 {
    let of_run = |running: &Running| {
        let by_reason = running.restarts_by_reason.map_or(0, |by_reason| by_reason.total());
        running.restarts.unwrap_or(0).max(by_reason)
    };
    instances.iter().filter(|running| running.slot == *slot).map(of_run).max().unwrap_or(0)
}

fn row<'a>(app: &'a App, instance: &'a Instance, running: Option<&Running>, own: u32) -> Row<'a> {
    let status = running.map_or(Status::Stopped, |running| Status::of(running.state));
    let ended_for_good = status == Status::Errored && app.is_left_when_it_ends;
    let status = if ended_for_good { Status::Stopped } else { status };
    // The end that was one too many is counted as a restart, although none followed.
    let restarts = instance.restarts + own + u32::from(status == Status::Errored);
    let is_online = status == Status::Online;
    let main = running.and_then(|running| running.pid).unwrap_or(0);
    let below = sharing::process_below(app, main);
    let own_usage = below.and_then(Stat::of_living).map(|stat| Usage::of(&stat));
    let cpu = own_usage.map(|usage| usage.cpu_percent).or(running.and_then(|running| running.cpu_percent));
    let memory =
        own_usage.map(|usage| usage.memory_bytes).or(running.and_then(|running| running.memory_bytes));
    let pid = below.unwrap_or(main);
    // An app that ends before it counts as running stays in one state, whereas pm2 counts from the start of its process.
    let begun =
        ProcessId::of(pid).filter(|_| is_online && pid > 0).map(|process| Timestamp::now() - process.age());
    Row {
        app,
        instance,
        status,
        pid,
        main,
        restarts,
        unstable: if status == Status::Errored {
            running.and_then(|running| running.restarts).unwrap_or(0)
        } else {
            0
        },
        since: begun
            .or_else(|| running.and_then(|running| running.since))
            .map_or(0, Timestamp::as_millisecond),
        memory: memory.filter(|_| is_online).unwrap_or(0),
        cpu: whole(cpu.filter(|_| is_online).unwrap_or(0.0)),
    }
}

/// A share of a CPU as a whole number, as pm2 shows it.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is no negative number, and not large"
)]
fn whole(percent: f64) -> u64 {
    percent.round().max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(state: State, pid: Option<u32>) -> Running {
        let slot = Slot::new(formation::FIRST_TYPE.parse().expect("it is the name of a type"), 1);
        Running { pid, ..Running::new(slot, state) }
    }

    #[test]
    fn a_slot_is_shown_as_its_process_also_while_that_is_replaced() {
        for (runs, shown) in [
            (
                vec![running(State::Missing, None), running(State::Starting, Some(7))],
                (State::Starting, Some(7)),
            ),
            (
                vec![running(State::Stopped, None), running(State::Running, Some(7))],
                (State::Running, Some(7)),
            ),
            (
                vec![running(State::Running, Some(6)), running(State::Starting, Some(7))],
                (State::Running, Some(6)),
            ),
            (
                vec![running(State::Stopping, Some(6)), running(State::Starting, None)],
                (State::Stopping, Some(6)),
            ),
            (vec![running(State::Stopped, None)], (State::Stopped, None)),
        ] {
            let found = in_slot(&runs, &runs[0].slot).expect("there is one");
            assert_eq!((found.state, found.pid), shown);
        }
    }
}
