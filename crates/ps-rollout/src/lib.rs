#![doc = include_str!("../README.md")]

mod advance;
mod canary;
mod errand;
mod event;
mod life;
mod order;
mod outcome;
mod plan;
mod resume;
mod rollout;
mod run;
mod seat;
mod stage;
mod turn;
mod waiting;

pub use canary::{Canary, Finding, Side, Tally, Verdict};
pub use event::{Action, Condition, Event, Observed};
pub use outcome::{Cause, Failure, Fate, Outcome};
pub use plan::{Change, Plan, Present, Rules, Strategy, TypePlan};
pub use rollout::Rollout;
pub use run::{HIGHEST_NUMBER, Lane, Revision, Role, Run};
pub use stage::State;
