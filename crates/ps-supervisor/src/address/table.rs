//! Which instances `ps-balance` is told of, and what a rollout waits for: that one which comes in gets connections, and that the last
//! connection of one which goes out has ended. Pure: times come in.
//!
//! For example, `web.1@17` comes in beside `web.1@16`. It is added to the table, which gets the number 8, and `Admitted` follows once
//! `ps-balance` says that it goes by the table 8. Then `web.1@16` becomes `drain` in the table 9, and `Withdrawn` follows when
//! `ps-balance` says that it is drained, or when its time is up.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ps_rollout::Run;

use super::protocol::{Backend, Say};
use crate::run_name::RunName;

/// How long before the time of a run is up its connections are counted, so that those can be named that outlive it.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// What `ps-balance` is told, and what is waited for.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Grows with each change.
    revision: u64,
    backends: Vec<Backend>,
    /// The table that the living `ps-balance` was sent.
    sent: Option<u64>,
    /// The table that it goes by.
    applied: Option<u64>,
    /// The numbers of the runs that come in and were admitted.
    admitted: BTreeSet<u64>,
    /// The numbers of the runs that go out and were withdrawn.
    withdrawn: BTreeSet<u64>,
    /// What the living `ps-balance` says to have no connection any more, of those that were withdrawn.
    drained: BTreeSet<String>,
    waits: Vec<Wait>,
}

#[derive(Debug)]
enum Wait {
    /// Until the run gets connections: from this table on, once it is in one.
    Admission { run: Run, from: Option<u64> },
    /// Until the run has none any more.
    Drain { run: Run, until: Instant, is_counted: bool },
}

/// What has come to pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// A run gets connections.
    Admitted(Run),
    /// A run has none any more, or its time is up.
    Withdrawn {
        /// The run.
        run: Run,
        /// Whether its time is up.
        is_late: bool,
    },
}

impl Table {
    /// Another `ps-balance` has been started, which knows nothing.
    pub(crate) fn begin(&mut self) {
        (self.sent, self.applied) = (None, None);
        self.drained.clear();
    }

    /// A run is to get connections.
    pub(crate) fn admit(&mut self, run: Run) {
        self.withdrawn.remove(&run.number);
        self.admitted.insert(run.number);
        self.waits.retain(|wait| *wait.run() != run);
        self.waits.push(Wait::Admission { run, from: None });
    }

    /// A run got connections already, before this supervisor began.
    pub(crate) fn was_admitted(&mut self, run: &Run) {
        self.admitted.insert(run.number);
    }

    /// A run is to get no more connections, and to keep those that it has until this time.
    pub(crate) fn withdraw(&mut self, run: Run, until: Instant) {
        self.admitted.remove(&run.number);
        self.withdrawn.insert(run.number);
        self.waits.retain(|wait| *wait.run() != run);
        self.waits.push(Wait::Drain { run, until, is_counted: false });
    }

    /// Whether a run that comes in was admitted.
    pub(crate) fn is_admitted(&self, number: u64) -> bool {
        self.admitted.contains(&number)
    }

    /// Whether a run that goes out was withdrawn.
    pub(crate) fn is_withdrawn(&self, number: u64) -> bool {
        self.withdrawn.contains(&number)
    }

    /// These instances there are now.
    pub(crate) fn update(&mut self, backends: Vec<Backend>) {
        let is_change = self.backends != backends;
        self.revision += u64::from(is_change || self.revision == 0);
        self.backends = backends;
        for wait in &mut self.waits {
            if let Wait::Admission { from, .. } = wait {
                from.get_or_insert(self.revision);
            }
        }
    }

    /// The table, if the living `ps-balance` was not sent it.
    pub(crate) fn untold(&mut self) -> Option<Say<'_>> {
        let is_untold = self.revision > 0 && self.sent.replace(self.revision) != Some(self.revision);
        is_untold.then_some(Say::Set {
            revision: self.revision,
            pause_seconds: None,
            backends: &self.backends,
        })
    }

    /// `ps-balance` goes by this table.
    pub(crate) fn applied(&mut self, revision: u64) {
        self.applied = Some(revision);
    }

    /// `ps-balance` says that this run has no connection any more.
    pub(crate) fn drained(&mut self, id: String) {
        self.drained.insert(id);
    }

    /// When something settles, if nothing is heard before.
    pub(crate) fn due(&self) -> Option<Instant> {
        let until = |wait: &Wait| match wait {
            Wait::Admission { .. } => None,
            Wait::Drain { until, is_counted: true, .. } => Some(*until),
            Wait::Drain { until, is_counted: false, .. } => until.checked_sub(LAST_LOOK),
        };
        self.waits.iter().filter_map(until).min()
    }

    /// Whether the connections are to be counted now, because the time of a run is up soon. Said once.
    pub(crate) fn is_to_count(&mut self, now: Instant) -> bool {
        let mut is_due = false;
        for wait in &mut self.waits {
            if let Wait::Drain { until, is_counted, .. } = wait
                && !*is_counted
                && *until <= now + LAST_LOOK
            {
                (*is_counted, is_due) = (true, true);
            }
        }
        is_due
    }

    /// What has come to pass since the last call. Where no `ps-balance` lives, nobody has a connection, and the next one goes by this
    /// table from its start.
    pub(crate) fn settle(&mut self, now: Instant, is_balanced: bool) -> Vec<Settled> {
        let (applied, drained) = (self.applied, &self.drained);
        let is_settled = |wait: &mut Wait| match wait {
            Wait::Admission { from, .. } => {
                from.is_some_and(|from| !is_balanced || applied.is_some_and(|applied| applied >= from))
            }
            Wait::Drain { run, until, .. } => !is_balanced || drained.contains(&id(run)) || *until <= now,
        };
        let settled = self.waits.extract_if(.., is_settled);
        let settled = settled.map(|wait| match wait {
            Wait::Admission { run, .. } => Settled::Admitted(run),
            Wait::Drain { run, .. } => {
                let is_late = is_balanced && !drained.contains(&id(&run));
                Settled::Withdrawn { run, is_late }
            }
        });
        settled.collect()
    }

    /// Forgets what it knew of runs that are not there any more.
    pub(crate) fn retain(&mut self, is_there: impl Fn(u64) -> bool) {
        self.admitted.retain(|number| is_there(*number));
        self.withdrawn.retain(|number| is_there(*number));
        if self.withdrawn.is_empty() {
            self.drained.clear();
        }
    }
}

impl Wait {
    fn run(&self) -> &Run {
        match self {
            Self::Admission { run, .. } | Self::Drain { run, .. } => run,
        }
    }
}

/// What a run is called to `ps-balance`.
pub(crate) fn id(run: &Run) -> String {
    RunName { slot: run.slot.clone(), number: run.number }.to_string()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::protocol::Condition;
    use super::*;

    fn run(number: u64) -> Run {
        Run { slot: "web.1".parse().expect("a slot"), number }
    }

    fn backend(number: u64, state: Condition) -> Backend {
        let address = format!("127.0.0.1:{}", 20_000 + number).parse().expect("an address");
        Backend { id: id(&run(number)), address, weight: 100, state, release: number }
    }

    fn told(table: &mut Table) -> Option<(u64, usize)> {
        table.untold().map(|say| match say {
            Say::Set { revision, backends, .. } => (revision, backends.len()),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_run_is_admitted_once_a_table_with_it_is_gone_by_and_not_before() {
        let (mut table, now) = (Table::default(), Instant::now());
        table.update(vec![backend(16, Condition::Ready)]);
        assert_eq!(told(&mut table), Some((1, 1)));
        assert_eq!(told(&mut table), None, "it was told");
        table.applied(1);
        table.admit(run(17));
        assert_eq!(table.settle(now, true), [], "no table has it");
        table.update(vec![backend(16, Condition::Ready), backend(17, Condition::Ready)]);
        assert_eq!(told(&mut table), Some((2, 2)));
        assert_eq!(table.settle(now, true), []);
        table.applied(1);
        assert_eq!(table.settle(now, true), [], "an earlier table");
        table.applied(2);
        assert_eq!(table.settle(now, true), [Settled::Admitted(run(17))]);
        assert_eq!(table.settle(now, true), [], "it is said once");
    }

    #[test]
    fn a_run_is_withdrawn_when_it_is_drained_or_its_time_is_up_and_then_that_is_said() {
        let now = Instant::now();
        let until = now + Duration::from_secs(30);
        let mut table = Table::default();
        table.withdraw(run(16), until);
        table.withdraw(run(15), until);
        assert!(table.is_withdrawn(16) && !table.is_admitted(16));
        assert_eq!((table.settle(now, true), table.due()), (vec![], Some(until - LAST_LOOK)));
        assert_eq!([now, until, until].map(|now| table.is_to_count(now)), [false, true, false]);
        assert_eq!(table.due(), Some(until));
        table.drained(id(&run(16)));
        assert_eq!(table.settle(now, true), [Settled::Withdrawn { run: run(16), is_late: false }]);
        assert_eq!(table.settle(until, true), [Settled::Withdrawn { run: run(15), is_late: true }]);
        assert_eq!(table.due(), None);
        table.retain(|_| false);
        assert!(!table.is_withdrawn(16));
    }

    #[test]
    fn where_no_ps_balance_lives_nothing_is_waited_for_and_the_next_one_is_told_everything() {
        let (mut table, now) = (Table::default(), Instant::now());
        table.admit(run(17));
        table.withdraw(run(16), now + Duration::from_secs(30));
        table.update(vec![backend(17, Condition::Ready)]);
        assert_eq!(
            table.settle(now, false),
            [Settled::Admitted(run(17)), Settled::Withdrawn { run: run(16), is_late: false }]
        );
        assert_eq!(told(&mut table), Some((1, 1)));
        table.begin();
        assert_eq!(told(&mut table), Some((1, 1)), "it is another one");
    }

    #[test]
    fn one_that_is_to_come_in_again_is_waited_for_anew() {
        let (mut table, now) = (Table::default(), Instant::now());
        table.update(vec![backend(16, Condition::Ready)]);
        table.applied(1);
        table.withdraw(run(16), now);
        table.admit(run(16));
        table.update(vec![backend(16, Condition::Ready)]);
        assert_eq!(table.settle(now, true), [Settled::Admitted(run(16))]);
    }
}
