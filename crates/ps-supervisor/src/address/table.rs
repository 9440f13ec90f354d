//! The list of instances for `ps-balance`, and the events for which a rollout waits: that a new instance gets
//! connections, and that the last connection of a leaving one has ended. Pure: times are passed in.
//!
//! For example, `web.1@17` starts beside `web.1@16`. It is added to the list, which gets the number 8, and `Admitted`
//! follows once `ps-balance` has confirmed list 8. Then `web.1@16` becomes `drain` in list 9, and `Withdrawn` follows
//! when `ps-balance` reports that it is drained, or when its time is over.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use balance::wire::{Set, Share, State, Wanted};
use ps_rollout::Run;

use crate::run_name::RunName;

/// How long a run that goes out may keep the connections that it has, unless an option says otherwise.
const DRAIN: Duration = Duration::from_secs(30);
/// How long `ps-balance` may take to go by a table, or to say that what was to end has ended.
const ANSWER: Duration = Duration::from_secs(10);

/// The table of instances that `ps-balance` is sent, and the changes that are waited for.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// Grows with each change.
    revision: u64,
    backends: Vec<Wanted>,
    /// By what new connections are shared out among them.
    share: Share,
    /// The table that the living `ps-balance` was sent, and when.
    sent: Option<(u64, Instant)>,
    /// The revision of the table that it has applied.
    applied: Option<u64>,
    /// The numbers of the runs that come in and were admitted.
    admitted: BTreeSet<u64>,
    /// The numbers of the runs that go out and were withdrawn.
    withdrawn: BTreeSet<u64>,
    /// What the living `ps-balance` says to have no connection any more, of those that were withdrawn.
    drained: BTreeSet<String>,
    waits: Vec<Wait>,
    /// Why a table was refused.
    refused: Option<String>,
    /// How long a run that goes out may keep its connections, if a limit is set.
    drain: Option<Duration>,
}

/// Who comes in or goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// A run of this supervisor.
    Run(Run),
    /// An instance of another scheduler, by its id in the table.
    Led(String),
}

#[derive(Debug)]
enum Wait {
    /// Until it gets connections: from this table on, once it is in one.
    Admission { who: Who, from: Option<u64> },
    /// Until it has none any more.
    Drain { who: Who, until: Instant },
}

/// What has come to pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It gets connections.
    Admitted(Who),
    /// It does not get any.
    NotAdmitted {
        /// Who.
        who: Who,
        /// Why, for people.
        reason: String,
    },
    /// It has none any more, or its time is up.
    Withdrawn {
        /// Who.
        who: Who,
        /// Whether its time is up.
        is_late: bool,
    },
}

impl Table {
    /// Another `ps-balance` has been started, which knows nothing.
    pub(crate) fn begin(&mut self) {
        (self.sent, self.applied, self.refused) = (None, None, None);
        self.drained.clear();
    }

    /// A run that goes out from now on keeps its connections for so long.
    pub(crate) fn drains_within(&mut self, limit: Option<Duration>) {
        self.drain = limit;
    }

    fn drain_limit(&self) -> Duration {
        self.drain.unwrap_or(DRAIN)
    }

    /// A run is to get connections.
    pub(crate) fn admit(&mut self, run: Run) {
        self.withdrawn.remove(&run.number);
        self.admitted.insert(run.number);
        self.await_admission(Who::Run(run));
    }

    /// Adds an instance of another scheduler, and waits until it gets connections.
    pub(crate) fn admit_led(&mut self, id: String) {
        self.await_admission(Who::Led(id));
    }

    fn await_admission(&mut self, who: Who) {
        self.drained.remove(&who.id());
        self.waits.retain(|wait| *wait.who() != who);
        self.waits.push(Wait::Admission { who, from: None });
    }

    /// A run got connections already, before this supervisor began.
    pub(crate) fn was_admitted(&mut self, run: &Run) {
        self.admitted.insert(run.number);
    }

    /// A run is to get no more connections, and to keep those that it has as long as the drain limit.
    pub(crate) fn withdraw(&mut self, run: Run, now: Instant) {
        self.admitted.remove(&run.number);
        self.withdrawn.insert(run.number);
        self.await_drain(Who::Run(run), now);
    }

    /// A run goes out that accepts its clients itself: it has none of whom this table knows.
    pub(crate) fn was_withdrawn(&mut self, run: &Run) {
        self.admitted.remove(&run.number);
        self.withdrawn.insert(run.number);
    }

    /// Whether something is still to come in or to go out.
    pub(crate) fn awaits_any(&self) -> bool {
        !self.waits.is_empty()
    }

    /// Whether there is an instance that new connections are to be handed to, now or when it is ready again.
    pub(crate) fn leads_to_any(&self) -> bool {
        self.backends.iter().any(|backend| backend.state == State::Ready)
    }

    /// Withdraws an instance of another scheduler.
    pub(crate) fn withdraw_led(&mut self, id: String, now: Instant) {
        self.await_drain(Who::Led(id), now);
    }

    fn await_drain(&mut self, who: Who, now: Instant) {
        self.waits.retain(|wait| *wait.who() != who);
        self.waits.push(Wait::Drain { who, until: now + self.drain_limit() + ANSWER });
    }

    /// Whether an instance of another scheduler still has to come in or to lose its connections.
    pub(crate) fn awaits_led(&self) -> bool {
        self.waits.iter().any(|wait| matches!(wait.who(), Who::Led(_)))
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
    pub(crate) fn update(&mut self, backends: Vec<Wanted>) {
        let is_change = self.backends != backends;
        self.revision += u64::from(is_change || self.revision == 0);
        self.backends = backends;
        for wait in &mut self.waits {
            if let Wait::Admission { from, .. } = wait {
                from.get_or_insert(self.revision);
            }
        }
    }

    /// By this, new connections are shared out from now on.
    pub(crate) fn share_by(&mut self, share: Share) {
        self.revision += u64::from(self.share != share);
        self.share = share;
    }

    /// The table, if the living `ps-balance` was not sent it.
    pub(crate) fn untold(&mut self, now: Instant) -> Option<Set> {
        if self.revision == 0 || self.sent.is_some_and(|(sent, _)| sent == self.revision) {
            return None;
        }
        self.sent = Some((self.revision, now));
        let drain_seconds = u32::try_from(self.drain_limit().as_secs()).ok();
        let (revision, share, backends) = (self.revision, self.share, self.backends.clone());
        Some(Set { revision, pause_seconds: None, drain_seconds, share, backends })
    }

    /// Whether `ps-balance` has taken too long to apply the table that it was sent.
    pub(crate) fn is_unanswered(&self, now: Instant) -> bool {
        self.unanswered_until().is_some_and(|until| until <= now)
    }

    fn unanswered_until(&self) -> Option<Instant> {
        let (sent, at) = self.sent?;
        (self.applied != Some(sent) && self.refused.is_none()).then_some(at + ANSWER)
    }

    /// Notes that `ps-balance` has applied this table.
    pub(crate) fn applied(&mut self, revision: u64) {
        (self.applied, self.refused) = (Some(revision), None);
    }

    /// `ps-balance` says that this run has no connection any more.
    pub(crate) fn drained(&mut self, id: String) {
        self.drained.insert(id);
    }

    /// `ps-balance` does not go by a table.
    pub(crate) fn refused(&mut self, reason: String) {
        self.refused = Some(reason);
    }

    /// When something settles, if nothing is heard before.
    pub(crate) fn due(&self) -> Option<Instant> {
        let until = |wait: &Wait| match wait {
            Wait::Admission { .. } => None,
            Wait::Drain { until, .. } => Some(*until),
        };
        self.waits.iter().filter_map(until).chain(self.unanswered_until()).min()
    }

    /// The changes that have been completed since the last call. If no `ps-balance` lives, all of them are complete: there are no
    /// connections, and the next `ps-balance` starts with the current table.
    pub(crate) fn settle(&mut self, now: Instant, is_balanced: bool) -> Vec<Settled> {
        let (applied, drained, refused) = (self.applied, &self.drained, self.refused.clone());
        let is_settled = |wait: &mut Wait| match wait {
            Wait::Admission { from, .. } => {
                let goes_by = |from| applied.is_some_and(|applied| applied >= from);
                from.is_some_and(|from| !is_balanced || refused.is_some() || goes_by(from))
            }
            Wait::Drain { who, until } => !is_balanced || drained.contains(&who.id()) || *until <= now,
        };
        let settled = self.waits.extract_if(.., is_settled);
        let settled = settled.map(|wait| match wait {
            Wait::Admission { who, .. } => match refused.clone().filter(|_| is_balanced) {
                Some(reason) => Settled::NotAdmitted { who, reason },
                None => Settled::Admitted(who),
            },
            Wait::Drain { who, .. } => {
                let is_late = is_balanced && !drained.contains(&who.id());
                Settled::Withdrawn { who, is_late }
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
    fn who(&self) -> &Who {
        match self {
            Self::Admission { who, .. } | Self::Drain { who, .. } => who,
        }
    }
}

impl Who {
    /// What it is called to `ps-balance`.
    fn id(&self) -> String {
        match self {
            Self::Run(run) => id(run),
            Self::Led(id) => id.clone(),
        }
    }
}

/// What a run is called to `ps-balance`.
pub(crate) fn id(run: &Run) -> String {
    RunName { slot: run.slot.clone(), number: run.number }.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(number: u64) -> Run {
        Run { slot: "web.1".parse().expect("a slot"), number }
    }

    fn backend(number: u64) -> Wanted {
        let address = format!("127.0.0.1:{}", 20_000 + number).parse().expect("an address");
        Wanted { id: id(&run(number)), address, weight: 100, state: State::Ready, release: Some(number) }
    }

    fn told(table: &mut Table) -> Option<(u64, usize)> {
        table.untold(Instant::now()).map(|set| (set.revision, set.backends.len()))
    }

    #[test]
    fn a_run_is_admitted_once_a_table_with_it_is_gone_by_and_not_before() {
        let (mut table, now) = (Table::default(), Instant::now());
        table.update(vec![backend(16)]);
        assert_eq!(told(&mut table), Some((1, 1)));
        assert_eq!(told(&mut table), None, "it was told");
        table.applied(1);
        table.admit(run(17));
        assert_eq!(table.settle(now, true), [], "no table has it");
        table.update(vec![backend(16), backend(17)]);
        assert_eq!(told(&mut table), Some((2, 2)));
        assert_eq!(table.settle(now, true), []);
        table.applied(1);
        assert_eq!(table.settle(now, true), [], "an earlier table");
        table.applied(2);
        assert_eq!(table.settle(now, true), [Settled::Admitted(Who::Run(run(17)))]);
        assert_eq!(table.settle(now, true), [], "it is said once");
    }

    #[test]
    fn a_run_is_withdrawn_when_it_is_drained_or_long_after_its_time_is_up_and_then_that_is_said() {
        let now = Instant::now();
        let until = now + DRAIN + ANSWER;
        let mut table = Table::default();
        table.withdraw(run(16), now);
        table.withdraw(run(15), now);
        assert!(table.is_withdrawn(16) && !table.is_admitted(16));
        assert_eq!((table.settle(now, true), table.due()), (vec![], Some(until)));
        table.drained(id(&run(16)));
        assert_eq!(table.settle(now, true), [Settled::Withdrawn { who: Who::Run(run(16)), is_late: false }]);
        assert_eq!(table.settle(until, true), [Settled::Withdrawn { who: Who::Run(run(15)), is_late: true }]);
        assert_eq!(table.due(), None);
        table.retain(|_| false);
        assert!(!table.is_withdrawn(16));
    }

    #[test]
    fn a_table_that_is_refused_admits_nobody_and_one_that_is_not_answered_is_noticed() {
        let (mut table, now) = (Table::default(), Instant::now());
        table.admit(run(17));
        table.update(vec![backend(17)]);
        assert!(!table.is_unanswered(now + 2 * ANSWER), "it was not sent");
        assert_eq!(table.untold(now).map(|set| set.revision), Some(1));
        assert!(!table.is_unanswered(now) && table.is_unanswered(now + ANSWER));
        table.refused("no".to_owned());
        assert!(!table.is_unanswered(now + ANSWER));
        let reason = "no".to_owned();
        assert_eq!(table.settle(now, true), [Settled::NotAdmitted { who: Who::Run(run(17)), reason }]);
    }

    #[test]
    fn where_no_ps_balance_lives_nothing_is_waited_for_and_the_next_one_is_told_everything() {
        let (mut table, now) = (Table::default(), Instant::now());
        table.admit(run(17));
        table.withdraw(run(16), now);
        table.update(vec![backend(17)]);
        assert_eq!(
            table.settle(now, false),
            [
                Settled::Admitted(Who::Run(run(17))),
                Settled::Withdrawn { who: Who::Run(run(16)), is_late: false }
            ]
        );
        assert_eq!(told(&mut table), Some((1, 1)));
        table.begin();
        assert_eq!(told(&mut table), Some((1, 1)), "it is another one");
    }

    #[test]
    fn an_instance_that_somebody_else_keeps_is_waited_for_by_its_own_name() {
        let (mut table, now) = (Table::default(), Instant::now());
        let led = || "web.1@17".to_owned();
        table.withdraw(run(17), now);
        table.admit_led(led());
        assert!(table.awaits_led());
        table.update(vec![backend(17)]);
        table.applied(1);
        assert_eq!(table.settle(now, true), [Settled::Admitted(Who::Led(led()))], "not the run of that name");
        table.withdraw_led(led(), now);
        table.drained(led());
        let both = [Who::Run(run(17)), Who::Led(led())];
        assert_eq!(table.settle(now, true), both.map(|who| Settled::Withdrawn { who, is_late: false }));
        assert!(!table.awaits_led());
    }

    #[test]
    fn how_connections_are_shared_out_is_told_with_the_list_and_again_when_that_changes() {
        let mut table = Table::default();
        table.share_by(Share::Load);
        table.update(vec![backend(16)]);
        let told = |table: &mut Table| table.untold(Instant::now()).map(|set| (set.revision, set.share));
        assert_eq!(told(&mut table), Some((1, Share::Load)));
        for (share, expected) in [(Share::Count, Some((2, Share::Count))), (Share::Count, None)] {
            table.share_by(share);
            table.update(vec![backend(16)]);
            assert_eq!(told(&mut table), expected);
        }
    }

    #[test]
    fn one_that_is_to_come_in_again_is_waited_for_anew() {
        let (mut table, now) = (Table::default(), Instant::now());
        table.update(vec![backend(16)]);
        table.applied(1);
        table.withdraw(run(16), now);
        table.admit(run(16));
        table.update(vec![backend(16)]);
        assert_eq!(table.settle(now, true), [Settled::Admitted(Who::Run(run(16)))]);
    }
}
