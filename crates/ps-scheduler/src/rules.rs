//! The rules of a rollout for the slots of one type: from app.json, else defaults.
//!
//! For example, `web` of eight slots has one check of 3 tries, each of 5 s, with 5 s between them, and runs natively on a machine
//! with 2 CPUs. Its rules are: one by one, 2 replacements at a time, 4 trials at a time, a minimum life of 1 s, and a
//! deadline of 30 s + 3 × 5 s + 2 × 5 s.

use std::num::NonZeroU16;
use std::thread;
use std::time::Duration;

use ps_release::COMING_UP;
use ps_rollout::{Rules, Strategy};

use crate::Process;

/// How long an instance must live to pass its gate, even with checks.
const MINIMUM_LIFE: Duration = Duration::from_secs(1);
/// How long an instance may take until it is done, if other types wait for its end.
const BEING_DONE: Duration = Duration::from_secs(60 * 60);
/// With one-by-one, this fraction of a type's slots (1/4) is replaced at a time.
const PARTS: u16 = 4;
/// How many trials at a time each CPU of this machine allows, if that is more than a quarter of the slots.
const TRIALS_OF_A_CPU: u16 = 2;

/// The parts of a plan for one type on which the rules depend.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Extent {
    /// How many slots it has after the rollout.
    pub(crate) wanted: u16,
    /// How many of them have a running instance that is replaced.
    pub(crate) replaced: u16,
    /// Whether other types wait for it to be done.
    pub(crate) is_to_end: bool,
    /// Whether its instances are not started again when they end.
    pub(crate) may_end: bool,
}

/// The rules for one type. `process` is its part of the release (`None`: the release does not know it, for example a type
/// of an image), and `usual` the scheduler's strategy.
pub(crate) fn of(process: Option<&Process>, usual: Strategy, extent: Extent) -> Rules {
    // A trial would do all of the job's work, and the run in the slot's own lane would then do it again.
    let usual = if extent.is_to_end { Strategy::Overlap } else { usual };
    let strategy = process.and_then(|process| process.strategy).unwrap_or(usual);
    let asked = process.and_then(|process| process.max_parallel);
    Rules {
        strategy,
        max_parallel: asked.unwrap_or_else(|| at_a_time(strategy, extent)),
        max_trials: asked.or_else(|| trials(strategy, extent, cpus())),
        is_checked: process.is_some_and(|process| !process.checks.startup.is_empty()),
        may_end: extent.may_end,
        minimum_life: MINIMUM_LIFE,
        deadline: if extent.is_to_end { time_to_be_done(process) } else { deadline(process) },
    }
}

/// How long an instance may take until it is done.
fn time_to_be_done(process: Option<&Process>) -> Duration {
    let set = process.and_then(|process| Some(process.settings.start_timeout_seconds?.seconds()));
    set.unwrap_or(BEING_DONE)
}

/// How many instances start at a time. If no slot is empty meanwhile, all are started together. Slots that are replaced one by
/// one are empty for a while: a quarter of them at a time, and at least one.
fn at_a_time(strategy: Strategy, extent: Extent) -> NonZeroU16 {
    let count = match strategy {
        Strategy::OneByOne if extent.replaced > 0 => extent.wanted / PARTS,
        Strategy::OneByOne | Strategy::Overlap | Strategy::StopFirst => extent.wanted,
    };
    NonZeroU16::new(count).unwrap_or(NonZeroU16::MIN)
}

/// How many trials run at a time. A trial empties no slot, but needs memory and CPU time. The app's own limit of instances that
/// start at a time holds for trials as well.
fn trials(strategy: Strategy, extent: Extent, cpus: u16) -> Option<NonZeroU16> {
    let at_once = cpus.saturating_mul(TRIALS_OF_A_CPU).max(at_a_time(strategy, extent).get());
    NonZeroU16::new(at_once).filter(|_| strategy == Strategy::OneByOne)
}

fn cpus() -> u16 {
    thread::available_parallelism().map_or(1, |cpus| u16::try_from(cpus.get()).unwrap_or(u16::MAX))
}

/// How long an instance may take to become ready.
fn deadline(process: Option<&Process>) -> Duration {
    process.map_or(COMING_UP, Process::deadline)
}

#[cfg(test)]
mod tests {
    use ps_release::{Ask, Check, Checks};

    use super::*;

    fn process(strategy: Option<Strategy>, max_parallel: Option<u16>) -> Process {
        let second = Duration::from_secs(1);
        let check = Check {
            ask: Ask::Listen,
            attempts: 3,
            timeout: 5 * second,
            wait: 2 * second,
            initial_delay: Duration::ZERO,
            only_warns: false,
            on_failure: Vec::new(),
            port: None,
        };
        let process_type = "web".parse().expect("a legal process type");
        Process {
            checks: Checks { startup: vec![check], ..Checks::default() },
            strategy,
            max_parallel: max_parallel.and_then(NonZeroU16::new),
            ..Process::new(process_type, None)
        }
    }

    fn max_parallel(strategy: Strategy, wanted: u16, replaced: u16) -> u16 {
        of(None, strategy, Extent { wanted, replaced, is_to_end: false, may_end: false }).max_parallel.get()
    }

    #[test]
    fn one_slot_in_four_at_most_is_empty_at_a_time_unless_the_app_says_otherwise() {
        let one_by_one = |wanted, replaced| max_parallel(Strategy::OneByOne, wanted, replaced);
        assert_eq!([1, 2, 7, 8, 300].map(|wanted| one_by_one(wanted, 1)), [1, 1, 1, 2, 75]);
        let asked = process(None, Some(3));
        let rules = of(
            Some(&asked),
            Strategy::OneByOne,
            Extent { wanted: 300, replaced: 300, is_to_end: false, may_end: false },
        );
        assert_eq!(rules.max_parallel.get(), 3);
    }

    #[test]
    fn so_many_are_tried_at_a_time_as_the_machine_can_bear_unless_the_app_says_otherwise() {
        let of = |strategy, wanted, cpus| {
            trials(strategy, Extent { wanted, replaced: wanted, is_to_end: false, may_end: false }, cpus)
                .map(NonZeroU16::get)
        };
        assert_eq!([1, 8, 300].map(|wanted| of(Strategy::OneByOne, wanted, 2)), [4, 4, 75].map(Some));
        assert_eq!([of(Strategy::Overlap, 8, 2), of(Strategy::StopFirst, 8, 2)], [None, None]);
        let extent = Extent { wanted: 300, replaced: 300, is_to_end: false, may_end: false };
        let asked = super::of(Some(&process(None, Some(3))), Strategy::OneByOne, extent);
        assert_eq!(asked.max_trials().get(), 3);
    }

    #[test]
    fn where_nobody_is_left_without_an_instance_all_come_up_together() {
        assert_eq!(max_parallel(Strategy::OneByOne, 300, 0), 300);
        assert_eq!(max_parallel(Strategy::Overlap, 300, 300), 300);
        assert_eq!(max_parallel(Strategy::StopFirst, 0, 0), 1);
    }

    #[test]
    fn the_app_chooses_the_strategy_and_its_checks_give_the_deadline() {
        let asked = process(Some(Strategy::StopFirst), None);
        let rules = of(Some(&asked), Strategy::Overlap, Extent::default());
        assert_eq!(rules.strategy, Strategy::StopFirst);
        assert_eq!(rules.deadline, Duration::from_secs(30 + 3 * 5 + 2 * 2));
        let nothing = of(None, Strategy::Overlap, Extent::default());
        assert_eq!((nothing.strategy, nothing.deadline), (Strategy::Overlap, COMING_UP));
    }

    #[test]
    fn what_others_wait_for_to_be_done_runs_once_and_has_an_hour_unless_the_app_says_otherwise() {
        let extent = Extent { wanted: 1, replaced: 1, is_to_end: true, may_end: false };
        let rules = of(None, Strategy::OneByOne, extent);
        assert_eq!((rules.strategy, rules.deadline), (Strategy::Overlap, BEING_DONE));
        let mut asked = process(Some(Strategy::OneByOne), None);
        asked.settings.start_timeout_seconds = "90".parse().ok();
        let rules = of(Some(&asked), Strategy::OneByOne, extent);
        assert_eq!((rules.strategy, rules.deadline), (Strategy::OneByOne, Duration::from_secs(90)));
    }
}
