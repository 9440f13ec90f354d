//! The run beside the one that fills a seat, as a rollout orders it.

use std::sync::Arc;

use ps_rollout::{Role, Side};

use super::directories::directory_now;
use super::{Order, Seat};
use crate::current::Current;
use crate::means::Means;
use crate::news::News;
use crate::restart::Deaths;
use crate::run::{Cause, Obstacle, Run};
use crate::seat_table::{Aside, Beside, Event};
use crate::status::{Status, now};

impl Seat {
    /// Starts a run beside the current one. The result is an event for the rollout.
    pub(crate) fn replace(&mut self, order: &Order<'_>, means: &mut Means) {
        let number = order.number;
        let live = self.runs().find(|run| run.number() == number && run.state().is_live());
        let in_the_way = self.beside.as_ref().filter(|beside| beside.state().is_live());
        if live.is_some() {
            means.news.tell(News::Started, &self.slot, number);
        } else if let Some(beside) = in_the_way {
            let reason = format!("{}@{} is still beside it", self.slot, beside.number());
            means.news.tell(News::Refused(reason), &self.slot, number);
        } else {
            self.forget_beside(means);
            self.go(Event::Replace, Some(order), means);
        }
    }

    /// The run beside, if it has that number, is compared with runs of another revision, or no longer.
    pub(crate) fn compares(&mut self, number: u64, side: Option<Side>) {
        if let Some(beside) = self.beside.as_mut().filter(|beside| beside.number() == number) {
            beside.status.compared = side;
        }
    }

    /// Ends the run of that number, and stops the restart policy from starting another in its place. The rollout gets an
    /// event when it has ended.
    pub(crate) fn end(&mut self, number: u64, means: &mut Means) {
        let is_beside = self.beside.as_ref().is_some_and(|beside| beside.number() == number);
        if is_beside && self.side != Beside::Nobody {
            return self.handle(Event::Dismiss, means);
        }
        if !is_beside && number == self.known {
            self.handle(Event::Retire, means);
            if self.held.is_occupied() {
                // If the run has died by itself, the event follows when its tree is empty.
                if let Some(current) = self.current.run_mut() {
                    current.cause = Some(Cause::Asked);
                }
                return;
            }
        }
        means.news.tell(News::Ended, &self.slot, number);
    }

    /// Makes the run of that number the current one, and the current one the run beside; whether there was such a run.
    pub(crate) fn promote(&mut self, number: u64, means: &mut Means) -> bool {
        if self.beside.as_ref().is_some_and(|beside| beside.number() == number) {
            self.handle(Event::Promote, means);
        }
        self.known == number
    }

    /// Removes the files of the run beside, if it has that number and has ended.
    pub(crate) fn forget_run(&mut self, number: u64, means: &mut Means) {
        if self.beside.as_ref().is_some_and(|beside| beside.number() == number) {
            self.forget_beside(means);
        }
    }

    pub(super) fn forget_beside(&mut self, means: &mut Means) {
        if let Some(mut beside) = self.beside.take_if(|beside| !beside.state().is_live()) {
            beside.clear_away(means);
        }
    }

    pub(super) fn act_beside(
        &mut self,
        aside: Aside,
        order: Option<&Order<'_>>,
        means: &mut Means,
    ) -> Vec<Event> {
        match aside {
            Aside::Nothing => Vec::new(),
            Aside::Bring => order.map_or_else(|| vec![Event::Gone], |order| self.bring(order, means)),
            Aside::End => match self.beside.as_mut().map(|beside| beside.end(means)) {
                Some(true) => Vec::new(),
                Some(false) | None => vec![Event::Gone],
            },
            Aside::Swap => self.swap(means),
        }
    }

    #[inline(never)]
    fn bring(&mut self, order: &Order<'_>, means: &mut Means) -> Vec<Event> {
        let number = order.number;
        means.numbers.pass(number);
        let mut status = Box::new(Status::nothing(&self.slot, now()));
        (status.run, status.log, status.lane) = (number, number, order.lane);
        status.role = Some(Role::Incoming);
        let mut run = Run::new(&self.directory, status, means);
        run.terms = Some(Arc::clone(order.terms));
        let spec = order.spec.at(&directory_now(order.spec));
        // It is in `rollout.json` that it was to be started.
        let news = match run.start(&spec, means, &mut |_, _| ()) {
            Ok(()) => News::Started,
            Err(Obstacle::Place(reason) | Obstacle::Refused(reason)) => News::Refused(reason),
        };
        let is_live = run.state().is_live();
        if !is_live {
            run.end(means);
        }
        self.beside = Some(run);
        means.news.tell(news, &self.slot, number);
        if is_live { Vec::new() } else { vec![Event::Gone] }
    }

    /// The counts of the slot go on with the run that was promoted.
    fn carry_counts(&mut self) {
        if let (Some(current), Some(before)) = (self.current.run_mut(), &self.beside) {
            current.status.restarts_by_reason = before.status.restarts_by_reason;
            current.status.oom_kills += before.status.oom_kills;
        }
    }

    /// Exchanges the two runs. Events that each run has had already are repeated for the table that is responsible for it
    /// now.
    #[inline(never)]
    fn swap(&mut self, means: &mut Means) -> Vec<Event> {
        let Some(mut promoted) = self.beside.take() else { return vec![Event::Gone] };
        promoted.terms = None;
        promoted.status.deaths = Deaths::default();
        promoted.status.compared = None;
        self.known = promoted.number();
        self.beside = match std::mem::replace(&mut self.current, Current::Run(promoted)) {
            Current::Run(before) => Some(before),
            Current::Vacant(_) => None,
        };
        self.carry_counts();
        let is_gone = self.beside.as_ref().is_none_or(|beside| !beside.state().is_live());
        self.forget_beside(means);
        self.go_on_asking(means);
        let promoted = self.current.run();
        let died = match promoted.and_then(|run| run.cause) {
            Some(Cause::ByItself(decision)) => Some(Event::Died(decision)),
            Some(Cause::Asked | Cause::Failed(_)) | None => None,
        };
        let empty = promoted.is_some_and(|run| !run.state().is_live()).then_some(Event::Empty);
        [is_gone.then_some(Event::Gone), died, empty].into_iter().flatten().collect()
    }
}
