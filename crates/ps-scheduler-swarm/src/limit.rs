//! Until when a verb returns, whatever the swarm does. Each wait of a verb has a limit of its own, after which the verb says what did not
//! happen. This limit is around all of them: it is the sum of what they may take. If it passes, what became of the change is unknown, and
//! that is what is said. For example, a manager that answers each request after nine seconds keeps no single limit, but this one.

use std::cell::Cell;
use std::time::{Duration, Instant};

use formation::{AppName, ProcessType};
use ps_rollout::Strategy;
use ps_scheduler::{Error, Plan};

use crate::failed::{unknown, unreachable};
use crate::manager::{AFTER_GRACE, Contact, OF_THE_REPLACED};
use crate::spec::Proof;

/// How long a verb waits at most for managers that do not answer, in all of its requests together: for two elections of a leader, one after
/// the other, and some.
pub(crate) const SILENCE: Duration = Duration::from_secs(120);
/// How long a status takes at most. It changes nothing, so whoever asks can ask again.
const OF_STATUS: Duration = Duration::from_secs(30);

/// What a verb may take, and what it is called.
#[derive(Clone, Debug)]
pub(crate) struct Limit {
    what: String,
    app: AppName,
    within: Duration,
    /// How much of it has been used by what was done within it before.
    used: Cell<Duration>,
}

impl Limit {
    /// That of a verb which waits for this long, beside managers that do not answer. `what` is the subject of a sentence.
    pub(crate) fn of(what: String, app: &AppName, waits: Duration) -> Self {
        Self::within(what, app, waits.saturating_add(SILENCE))
    }

    /// That of a status, which waits for nothing but answers.
    pub(crate) fn of_status(what: &str, app: &AppName) -> Self {
        Self::within(what.to_owned(), app, OF_STATUS)
    }

    /// That of judging a plan that nobody carries out, which waits for nothing but answers.
    pub(crate) fn of_judging(app: &AppName) -> Self {
        Self::of(format!("the judging of what is to become of {app}"), app, Duration::ZERO)
    }

    fn within(what: String, app: &AppName, within: Duration) -> Self {
        Self { what, app: app.clone(), within, used: Cell::default() }
    }

    /// That of carrying a plan out, without its tasks, each of which has its own. The types are brought up together, and those that stop first
    /// one after another. Then either what is not wanted ends, or what was changed is put back.
    pub(crate) fn of_plan(plan: &Plan) -> Self {
        let (mut together, mut one_by_one, mut each) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
        let mut end = AFTER_GRACE;
        for (process_type, rules) in &plan.rules {
            let ends_within = plan.release.grace(process_type).saturating_add(AFTER_GRACE);
            let proof = Proof::of(&plan.release, process_type, rules);
            let up_within = proof.rules.deadline(slots(plan, process_type), plan.release.grace(process_type));
            end = end.max(ends_within);
            each = each.max(up_within);
            if rules.strategy == Strategy::StopFirst {
                one_by_one = one_by_one.saturating_add(ends_within).saturating_add(up_within);
            } else {
                together = together.max(up_within);
            }
            if plan.release.node_port(process_type).is_some() {
                one_by_one = one_by_one.saturating_add(ends_within);
            }
        }
        let back = each.saturating_add(OF_THE_REPLACED).saturating_add(end);
        let after = back.max(end.saturating_mul(2));
        let waits = together.saturating_add(one_by_one).saturating_add(after);
        let verb = if plan.is_deploy { "the deploy" } else { "the change" };
        Self::of(format!("{verb} of {}", plan.release.app), &plan.release.app, waits)
    }

    /// Does it within what is left of the limit. `contact` is that of its requests.
    ///
    /// # Errors
    /// Its own, and after the limit that the verb has not ended. Of a verb that has begun to change something and gets no answer any more, it
    /// says that the result is unknown.
    pub(crate) async fn hold<T>(
        &self,
        contact: &Contact,
        act: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let late = || {
            unreachable(&format!("it takes longer than the {} s that the verb has", self.within.as_secs()))
        };
        let begin = Instant::now();
        let left = self.within.saturating_sub(self.used.get());
        let done = tokio::time::timeout(left, act).await.unwrap_or_else(|_| Err(late()));
        self.used.set(self.used.get().saturating_add(begin.elapsed()));
        let has_begun = contact.has_begun.get();
        done.map_err(|error| if has_begun { unknown(error, &self.what, &self.app) } else { error })
    }
}

/// How many slots of a type a plan is about.
fn slots(plan: &Plan, process_type: &ProcessType) -> u16 {
    let count = plan.steps.iter().filter(|step| step.slot.process_type == *process_type).count();
    count.try_into().unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use ps_engine::Engine;
    use ps_scheduler::Intent;
    use ps_scheduler::conformance::formation;

    use super::*;
    use crate::spec::tests::release;

    const SECOND: Duration = Duration::from_secs(1);

    fn plan(wanted: &[&str], strategy: Strategy) -> Plan {
        let mut plan = Plan::new(release("web"), &formation(wanted), &[], &Intent::Deploy, Strategy::Overlap);
        for rules in plan.rules.values_mut() {
            rules.strategy = strategy;
        }
        plan
    }

    #[test]
    fn what_never_ends_is_unknown_after_the_limit_and_what_ends_says_what_it_says() {
        let engine = Engine::new("/nowhere.sock".into()).expect("a client");
        let app: AppName = "shop".parse().expect("a name");
        let short = || Limit::within("the deploy of shop".into(), &app, Duration::from_millis(20));
        let limit = Limit::of("the deploy of shop".into(), &app, SECOND);
        let begin = Instant::now();
        let contact = Contact::default();
        let never = || engine.run(short().hold(&contact, std::future::pending::<Result<(), Error>>()));
        let said = never().expect_err("it never ends").to_string();
        assert!(!said.contains("unknown"), "nothing was begun: {said}");
        contact.has_begun.set(true);
        let said = never().expect_err("it never ends").to_string();
        assert!(begin.elapsed() < 30 * SECOND, "{:?}", begin.elapsed());
        for words in
            ["unknown: how far the deploy of shop has come", "ask again with ps-lifecycle status shop"]
        {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert_eq!(engine.run(limit.hold(&contact, async { Ok(7) })).expect("it ends"), 7);
        let own = engine.run(limit.hold(&contact, async { Err::<(), Error>(Error::Cancelled) }));
        assert!(matches!(own, Err(Error::Cancelled)));
    }

    #[test]
    fn what_is_done_one_after_another_within_a_limit_has_it_once() {
        let engine = Engine::new("/nowhere.sock".into()).expect("a client");
        let hour = 3600 * SECOND;
        let limit = Limit::within("the deploy of shop".into(), &"shop".parse().expect("a name"), hour);
        let contact = Contact::default();
        let judging = async {
            tokio::time::sleep(SECOND / 100).await;
            Ok(())
        };
        engine.run(limit.hold(&contact, judging)).expect("it ends");
        assert!(limit.used.get() >= SECOND / 100, "{:?}", limit.used);
        limit.used.set(hour);
        let rest = engine.run(limit.hold(&contact, std::future::pending::<Result<(), Error>>()));
        assert!(rest.expect_err("nothing is left of it").to_string().contains("longer than the 3600 s"));
    }

    #[test]
    fn the_limit_is_longer_than_all_that_a_plan_waits_for() {
        let of = |wanted: &[&str], strategy| Limit::of_plan(&plan(wanted, strategy)).within;
        let overlap = plan(&["web=2"], Strategy::Overlap);
        let (process_type, rules) = overlap.rules.first_key_value().expect("a type");
        let grace = overlap.release.grace(process_type);
        let up = Proof::of(&overlap.release, process_type, rules).rules.deadline(2, grace);
        assert_eq!(
            of(&["web=2"], Strategy::Overlap),
            up + up + OF_THE_REPLACED + grace + AFTER_GRACE + SILENCE
        );
        let two = |strategy| of(&["web=2", "worker=2"], strategy);
        assert_eq!(two(Strategy::Overlap), of(&["web=2"], Strategy::Overlap), "they come up together");
        assert!(two(Strategy::StopFirst) > two(Strategy::Overlap) + up, "one after another");
    }
}
