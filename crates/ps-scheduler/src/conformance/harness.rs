//! What a scheduler lends the suite, so that it can be tried.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use super::Subject;
use crate::scheduler::{Scheduler, Watch};
use crate::{Cancel, Plan};

/// The scheduler as another program has it, made in that program's thread.
pub type Another = Box<dyn FnOnce() -> Box<dyn Scheduler> + Send>;

/// What the suite needs of a scheduler, whose app [`super::app`] can be deployed.
pub trait Harness {
    /// The scheduler.
    fn scheduler(&self) -> &dyn Scheduler;

    /// A release whose instances come up and run until they are told to end.
    fn good(&self) -> Subject;

    /// One from the same source whose instances end, or are not ready, before they have passed their gate.
    fn bad(&self) -> Subject;

    /// One that cannot even be tried: its source is not there.
    fn refused(&self) -> Subject;

    /// Each process or container of the app that is alive, whoever recorded it. Called in the middle of a deploy, too.
    fn alive(&self) -> BTreeSet<String>;

    /// The scheduler as another program has it; asked only by [`super::stops`].
    fn another(&self) -> Another {
        unimplemented!("no other program can change the apps of this scheduler")
    }

    /// How long the suite waits for what is to become true.
    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// Carries a plan out until its caller dies at a step, from 0; `false`: it was over before that step. A caller dies without
    /// undoing anything. This one is a panic when it is told what happened for the `step`-th time; a scheduler
    /// that can be cut off more finely does so.
    fn dies_at(&self, plan: &Plan, step: usize) -> bool {
        let told = Cell::new(0);
        let mut say = |_| {
            if told.replace(told.get() + 1) == step {
                resume_unwind(Box::new("the caller dies here"));
            }
        };
        let mut watch = Watch { say: &mut say, cancel: &Cancel::default(), lock: None };
        catch_unwind(AssertUnwindSafe(|| self.scheduler().deploy(plan, &mut watch))).is_err()
    }
}
