//! Every decision of the tables and of a rollout, with all that it was made from. Each can be made again from its record, also on
//! another machine: [`replay`] does that, and compares what comes out byte for byte.
//!
//! The record has two files in the service directory, of which the older one is replaced when the newer one is full. So a
//! crash loop pushes out what an app did days ago, and takes no more room than that.

use std::fmt::{self, Display, Formatter};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use formation::Slot;
use ps_rollout::Rollout;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::run_table::{RunAction, RunEvent, RunState};
use crate::seat_table::{Action, Aside, Event, Seating, Settled};
use crate::status::Status;

/// The record in a service directory, and the one before it.
pub(crate) const DECISIONS_FILES: [&str; 2] = ["decisions", "decisions.old"];
/// The size of a file, in bytes, at which the next one is begun: that of several hundred lives.
const MAX_BYTES: u64 = 128 << 10;

/// A decision: what went in, and what came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub(crate) enum Decision {
    /// By the seat table.
    Seat { slot: Slot, seat: Seating, event: Event, then: Settled },
    /// By the run table.
    Run { slot: Slot, run: u64, state: RunState, event: RunEvent, then: (RunState, RunAction) },
    /// A rollout begins, or goes on under another supervisor. What follows is decided by it.
    Rollout { rollout: Box<Rollout> },
    /// By that rollout. `since_boot` is the time of the event, and `next_number` the lowest number that no run has.
    Step { since_boot: Duration, next_number: u64, event: ps_rollout::Event, then: Vec<ps_rollout::Action> },
}

impl Decision {
    /// One by the seat table; `None`: nothing is to be done, and nothing changes.
    pub(crate) fn of_seat(slot: &Slot, seat: Seating, event: Event, then: Settled) -> Option<Self> {
        let is_idle = then.aside == Aside::Nothing && matches!(then.action, None | Some(Action::Nothing));
        let slot = slot.clone();
        (then.seat != seat || !is_idle).then_some(Self::Seat { slot, seat, event, then })
    }

    /// The same by the run table.
    pub(crate) fn of_run(
        status: &Status,
        state: RunState,
        event: RunEvent,
        then: (RunState, RunAction),
    ) -> Option<Self> {
        let (slot, run) = (status.slot.clone(), status.run);
        (then != (state, RunAction::Nothing)).then_some(Self::Run { slot, run, state, event, then })
    }

    /// The decision made again; `None` if the rollout is not known that it was made by.
    fn again(self, rollout: &mut Option<Rollout>) -> Option<Self> {
        Some(match self {
            Self::Seat { slot, seat, event, .. } => Self::Seat { slot, seat, event, then: seat.after(event) },
            Self::Run { slot, run, state, event, .. } => {
                Self::Run { slot, run, state, event, then: state.after(event) }
            }
            Self::Rollout { rollout: begun } => {
                *rollout = Some(Rollout::clone(&begun));
                Self::Rollout { rollout: begun }
            }
            Self::Step { since_boot, next_number, event, .. } => {
                let rollout = rollout.as_mut()?;
                rollout.pass_numbers_below(next_number);
                let then = rollout.handle(event.clone(), since_boot);
                Self::Step { since_boot, next_number, event, then }
            }
        })
    }

    fn line(&self) -> String {
        serde_json::to_string(self).expect("a decision is plain data")
    }
}

/// Appends decisions to the record of a service directory. Nothing is decided by them, so what cannot be written is left out.
pub(crate) fn record(service: &Path, decisions: &[Decision]) {
    let lines: String = decisions.iter().flat_map(|decision| [decision.line(), "\n".to_owned()]).collect();
    let _ = append(service, &lines);
}

fn append(service: &Path, lines: &str) -> io::Result<()> {
    let [path, old] = DECISIONS_FILES.map(|name| service.join(name));
    let mut file = open(&path)?;
    let mut length = file.metadata()?.len();
    if length >= MAX_BYTES {
        fs::rename(&path, &old)?;
        (file, length) = (open(&path)?, 0);
    }
    // A supervisor that was killed, or a full disk, may have left half a line.
    let mut last = *b"\n";
    if length > 0 {
        file.read_exact_at(&mut last, length - 1)?;
    }
    let torn = if last == *b"\n" { "" } else { "\n" };
    file.write_all(format!("{torn}{lines}").as_bytes())
}

fn open(path: &Path) -> io::Result<File> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits()).unwrap_or(0);
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).custom_flags(flags).open(path)
}

/// What came of making recorded decisions again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// How many decisions of the seat table came out as they were recorded.
    pub seats: usize,
    /// The same of the run table.
    pub runs: usize,
    /// The same of rollouts.
    pub steps: usize,
    /// How many could not be made again, because the record does not reach back to the beginning of their rollout.
    pub without_beginning: usize,
    /// How many lines are no decisions: half of one, or one of a later version.
    pub unreadable: usize,
}

/// A decision that is made otherwise today.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Otherwise {
    /// The line of the record.
    pub recorded: String,
    /// What it would be today.
    pub today: String,
}

impl Display for Otherwise {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "recorded: {}\ntoday:    {}", self.recorded, self.today)
    }
}

/// The record in a service directory as text, the older file first, for [`replay`]. Empty if there is none.
///
/// # Errors
/// The record cannot be read.
pub fn recorded(service: &Path) -> io::Result<String> {
    let [path, old] = DECISIONS_FILES.map(|name| service.join(name));
    let read = |path: &Path| match durable::state(path, 16 * MAX_BYTES) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(durable::ReadError::Missing) => Ok(String::new()),
        Err(error) => Err(io::Error::from(error)),
    };
    Ok(format!("{}\n{}", read(&old)?, read(&path)?))
}

/// Makes decisions again, and compares them byte for byte with what was recorded.
///
/// # Errors
/// The first one that comes out otherwise.
pub fn replay(record: &str) -> Result<Replayed, Otherwise> {
    let (mut replayed, mut rollout) = (Replayed::default(), None);
    for line in record.lines().filter(|line| !line.is_empty()) {
        let Ok(decision) = serde_json::from_str::<Decision>(line) else {
            replayed.unreadable += 1;
            continue;
        };
        let Some(again) = decision.again(&mut rollout) else {
            replayed.without_beginning += 1;
            continue;
        };
        let today = again.line();
        if today != line {
            return Err(Otherwise { recorded: line.to_owned(), today });
        }
        match again {
            Decision::Seat { .. } => replayed.seats += 1,
            Decision::Run { .. } => replayed.runs += 1,
            Decision::Rollout { .. } | Decision::Step { .. } => replayed.steps += 1,
        }
    }
    Ok(replayed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seat_table::{AfterDeath, Beside, Held};

    fn died() -> Decision {
        let slot: Slot = "web.1".parse().expect("a slot");
        let seat = Seating { held: Held::Filled, beside: Beside::Nobody };
        let event = Event::Died(AfterDeath::Again);
        Decision::of_seat(&slot, seat, event, seat.after(event)).expect("the run is to be cleared away")
    }

    #[test]
    fn a_crash_loop_takes_no_more_room_than_two_files_and_half_a_line_is_left_out() {
        let service = tempfile::tempdir().expect("a directory");
        let [path, old] = DECISIONS_FILES.map(|name| service.path().join(name));
        for _ in 0..5_000 {
            record(service.path(), &[died()]);
        }
        let size = |path: &Path| fs::metadata(path).expect("it is there").len();
        let line = died().line().len() as u64 + 1;
        assert!(size(&path) < MAX_BYTES + line && (MAX_BYTES..MAX_BYTES + line).contains(&size(&old)));
        let kept = (size(&path) + size(&old)) / line;
        let replayed = replay(&recorded(service.path()).expect("readable")).expect("the same");
        assert_eq!(replayed, Replayed { seats: usize::try_from(kept).expect("few"), ..Replayed::default() });

        let file = OpenOptions::new().write(true).open(&path).expect("it opens");
        file.set_len(size(&path) - 5).expect("cut");
        record(service.path(), &[died()]);
        let again = replay(&recorded(service.path()).expect("readable")).expect("the same");
        assert_eq!(again, Replayed { unreadable: 1, ..replayed });
    }

    #[test]
    fn what_would_be_decided_otherwise_today_is_said_and_to_do_nothing_is_no_decision() {
        let line = died().line();
        assert!(line.contains(r#""event":{"died":"again"}"#) && replay(&line).is_ok(), "{line}");
        let other = line.replace(r#""emptying":"backoff""#, r#""emptying":"done""#);
        assert_eq!(replay(&other), Err(Otherwise { recorded: other.clone(), today: line }));
        let slot: Slot = "web.1".parse().expect("a slot");
        let seat = Seating { held: Held::Filled, beside: Beside::Nobody };
        assert_eq!(Decision::of_seat(&slot, seat, Event::Want, seat.after(Event::Want)), None);
    }
}
