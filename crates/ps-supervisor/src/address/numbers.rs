//! The receipt of a rollout: how many connections went to the earlier runs and to the new ones, and what became of
//! them. Pure: it is given the reports of `ps-balance`.

use std::collections::BTreeMap;

use balance::wire::{Drained, Numbers};
use balance::{Before, Faults, Latencies, Latency, OfRelease, Receipt, Unit};
use ps_rollout::Tally;

/// What is counted of one rollout.
#[derive(Debug, Default)]
pub(crate) struct Count {
    /// What was counted before it began, by run; `None` while that is being asked.
    start: Option<Counted>,
    now: Counted,
    cut: BTreeMap<String, u64>,
    drained: u64,
    /// How many answers are awaited.
    awaited: u32,
    was_lost: bool,
}

#[derive(Clone, Debug, Default)]
struct Counted {
    refused: u64,
    connections: BTreeMap<String, u64>,
    /// The release of each run.
    releases: BTreeMap<String, u64>,
    latency: Latency,
    /// By run, since `ps-balance` was started.
    tallies: BTreeMap<String, Tally>,
    /// By run: how it failed clients.
    faults: BTreeMap<String, Faults>,
}

impl Count {
    /// A rollout begins. `is_asked`: `ps-balance` lives and was asked for its numbers; otherwise it has counted nothing yet.
    pub(crate) fn of_rollout(is_asked: bool) -> Self {
        let start = (!is_asked).then(Counted::default);
        Self { start, awaited: u32::from(is_asked), ..Self::default() }
    }

    /// Another `ps-balance` has begun, which counts from nothing.
    pub(crate) fn begin(&mut self) {
        self.start = Some(Counted::default());
        self.now = Counted::default();
        self.awaited = 0;
    }

    /// It was asked for its numbers.
    pub(crate) fn asked(&mut self) {
        self.awaited += 1;
    }

    /// Whether an answer is awaited.
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited > 0
    }

    /// Its numbers.
    pub(crate) fn heard(&mut self, numbers: Numbers) {
        self.awaited = self.awaited.saturating_sub(1);
        for backend in numbers.backends {
            let tally = Tally {
                asked: backend.connections + backend.failed,
                failed: backend.failed + backend.faults.broken,
            };
            self.now.tallies.insert(backend.id.clone(), tally);
            self.count_faults(&backend.id, backend.faults);
            self.count(backend.id, backend.release, backend.connections);
        }
        self.now.refused = self.now.refused.max(numbers.refused);
        self.now.latency = numbers.latency;
        if self.start.is_none() {
            self.start = Some(self.now.clone());
        }
    }

    /// Counts a run whose last connection has ended, with the number of connections that it had.
    pub(crate) fn drained(&mut self, drained: &Drained) {
        if drained.cut > 0 {
            self.cut.insert(drained.id.clone(), drained.cut);
        }
        self.drained += drained.drained;
        self.count_faults(&drained.id, drained.faults);
        self.count(drained.id.clone(), drained.release, drained.connections);
    }

    fn count_faults(&mut self, id: &str, faults: Faults) {
        let known = self.now.faults.entry(id.to_owned()).or_default();
        *known = known.max(faults);
    }

    fn count(&mut self, id: String, release: Option<u64>, connections: u64) {
        if let Some(release) = release {
            self.now.releases.insert(id.clone(), release);
        }
        let known = self.now.connections.entry(id).or_default();
        *known = connections.max(*known);
    }

    /// Nobody says what became of some connections.
    pub(crate) fn lost(&mut self) {
        self.was_lost = true;
    }

    /// What was counted of a run in its whole life; `None`: some of it is missing.
    pub(crate) fn tallies(&self) -> Option<impl Fn(&str) -> Tally + use<'_>> {
        let tally = |id: &str| self.now.tallies.get(id).copied().unwrap_or_default();
        (!self.was_lost && !self.is_awaited()).then_some(tally)
    }

    /// The receipt of the rollout, of an address where this is counted. `is_new`: whether a run, given by its id, is one of the new ones.
    pub(crate) fn receipt(&self, unit: Unit, is_new: impl Fn(&str) -> bool) -> Receipt {
        let start = self.start.clone().unwrap_or_default();
        let mut receipt = Receipt {
            unit,
            refused: self.now.refused.saturating_sub(start.refused),
            drained: self.drained,
            cut: self.cut.clone(),
            is_whole: !self.was_lost && self.start.is_some(),
            ..Receipt::default()
        };
        let before = start.latency.percentile(99).zip(start.latency.worst());
        let before = before.map(|(p99_us, worst_us)| Before { p99_us, worst_us });
        let worst = self.now.latency.since(&start.latency).worst();
        receipt.latency = worst.map(|worst_us| Latencies { worst_us, before });
        let mut releases: BTreeMap<u64, u64> = BTreeMap::new();
        for (id, connections) in &self.now.connections {
            let since = connections.saturating_sub(start.connections.get(id).copied().unwrap_or(0));
            *(if is_new(id) { &mut receipt.after } else { &mut receipt.before }) += since;
            if let Some(release) = self.now.releases.get(id) {
                *releases.entry(*release).or_default() += since;
            }
        }
        for (id, faults) in &self.now.faults {
            let since = faults.since(start.faults.get(id).copied().unwrap_or_default());
            receipt.broken += since.broken_off();
            receipt.errors += since.errors;
        }
        let of_one = |(release, connections)| OfRelease { release, connections };
        receipt.releases = releases.into_iter().map(of_one).collect();
        receipt
    }
}

#[cfg(test)]
mod tests {
    use balance::wire::BackendNumbers;

    use super::*;

    fn numbers(refused: u64, backends: &[(&str, u64)]) -> Numbers {
        let of_one = |(id, connections): &(&str, u64)| BackendNumbers {
            id: (*id).to_owned(),
            release: Some(if *id == "web.1@1" { 3 } else { 4 }),
            draining: false,
            connections: *connections,
            open: 0,
            failed: 0,
            cut: 0,
            faults: Faults::default(),
            connect_p50_us: None,
            connect_p99_us: None,
        };
        Numbers { refused, backends: backends.iter().map(of_one).collect(), ..Numbers::default() }
    }

    fn drained(id: &str, connections: u64, cut: u64) -> Drained {
        Drained {
            id: id.to_owned(),
            connections,
            drained: 2,
            cut,
            release: Some(3),
            faults: Faults::default(),
        }
    }

    #[test]
    fn what_was_counted_before_the_rollout_is_not_in_its_receipt() {
        let mut count = Count::of_rollout(true);
        assert!(count.is_awaited());
        count.heard(numbers(3, &[("web.1@1", 100)]));
        assert!(!count.is_awaited());
        count.asked();
        count.drained(&drained("web.1@1", 120, 0));
        // What is drained may be missing in later numbers.
        count.heard(numbers(3, &[("web.1@2", 30)]));
        let receipt = count.receipt(Unit::Connections, |id| id == "web.1@2");
        assert_eq!((receipt.before, receipt.after, receipt.refused), (20, 30, 0));
        assert!(receipt.has_none_failed(), "{receipt:?}");
        let releases: Vec<_> = receipt.releases.iter().map(|it| (it.release, it.connections)).collect();
        assert_eq!((releases, receipt.drained), (vec![(3, 20), (4, 30)], 2));
    }

    #[test]
    fn the_worst_latency_is_that_of_the_rollout_and_the_time_before_is_not_known_where_nobody_came() {
        let latency = |counts: &str| serde_json::from_str(counts).expect("counts");
        let waited = |counts: &str| Numbers { latency: latency(counts), ..numbers(0, &[]) };
        let mut count = Count::of_rollout(true);
        count.heard(waited(r#"{"counts":[0,0,0,0,9]}"#));
        count.heard(waited(r#"{"counts":[2,0,0,0,9]}"#));
        let before = Some(Before { p99_us: 3, worst_us: 3 });
        assert_eq!(
            count.receipt(Unit::Connections, |_| true).latency,
            Some(Latencies { worst_us: 2, before })
        );
        let mut count = Count::of_rollout(false);
        assert_eq!(count.receipt(Unit::Connections, |_| true).latency, None);
        count.begin();
        count.heard(waited(r#"{"counts":[0,0,0,0,9]}"#));
        assert_eq!(
            count.receipt(Unit::Connections, |_| true).latency,
            Some(Latencies { worst_us: 3, before: None })
        );
    }

    #[test]
    fn connections_that_outlive_their_time_are_named_with_their_number() {
        let mut count = Count::of_rollout(true);
        count.heard(numbers(0, &[("web.1@1", 5)]));
        count.drained(&drained("web.1@1", 6, 3));
        count.heard(numbers(1, &[("web.1@2", 1)]));
        let receipt = count.receipt(Unit::Connections, |id| id == "web.1@2");
        assert_eq!(receipt.cut, [("web.1@1".to_owned(), 3)].into());
        assert_eq!((receipt.refused, receipt.cut_in_all()), (1, 3));
        assert!(!receipt.has_none_failed());
        assert_eq!(
            receipt.to_string(),
            "connections: 1 to earlier instances, 1 to new ones, 2 drained, 1 refused, 3 cut (web.1@1: 3)"
        );
    }

    #[test]
    fn a_ps_balance_that_ended_in_the_middle_has_lost_connections_and_one_that_began_has_not() {
        let mut count = Count::of_rollout(false);
        count.begin();
        count.heard(numbers(0, &[("web.1@1", 5)]));
        assert!(count.receipt(Unit::Connections, |_| false).has_none_failed());
        count.lost();
        count.begin();
        assert!(!count.receipt(Unit::Connections, |_| false).has_none_failed());
    }

    #[test]
    fn what_the_app_failed_since_the_rollout_began_is_in_the_receipt_by_kind() {
        let failing = |id: &str, broken, errors, unanswered| {
            let mut numbers = numbers(0, &[(id, 100)]);
            numbers.backends[0].faults = Faults { broken, errors, unanswered };
            numbers
        };
        let mut count = Count::of_rollout(true);
        count.heard(failing("web.1@1", 5, 5, 0));
        let faults = Faults { broken: 9, errors: 7, unanswered: 1 };
        count.drained(&Drained { faults, ..drained("web.1@1", 120, 0) });
        count.heard(failing("web.1@2", 30, 30, 0));
        let receipt = count.receipt(Unit::Requests, |id| id == "web.1@2");
        assert_eq!((receipt.unit, receipt.errors, receipt.broken), (Unit::Requests, 32, 1));
    }
}
