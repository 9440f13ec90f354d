//! With a clock that the test moves, every death, delay and decision can be predicted.

use type_settings::Setting;

use super::*;

const BRIEF: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(3600);
/// The jitter that leaves a delay unchanged.
const MIDDLE: u64 = 100;
const BAD: Option<Exit> = Some(Exit::Signal(9));
const GOOD: Option<Exit> = Some(Exit::Code(0));

/// A seat with a clock of its own.
struct Simulated {
    deaths: Deaths,
    policy: RestartPolicy,
    settings: TypeSettings,
    now: Duration,
}

impl Simulated {
    fn new(policy: &str, texts: &[(&str, &str)]) -> Self {
        let mut settings = TypeSettings::default();
        for (name, text) in texts {
            assert!(Setting::named(name).is_some_and(|setting| setting.take(text, &mut settings)), "{name}");
        }
        let policy = policy.parse().expect("a policy");
        Self { deaths: Deaths::default(), policy, settings, now: Duration::from_secs(77) }
    }

    /// An instance lives for `lifetime` and ends. Returns the decision and the delay before the next start; the clock
    /// advances by both.
    fn dies(&mut self, lifetime: Duration, exit: Option<Exit>) -> (AfterDeath, Duration) {
        self.now += lifetime;
        let death = Death { lifetime, at: self.now, exit, is_job: false, why: None };
        let decision = self.deaths.judge(&death, Rules { policy: self.policy, settings: &self.settings });
        let delay = self.deaths.delay(&self.settings, MIDDLE);
        self.deaths.wait_until(Some(self.now + delay));
        assert_eq!(self.deaths.waits(self.now), Some(delay));
        self.now += delay;
        assert_eq!(self.deaths.waits(self.now), Some(Duration::ZERO));
        (decision, delay)
    }
}

#[test]
fn ten_thousand_deaths_follow_the_schedule_to_the_millisecond() {
    let mut seat = Simulated::new("always", &[]);
    let begin = seat.now;
    let mut starts_in_ten_minutes = 0;
    let mut elapsed = Duration::ZERO;
    for n in 1..=10_000_u32 {
        let delay = Duration::from_millis(100_u64.saturating_mul(1 << (n - 1).min(16)).min(60_000));
        assert_eq!(seat.dies(BRIEF, BAD), (AfterDeath::Again, delay), "death {n}");
        elapsed += BRIEF + delay;
        assert_eq!(seat.now, begin + elapsed);
        starts_in_ten_minutes += u32::from(elapsed <= Duration::from_secs(600));
    }
    assert_eq!(starts_in_ten_minutes, 18);
    assert_eq!(elapsed, Duration::from_millis(102_300 + 9_990 * 60_000 + 10_000 * 5));
}

#[test]
fn after_a_stable_life_there_is_no_delay_and_what_was_counted_is_forgotten() {
    let mut seat = Simulated::new("always", &[]);
    assert_eq!(seat.dies(LONG, BAD), (AfterDeath::Again, Duration::ZERO));
    let delays: Vec<u128> = (0..4).map(|_| seat.dies(BRIEF, BAD).1.as_millis()).collect();
    assert_eq!(delays, [100, 200, 400, 800]);
    assert_eq!(seat.dies(Duration::from_secs(10), GOOD).1, Duration::ZERO);
    assert_eq!(seat.dies(BRIEF, BAD).1.as_millis(), 100);
}

#[test]
fn jitter_stays_within_a_tenth() {
    let mut seat = Simulated::new("always", &[]);
    seat.dies(BRIEF, BAD);
    for jitter in 0..1000 {
        assert!((90..=110).contains(&seat.deaths.delay(&seat.settings, jitter).as_millis()));
    }
}

#[test]
fn policies_decide_as_documented() {
    for (policy, exit, deaths, decision) in [
        ("no", GOOD, 1, AfterDeath::Rest),
        ("no", BAD, 1, AfterDeath::GiveUp),
        ("always", GOOD, 50, AfterDeath::Again),
        ("unless-stopped", BAD, 50, AfterDeath::Again),
        ("on-failure", GOOD, 1, AfterDeath::Rest),
        ("on-failure", BAD, 50, AfterDeath::Again),
        ("on-failure:2", BAD, 2, AfterDeath::Again),
        ("on-failure:2", BAD, 3, AfterDeath::GiveUp),
        ("on-failure:2", None, 3, AfterDeath::GiveUp),
    ] {
        let mut seat = Simulated::new(policy, &[]);
        let last = (0..deaths).map(|_| seat.dies(BRIEF, exit).0).last();
        assert_eq!(last, Some(decision), "{policy} {exit:?} {deaths}");
    }
}

#[test]
fn ends_that_the_app_calls_a_success_are_one() {
    let codes = [("success-exit-codes", "3,SIGTERM")];
    for (exit, on_failure, no) in [
        (Exit::Code(0), AfterDeath::Rest, AfterDeath::Rest),
        (Exit::Code(3), AfterDeath::Rest, AfterDeath::Rest),
        (Exit::Signal(15), AfterDeath::Rest, AfterDeath::Rest),
        (Exit::Code(15), AfterDeath::Again, AfterDeath::GiveUp),
        (Exit::Signal(3), AfterDeath::Again, AfterDeath::GiveUp),
    ] {
        assert_eq!(Simulated::new("on-failure", &codes).dies(BRIEF, Some(exit)).0, on_failure, "{exit}");
        assert_eq!(Simulated::new("no", &codes).dies(BRIEF, Some(exit)).0, no, "{exit}");
        assert_eq!(Simulated::new("always", &codes).dies(BRIEF, Some(exit)).0, AfterDeath::Again, "{exit}");
    }
}

#[test]
fn ends_that_the_app_calls_a_failure_are_one_whatever_else_is_said_of_them() {
    let codes = [("success-exit-codes", "3,4"), ("failure-exit-codes", "0,4")];
    for (exit, on_failure, no) in [
        (Exit::Code(0), AfterDeath::Again, AfterDeath::GiveUp),
        (Exit::Code(3), AfterDeath::Rest, AfterDeath::Rest),
        (Exit::Code(4), AfterDeath::Again, AfterDeath::GiveUp),
    ] {
        assert_eq!(Simulated::new("on-failure", &codes).dies(BRIEF, Some(exit)).0, on_failure, "{exit}");
        assert_eq!(Simulated::new("no", &codes).dies(BRIEF, Some(exit)).0, no, "{exit}");
    }
}

#[test]
fn more_starts_than_the_limit_within_its_while_are_given_up_and_slow_ones_never() {
    let mut seat = Simulated::new("always", &[("start-limit", "3/1s")]);
    let decisions: Vec<AfterDeath> = (0..4).map(|_| seat.dies(BRIEF, BAD).0).collect();
    assert_eq!(decisions, [AfterDeath::Again, AfterDeath::Again, AfterDeath::Again, AfterDeath::GiveUp]);
    let mut seat = Simulated::new("always", &[("start-limit", "3/1h")]);
    let stable = |minutes: u64| Duration::from_secs(60 * minutes);
    assert!((0..1_000).all(|_| seat.dies(stable(21), BAD).0 == AfterDeath::Again));
    let decisions: Vec<AfterDeath> = (0..3).map(|_| seat.dies(stable(5), BAD).0).collect();
    assert_eq!(decisions[2], AfterDeath::GiveUp, "stable lives count too: {decisions:?}");
}

#[test]
fn an_end_that_nobody_saw_is_a_failure_of_a_service_and_the_end_of_a_job() {
    for (policy, has_finished, expected) in [
        ("no", false, AfterDeath::Rest),
        ("on-failure:10", false, AfterDeath::Again),
        ("on-failure:10", true, AfterDeath::Rest),
        ("always", true, AfterDeath::Again),
        ("unless-stopped", true, AfterDeath::Again),
    ] {
        let policy: RestartPolicy = policy.parse().expect("a policy");
        let death =
            Death { lifetime: BRIEF, at: BRIEF, exit: None, is_job: is_job(policy, has_finished), why: None };
        let settings = TypeSettings::default();
        let decision = Deaths::default().judge(&death, Rules { policy, settings: &settings });
        assert_eq!(decision, expected, "{policy} {has_finished}");
    }
}

#[test]
fn another_supervisor_goes_on_counting_in_the_same_boot_alone() {
    let mut seat = Simulated::new("on-failure:4", &[("start-limit", "9/1h")]);
    seat.deaths = seat.deaths.carried_on("this boot");
    let delays: Vec<u128> = (0..3).map(|_| seat.dies(BRIEF, BAD).1.as_millis()).collect();
    assert_eq!(delays, [100, 200, 400]);
    let written = serde_json::to_string(&seat.deaths).expect("JSON");
    let read: Deaths = serde_json::from_str(&written).expect("JSON");
    assert_eq!(read.clone().carried_on("this boot"), seat.deaths);
    assert!(read.clone().carried_on("another").is_nothing());
    seat.deaths = read.carried_on("this boot");
    assert_eq!(seat.dies(BRIEF, BAD), (AfterDeath::Again, Duration::from_millis(800)));
    assert_eq!(seat.dies(BRIEF, BAD).0, AfterDeath::GiveUp);
    assert!(serde_json::from_str::<Deaths>("{}").expect("JSON").is_nothing());
}

#[test]
fn a_run_by_schedule_is_over_when_it_ended_and_only_its_own_policy_has_it_tried_again() {
    for policy in ["no", "always", "unless-stopped"] {
        for exit in [GOOD, BAD] {
            let mut seat = Simulated::new(policy, &[("schedule", "@daily")]);
            assert_eq!(seat.dies(LONG, exit).0, AfterDeath::Await, "{policy} {exit:?}");
        }
    }
    let mut seat = Simulated::new("on-failure:2", &[("schedule", "@daily")]);
    // Also one that took long before it failed: it is no service that was stable.
    for (verdict, delay) in [(AfterDeath::Again, 100), (AfterDeath::Again, 200)] {
        assert_eq!(seat.dies(LONG, BAD), (verdict, Duration::from_millis(delay)));
    }
    assert_eq!(seat.dies(LONG, BAD).0, AfterDeath::Await);
    let mut seat = Simulated::new("on-failure:2", &[("schedule", "@daily")]);
    assert_eq!(seat.dies(BRIEF, GOOD).0, AfterDeath::Await);
}
