//! What a scheduler has to provide so that the suite can test it.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use super::Subject;
use crate::scheduler::{Requester, Scheduler};
use crate::{Cancel, Plan};

/// The scheduler as another program would create it, made in that program's thread.
pub type Another = Box<dyn FnOnce() -> Box<dyn Scheduler> + Send>;

/// A scheduler under test, to which [`super::app`] can be deployed.
pub trait Harness {
    /// The scheduler.
    fn scheduler(&self) -> &dyn Scheduler;

    /// A release whose instances start and run until they are ended.
    fn good(&self) -> Subject;

    /// A release from the same source whose instances end, or do not become ready, before they have passed their gate.
    fn bad(&self) -> Subject;

    /// A release that cannot be tried, because its source does not exist.
    fn refused(&self) -> Subject;

    /// Every living process or container of the app, recorded or not. Also called during a deploy.
    fn alive(&self) -> BTreeSet<String>;

    /// The scheduler as another program has it, which is about to stop something of the app.
    fn another(&self) -> Another;

    /// How long the suite waits for something to become true.
    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// The interval between the steps at which the caller of a verb is killed: 1 tries every step, 2 every second one, for
    /// schedulers where a try takes long. The guarantees begin with different steps, so together they try every step. A verb
    /// must have at least this many steps.
    fn stride(&self) -> usize {
        1
    }

    /// Carries out a plan and kills the caller at a step, counted from 0; `false` if the plan was done before that step.
    /// The caller undoes nothing. By default it is killed by a panic in the `step`-th progress message. A scheduler with
    /// finer steps implements this itself.
    fn dies_at(&self, plan: &Plan, step: usize) -> bool {
        let told = Cell::new(0);
        let mut say = |_| {
            if told.replace(told.get() + 1) == step {
                resume_unwind(Box::new("the caller dies here"));
            }
        };
        let mut requester = Requester { tell: &mut say, cancel: &Cancel::default(), lock: None };
        catch_unwind(AssertUnwindSafe(|| self.scheduler().deploy(plan, &mut requester))).is_err()
    }
}
