//! What clients of the address have met during a rollout, for its receipt.

use std::time::{Duration, Instant};

use super::Supervisor;
use crate::address::{Address, Count};
use crate::rollout::Carried;
use crate::run_name::RunName;
use crate::spec::Spec;

/// How long the numbers of `ps-balance` are waited for at the end of a rollout.
const COUNTING: Duration = Duration::from_secs(2);

impl Supervisor {
    /// A rollout begins: what is counted from here on is of it.
    pub(super) fn begin_counting(&mut self) {
        self.counts_until = None;
        if let Some(mut address) = self.address.take() {
            if address.seek_now(&self.service) {
                self.watch_balance(&mut address);
            }
            let is_asked = address.ask_for_numbers();
            address.count = Count::of_rollout(is_asked);
            let next = self.rollout.as_ref().map(|carried| &carried.next.spec);
            let all = next.into_iter().chain([&self.means.spec]);
            address.is_uncounted = all.into_iter().any(Spec::leaves_clients_to_instances);
            self.address = Some(address);
        }
    }

    /// The rollout is decided. Once its numbers are there, or do not come, it is over.
    pub(super) fn count_in(&mut self) {
        let is_due = |carried: &Carried| carried.is_decided() && !carried.is_counted;
        if !self.rollout.as_ref().is_some_and(is_due) || self.counts_on() {
            return;
        }
        let Some(carried) = &mut self.rollout else { return };
        carried.is_counted = true;
        let (first, brings_none) = (carried.first_number, carried.fresh.is_empty());
        // Where no run comes in, the app moves to instances elsewhere.
        let is_new_run = |run: RunName| run.number >= first && !carried.is_control(&run.slot);
        let is_new = |id: &str| id.parse::<RunName>().map_or(brings_none, is_new_run);
        let counted = self.address.as_ref().filter(|address| !address.is_uncounted);
        let receipt = counted.map(|address| address.count.receipt(address.unit(), is_new));
        carried.receipt = receipt;
    }

    /// Whether the numbers at the end are still waited for.
    pub(super) fn counts_on(&mut self) -> bool {
        if self.counts_until.is_none() {
            self.counts_until = Some(Instant::now() + COUNTING);
            if let Some(address) = &mut self.address
                && address.ask_for_numbers()
            {
                address.count.asked();
            }
        }
        self.is_counting() && self.counts_until.is_some_and(|until| Instant::now() < until)
    }

    pub(super) fn is_counting(&self) -> bool {
        let is_awaited = |address: &Address| address.balance.is_some() && address.count.is_awaited();
        self.address.as_ref().is_some_and(|address| is_awaited(address))
    }
}
