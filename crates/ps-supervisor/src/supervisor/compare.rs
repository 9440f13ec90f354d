//! A canary, in the event loop: sends clients to its runs, asks `ps-balance` for their counts, and drains them before
//! they end.

use std::time::Instant;

use ps_rollout::{Run, Tally};

use super::Supervisor;
use crate::rollout::Step;

impl Supervisor {
    /// Does what is due about the comparison of a rollout.
    pub(super) fn compare(&mut self) {
        let is_counted = self.address.as_ref().is_none_or(|address| !address.count.is_awaited());
        let Some(carried) = &mut self.rollout else { return };
        match (carried.compare(is_counted), &mut self.address) {
            (Step::Nothing, _) => {}
            (Step::LetIn(runs), Some(address)) => {
                for run in &runs {
                    address.table.was_admitted(run);
                }
                self.lead_clients();
            }
            (Step::Look, Some(address)) => {
                if let Some(counted) = address.count.tallies() {
                    carried.look(&counted);
                }
            }
            (Step::Count | Step::CountSoFar, Some(address)) => {
                if address.ask_for_numbers() {
                    address.count.asked();
                }
            }
            (Step::Judge, Some(address)) => {
                let counted = address.count.tallies();
                carried.judge(counted.as_ref().map(|counted| counted as &dyn Fn(&str) -> Tally));
            }
            // Without an address there is no balancer, so there are no numbers to compare.
            (Step::LetIn(_) | Step::Count | Step::CountSoFar | Step::Look | Step::Judge, None) => {
                carried.judge(None);
            }
        }
    }

    /// Has clients led away from a run of the comparison that is to end; whether it ends only then.
    pub(super) fn drains_first(&mut self, run: &Run) -> bool {
        let comparison = self.rollout.as_mut().and_then(|carried| carried.comparison.as_mut());
        let (Some(address), Some(comparison)) = (&mut self.address, comparison) else { return false };
        let drains = address.table.is_admitted(run.number) && comparison.drains(run);
        if drains {
            address.table.withdraw(run.clone(), Instant::now());
        }
        drains
    }

    /// Whether a run from which clients were led away ends now.
    pub(super) fn is_drained(&mut self, run: &Run) -> bool {
        let comparison = self.rollout.as_mut().and_then(|carried| carried.comparison.as_mut());
        comparison.is_some_and(|comparison| comparison.ends(run))
    }
}
