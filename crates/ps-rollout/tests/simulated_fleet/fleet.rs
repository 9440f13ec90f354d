//! The living processes or containers, each with a fate that was chosen at its birth. This file knows nothing of
//! rollouts.

use std::collections::BTreeMap;
use std::time::Duration;

use formation::Slot;
use ps_rollout::{Lane, Revision, Run};

use crate::dice::Dice;
use crate::scenario::SECOND;

/// When the checks of a body hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checks {
    HoldAt(Duration),
    FailAt(Duration),
    /// Their result never comes.
    Hang,
}

/// One process or container.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "what is true of a body, each independent of the others")]
pub(crate) struct Body {
    pub(crate) run: Run,
    pub(crate) lane: Lane,
    pub(crate) revision: Revision,
    pub(crate) born: Duration,
    pub(crate) is_alive: bool,
    pub(crate) checks: Checks,
    /// Whether clients are led to it.
    pub(crate) is_served: bool,
    /// Whether it was told to end: then no restart policy brings it back.
    pub(crate) is_told: bool,
    /// Whether not even SIGKILL ends it.
    pub(crate) is_stubborn: bool,
    pub(crate) is_forgotten: bool,
    /// Whether it told an executor that its checks hold.
    pub(crate) was_ready: bool,
    /// Whether an earlier rollout left it without a record.
    pub(crate) is_leftover: bool,
    /// Whether it finished as it should when it ended by itself.
    pub(crate) has_finished: bool,
}

/// All living and dead bodies, by number, and the record of them.
pub(crate) struct Fleet {
    pub(crate) bodies: BTreeMap<u64, Body>,
    pub(crate) record: BTreeMap<Slot, u64>,
    pub(crate) recorded: Revision,
}

impl Body {
    /// A body that has existed for a while, and serves clients.
    pub(crate) fn present(run: Run, lane: Lane, is_alive: bool) -> Self {
        Self {
            run,
            lane,
            revision: Revision::Old,
            born: Duration::ZERO,
            is_alive,
            checks: Checks::HoldAt(Duration::ZERO),
            is_served: is_alive,
            is_told: false,
            is_stubborn: false,
            is_forgotten: false,
            was_ready: is_alive,
            is_leftover: false,
            has_finished: false,
        }
    }

    /// A body that an earlier rollout left behind.
    pub(crate) fn leftover(run: Run, lane: Lane) -> Self {
        Self {
            revision: Revision::New,
            checks: Checks::Hang,
            is_served: false,
            was_ready: false,
            is_leftover: true,
            ..Self::present(run, lane, true)
        }
    }

    /// A body that is born now.
    pub(crate) fn born(run: Run, lane: Lane, revision: Revision, now: Duration, dice: &mut Dice<'_>) -> Self {
        let after = now + SECOND * u32::try_from(dice.below(6)).unwrap_or(0) / 2;
        let checks = match dice.below(40) {
            38 => Checks::FailAt(after),
            39 => Checks::Hang,
            _ => Checks::HoldAt(after),
        };
        let is_stubborn = dice.chance(1);
        Self {
            revision,
            born: now,
            checks,
            is_served: false,
            is_stubborn,
            was_ready: false,
            ..Self::present(run, lane, true)
        }
    }
}

impl Fleet {
    pub(crate) fn alive(&self) -> impl Iterator<Item = &Body> {
        self.bodies.values().filter(|body| body.is_alive)
    }

    /// Whether clients reach a body in a slot.
    pub(crate) fn serves(&self, slot: &Slot) -> bool {
        self.alive().any(|body| body.run.slot == *slot && body.is_served)
    }
}
