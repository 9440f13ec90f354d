//! A rollout as a whole: a total, pure table, stage x signal -> stage, printed in docs/rollout.md and compared with it
//! by a test.

use serde::{Deserialize, Serialize};

/// The stage of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    /// The rollout has not begun.
    Idle,
    /// New runs come up beside the old ones, which are left alone.
    Proving,
    /// Types that stop first: the old runs end, then new ones come up.
    StoppingFirst,
    /// Types that go one by one: the old run ends, the new revision starts on the slot's own lane.
    Moving,
    /// Clients are led to the new runs beside the old ones.
    Admitting,
    /// The record of the new revision is being written.
    Committing,
    /// The new revision is recorded. The replaced runs end.
    Retiring,
    /// Everything is as planned.
    Committed,
    /// The new runs end, and old runs that were told to end are started again.
    PuttingBack,
    /// The record of the old revision is being written.
    Restoring,
    /// The old revision is recorded. Runs in slots that a person stopped by hand meanwhile end.
    Clearing,
    /// Everything is as it was, or the outcome lists the exceptions.
    Failed,
}

/// A signal that moves a rollout from one stage to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Signal {
    /// The rollout is to begin.
    Begin,
    /// Every slot has done what the stage asks; the record is written.
    Settled,
    /// Something failed.
    Broke,
    /// A person has cancelled the rollout.
    Cancelled,
}

/// The state of a rollout, for observers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The rollout has not begun.
    Idle,
    /// The rollout is in progress; any failure or cancellation leads to [`State::PuttingBack`].
    Rolling,
    /// The rollout has failed, and the earlier state is being restored.
    PuttingBack,
    /// The new revision is recorded; the replaced runs may still be ending.
    Committed,
    /// The rollout has failed, and the earlier state has been restored as far as possible.
    Failed,
}

impl Stage {
    /// The next stage.
    pub(crate) fn after(self, signal: Signal) -> Self {
        match self {
            Self::Idle => from_idle(signal),
            Self::Proving => from_rolling(self, Self::StoppingFirst, signal),
            Self::StoppingFirst => from_rolling(self, Self::Moving, signal),
            Self::Moving => from_rolling(self, Self::Admitting, signal),
            Self::Admitting => from_rolling(self, Self::Committing, signal),
            Self::Committing => from_committing(signal),
            Self::Retiring => when_settled(self, Self::Committed, signal),
            Self::Committed => Self::Committed,
            Self::PuttingBack => when_settled(self, Self::Restoring, signal),
            Self::Restoring => when_settled(self, Self::Clearing, signal),
            Self::Clearing => when_settled(self, Self::Failed, signal),
            Self::Failed => Self::Failed,
        }
    }

    /// Whether the rollout is undone if a new run dies or an old run cannot be ended.
    pub(crate) fn is_open(self) -> bool {
        match self {
            Self::Proving | Self::StoppingFirst | Self::Moving | Self::Admitting => true,
            Self::Idle
            | Self::Committing
            | Self::Retiring
            | Self::Committed
            | Self::PuttingBack
            | Self::Restoring
            | Self::Clearing
            | Self::Failed => false,
        }
    }

    /// Whether the stage ends once every slot has done what it asks. The other stages end with an event from outside.
    pub(crate) fn ends_when_settled(self) -> bool {
        match self {
            Self::Proving
            | Self::StoppingFirst
            | Self::Moving
            | Self::Admitting
            | Self::Retiring
            | Self::PuttingBack
            | Self::Clearing => true,
            Self::Idle | Self::Committing | Self::Committed | Self::Restoring | Self::Failed => false,
        }
    }

    /// Whether the rollout is over.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Committed | Self::Failed)
    }

    /// The state that observers see.
    pub(crate) fn state(self) -> State {
        match self {
            Self::Idle => State::Idle,
            Self::Proving | Self::StoppingFirst | Self::Moving | Self::Admitting | Self::Committing => {
                State::Rolling
            }
            Self::Retiring | Self::Committed => State::Committed,
            Self::PuttingBack | Self::Restoring | Self::Clearing => State::PuttingBack,
            Self::Failed => State::Failed,
        }
    }
}

/// A rollout that has not begun has nothing to undo.
fn from_idle(signal: Signal) -> Stage {
    match signal {
        Signal::Begin => Stage::Proving,
        Signal::Cancelled => Stage::Failed,
        Signal::Settled | Signal::Broke => Stage::Idle,
    }
}

fn from_rolling(stage: Stage, next: Stage, signal: Signal) -> Stage {
    match signal {
        Signal::Settled => next,
        Signal::Broke | Signal::Cancelled => Stage::PuttingBack,
        Signal::Begin => stage,
    }
}

/// The record may be written already, so it is too late to cancel.
fn from_committing(signal: Signal) -> Stage {
    match signal {
        Signal::Settled => Stage::Retiring,
        Signal::Broke => Stage::PuttingBack,
        Signal::Begin | Signal::Cancelled => Stage::Committing,
    }
}

fn when_settled(stage: Stage, next: Stage, signal: Signal) -> Stage {
    match signal {
        Signal::Settled => next,
        Signal::Begin | Signal::Broke | Signal::Cancelled => stage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAGES: [Stage; 12] = [
        Stage::Idle,
        Stage::Proving,
        Stage::StoppingFirst,
        Stage::Moving,
        Stage::Admitting,
        Stage::Committing,
        Stage::Retiring,
        Stage::Committed,
        Stage::PuttingBack,
        Stage::Restoring,
        Stage::Clearing,
        Stage::Failed,
    ];

    const SIGNALS: [Signal; 4] = [Signal::Begin, Signal::Settled, Signal::Broke, Signal::Cancelled];

    fn rendered() -> String {
        let heading = SIGNALS.map(|signal| format!(" {signal:?} |")).concat();
        let row = |stage: Stage| {
            let cells = SIGNALS.map(|signal| match stage.after(signal) {
                next if next == stage => " · |".to_owned(),
                next => format!(" → {next:?} |"),
            });
            format!("| **{stage:?}** | {:?} |{}\n", stage.state(), cells.concat())
        };
        format!("| stage | state |{heading}\n|{}\n{}", "---|".repeat(6), STAGES.map(row).concat())
    }

    #[test]
    fn the_page_prints_the_table_of_a_rollout_that_runs() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rollout.md");
        let text = std::fs::read_to_string(page).expect("docs/rollout.md can be read");
        assert!(text.contains(&rendered()), "docs/rollout.md should contain:\n{}", rendered());
    }

    #[test]
    fn what_is_committed_is_never_put_back_and_what_is_put_back_is_never_committed() {
        for stage in STAGES {
            for signal in SIGNALS {
                let (from, to) = (stage.state(), stage.after(signal).state());
                if matches!(from, State::Committed) {
                    assert_eq!(to, State::Committed, "{stage:?} {signal:?}");
                }
                if matches!(from, State::PuttingBack | State::Failed) {
                    assert!(matches!(to, State::PuttingBack | State::Failed), "{stage:?} {signal:?}");
                }
            }
        }
    }

    #[test]
    fn a_stage_that_settles_leads_to_an_end() {
        for stage in STAGES.into_iter().filter(|stage| *stage != Stage::Idle) {
            let end = (0..STAGES.len()).fold(stage, |stage, _| stage.after(Signal::Settled));
            assert!(end.is_final(), "from {stage:?} to {end:?}");
        }
    }
}
