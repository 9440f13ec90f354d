//! Takes over from a dead executor: compares the record with the runs that were found.

use std::time::Duration;

use crate::Revision;
use crate::event::{Action, Condition, Observed};
use crate::life::{Happening, Life};
use crate::outcome::Failure;
use crate::rollout::Rollout;
use crate::seat::{Member, Which};
use crate::stage::{Stage, State};
use crate::turn::{Doubt, Turn};

/// The result of comparing a run with its record.
enum Finding {
    /// The run is as recorded.
    AsWritten,
    /// The last order for the run is given again. It is not known whether the order was carried out, and repeating it
    /// does no harm.
    Again,
    /// These events have happened to the run.
    Happened(&'static [Happening]),
}

impl Rollout {
    /// Compares each recorded run with what was found, and adopts runs that were found and not recorded.
    pub(crate) fn resume(&mut self, observed: &[Observed], turn: &mut Turn) {
        if turn.now < self.seen {
            self.restart_clock(turn.now);
        }
        let is_over = self.stage.is_final();
        for index in 0..self.seats.len() {
            // After the end, the last orders to forget may have been lost, and a run that had survived SIGKILL may have
            // ended.
            let is_open = |(_, member): &(Which, &Member)| !is_over || member.life.is_over();
            let members = self.seats[index].members().filter(is_open);
            let members: Vec<Which> = members.map(|(which, _)| which).collect();
            for which in members {
                self.compare(index, which, observed, turn);
            }
        }
        let mut by_number: Vec<&Observed> = observed.iter().filter(|_| !is_over).collect();
        by_number.sort_by_key(|found| found.run.number);
        for found in by_number {
            self.adopt(found, turn);
        }
        turn.in_doubt.push(Doubt::Record(self.stage));
    }

    /// Repeats uncertain orders if they are still wanted, which they may not be after a failure that was found meanwhile.
    pub(crate) fn repeat(&self, turn: &mut Turn) {
        for doubt in std::mem::take(&mut turn.in_doubt) {
            match doubt {
                Doubt::Record(stage) if stage == self.stage => self.order_record(turn),
                Doubt::Life { index, which, life } => {
                    let member = self.seats[index].member(which).filter(|member| member.life == life);
                    turn.actions.extend(member.and_then(|member| order(member, which)));
                }
                Doubt::Record(_) => (),
            }
        }
    }

    /// The machine was rebooted, so recorded times are in the future now. All waiting starts over.
    fn restart_clock(&mut self, now: Duration) {
        let origin = self.seen;
        for seat in &mut self.seats {
            seat.tenure = seat.tenure.restart_clock(origin, now);
            for member in seat.old.iter_mut().chain(&mut seat.new).chain(&mut seat.strays) {
                for time in [&mut member.due, &mut member.mature].into_iter().flatten() {
                    *time = now + time.saturating_sub(origin);
                }
            }
            seat.held_until = seat.held_until.map(|time| now + time.saturating_sub(origin));
            // A run that served clients before the reboot does not run any more.
            seat.found_since = seat.found_since.map(|_| now);
        }
    }

    /// Adopts a run that is not recorded: as the successor that a restart policy started for one that died, if that is
    /// possible, else as a stray. Before the commit no restart policy starts new runs.
    fn adopt(&mut self, found: &Observed, turn: &mut Turn) {
        self.skip_number(&found.run);
        let is_committed = self.stage.state() == State::Committed || self.stage == Stage::Committing;
        let Some(index) = self.seats.iter().position(|seat| seat.slot == found.run.slot) else { return };
        let seat = &mut self.seats[index];
        if seat.members().any(|(_, member)| member.run == found.run) {
            return;
        }
        let is_up = match found.condition {
            Condition::Up | Condition::Ready => true,
            Condition::Over => false,
        };
        let (which, is_policed) = match found.revision {
            Revision::Old => (Which::Old, true),
            Revision::New => (Which::New, is_committed),
        };
        let has_died = |member: &&mut Member| {
            is_policed && member.life == Life::Down && member.run.number < found.run.number
        };
        let run = found.run.clone();
        if let Some(died) = seat.member_mut(which).filter(has_died) {
            died.run = run;
            if is_up {
                self.happen(index, which, Happening::Respawned, None, turn);
            }
        } else {
            // Clients may have been led to the run.
            let life = if is_up { Life::Serving } else { Life::Down };
            seat.strays.push(Member { run, lane: found.lane, life, due: None, mature: None });
        }
    }

    fn compare(&mut self, index: usize, which: Which, observed: &[Observed], turn: &mut Turn) {
        let Some(member) = self.seats[index].member(which) else { return };
        let found = observed.iter().find(|found| found.run == member.run);
        match finding(member.life, found.map(|found| found.condition)) {
            Finding::AsWritten => (),
            // A forgotten run may be forgotten again. The slot may have another run before this turn ends, so the order
            // is given now.
            Finding::Again if member.life == Life::Gone => turn.actions.extend(order(member, which)),
            Finding::Again => turn.in_doubt.push(Doubt::Life { index, which, life: member.life }),
            Finding::Happened(happenings) => {
                let unseen = || Failure::Died("while no program carried out the rollout".to_owned());
                for happening in happenings {
                    self.happen(index, which, *happening, Some(unseen()), turn);
                }
            }
        }
    }
}

/// The finding for a run with this recorded life; `None` as condition: no trace of the run was found.
fn finding(life: Life, condition: Option<Condition>) -> Finding {
    match condition {
        Some(Condition::Up) => finding_up(life),
        Some(Condition::Ready) => match life {
            Life::Starting => Finding::Happened(&[Happening::Started, Happening::Ready]),
            Life::Probing => Finding::Happened(&[Happening::Ready]),
            Life::Maturing
            | Life::Ready
            | Life::Admitting
            | Life::Serving
            | Life::Withdrawing
            | Life::Ending
            | Life::Remaining
            | Life::Gone
            | Life::Down
            | Life::Finished => finding_up(life),
        },
        Some(Condition::Over) => finding_over(life, true),
        None => finding_over(life, false),
    }
}

fn finding_up(life: Life) -> Finding {
    match life {
        Life::Starting => Finding::Happened(&[Happening::Started]),
        Life::Probing | Life::Admitting | Life::Withdrawing | Life::Ending => Finding::Again,
        Life::Maturing | Life::Ready | Life::Serving | Life::Remaining => Finding::AsWritten,
        Life::Gone | Life::Down | Life::Finished => Finding::Happened(&[Happening::Respawned]),
    }
}

fn finding_over(life: Life, is_something_left: bool) -> Finding {
    match life {
        Life::Starting if is_something_left => Finding::Happened(&[Happening::Died]),
        Life::Gone if !is_something_left => Finding::AsWritten,
        Life::Starting | Life::Ending | Life::Gone => Finding::Again,
        Life::Probing
        | Life::Maturing
        | Life::Ready
        | Life::Admitting
        | Life::Serving
        | Life::Withdrawing => Finding::Happened(&[Happening::Died]),
        Life::Remaining => Finding::Happened(&[Happening::Ended]),
        Life::Down | Life::Finished => Finding::AsWritten,
    }
}

/// The last order for a run.
fn order(member: &Member, which: Which) -> Option<Action> {
    let run = member.run.clone();
    match member.life {
        Life::Starting => {
            let revision = if which == Which::Old { Revision::Old } else { Revision::New };
            Some(Action::Start { run, revision, lane: member.lane })
        }
        Life::Probing => Some(Action::Probe(run)),
        Life::Admitting => Some(Action::Admit(run)),
        Life::Withdrawing => Some(Action::Withdraw(run)),
        Life::Ending => Some(Action::End(run)),
        Life::Gone => Some(Action::Forget(run)),
        Life::Maturing | Life::Ready | Life::Serving | Life::Remaining | Life::Down | Life::Finished => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVES: [Life; 12] = [
        Life::Starting,
        Life::Probing,
        Life::Maturing,
        Life::Ready,
        Life::Admitting,
        Life::Serving,
        Life::Withdrawing,
        Life::Ending,
        Life::Remaining,
        Life::Gone,
        Life::Down,
        Life::Finished,
    ];

    const CONDITIONS: [Option<Condition>; 4] =
        [Some(Condition::Up), Some(Condition::Ready), Some(Condition::Over), None];

    fn rendered() -> String {
        let cell = |life, condition| match finding(life, condition) {
            Finding::AsWritten => " · |".to_owned(),
            Finding::Again => " again |".to_owned(),
            Finding::Happened(happenings) => {
                let words: Vec<String> =
                    happenings.iter().map(|happening| format!("{happening:?}")).collect();
                format!(" {} |", words.join(", "))
            }
        };
        let row = |life: Life| {
            let cells = CONDITIONS.map(|condition| cell(life, condition)).concat();
            format!("| **{life:?}** |{cells}\n")
        };
        format!(
            "| written | Up | Ready | Over | nothing |\n|{}\n{}",
            "---|".repeat(5),
            LIVES.map(row).concat()
        )
    }

    #[test]
    fn the_page_prints_the_table_of_taking_over_that_runs() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rollout.md");
        let text = std::fs::read_to_string(page).expect("docs/rollout.md can be read");
        assert!(text.contains(&rendered()), "docs/rollout.md should contain:\n{}", rendered());
    }

    #[test]
    fn a_run_that_may_live_is_never_taken_for_gone() {
        for life in LIVES {
            for condition in [Some(Condition::Up), Some(Condition::Ready)] {
                if let Finding::Happened(happenings) = finding(life, condition) {
                    assert!(!happenings.contains(&Happening::Ended), "{life:?} {condition:?}");
                }
            }
        }
    }
}
