//! How long an answer of the engine is waited for. Every call has a deadline. An engine that has just failed to answer in time
//! is not waited for as long again, whatever it is asked next: so a verb comes back soon after the first deadline, however many
//! calls it still has to make. The first answer restores full trust.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an engine in doubt is given for all that it is asked, counted from the deadline that it missed.
const IN_DOUBT: Duration = Duration::from_millis(700);
/// After this long it may have been restarted, and is trusted again.
const FORGIVEN: Duration = Duration::from_secs(10);

/// Which deadlines one engine has missed of late.
#[derive(Debug, Default)]
pub(crate) struct Trust(Mutex<Missed>);

#[derive(Debug, Default)]
struct Missed {
    /// Of any call, since the engine answered last: when, and what it was asked then.
    any: Option<(Instant, &'static str)>,
    /// Of this kind of call, since the engine answered one of its kind last: it may answer others.
    of_kind: BTreeMap<&'static str, Instant>,
}

impl Trust {
    /// How long an answer may take that is expected within `usual`.
    pub(crate) fn limit(&self, asked: &'static str, usual: Duration, now: Instant) -> Duration {
        let missed = self.missed();
        let of_kind = missed.of_kind.get(asked).copied();
        let of_any = missed.any.map(|(since, _)| since);
        let ago = of_any.max(of_kind).map(|since| now.saturating_duration_since(since));
        match ago {
            Some(ago) if ago < FORGIVEN => usual.min(IN_DOUBT.saturating_sub(ago)),
            Some(_) | None => usual,
        }
    }

    /// The engine answered, whatever it said.
    pub(crate) fn answered(&self, asked: &'static str) {
        let mut missed = self.missed();
        missed.any = None;
        missed.of_kind.remove(asked);
    }

    /// It did not answer in time. Returns what it was asked when it began not to answer.
    pub(crate) fn was_late(&self, asked: &'static str, now: Instant) -> &'static str {
        let is_recent = |since: Instant| now.saturating_duration_since(since) < FORGIVEN;
        let mut missed = self.missed();
        let first = missed.any.filter(|(since, _)| is_recent(*since)).unwrap_or((now, asked));
        missed.any = Some(first);
        let of_kind = missed.of_kind.get(asked).copied().filter(|since| is_recent(*since)).unwrap_or(now);
        missed.of_kind.insert(asked, of_kind);
        first.1
    }

    fn missed(&self) -> std::sync::MutexGuard<'_, Missed> {
        // What another thread left half changed are times of two kinds, of which each is true.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_secs(10);
    const HEAVY: Duration = Duration::from_secs(60);
    const MOMENT: Duration = Duration::from_millis(100);

    #[test]
    fn an_engine_that_was_late_is_given_a_moment_for_everything_until_it_answers() {
        let (trust, start) = (Trust::default(), Instant::now());
        assert_eq!(trust.limit("list", SHORT, start), SHORT);
        assert_eq!(trust.was_late("list", start), "list");
        assert_eq!(trust.limit("start", HEAVY, start + MOMENT), IN_DOUBT.saturating_sub(MOMENT));
        assert_eq!(trust.was_late("start", start + MOMENT * 5), "list", "with that it began");
        assert_eq!(
            trust.limit("stop", SHORT, start + IN_DOUBT),
            Duration::ZERO,
            "all calls share the moment"
        );
        trust.answered("stop");
        assert_eq!(trust.limit("stop", SHORT, start + IN_DOUBT), SHORT);
    }

    #[test]
    fn an_engine_that_answers_everything_but_one_thing_is_not_waited_for_again_with_that() {
        let (trust, start) = (Trust::default(), Instant::now());
        trust.was_late("remove", start);
        trust.answered("list");
        assert_eq!(trust.limit("list", SHORT, start), SHORT);
        assert_eq!(trust.limit("remove", HEAVY, start + IN_DOUBT), Duration::ZERO);
        trust.answered("remove");
        assert_eq!(trust.limit("remove", HEAVY, start + IN_DOUBT), HEAVY);
    }

    #[test]
    fn after_a_while_it_is_trusted_again_and_may_be_late_again() {
        let (trust, start) = (Trust::default(), Instant::now());
        trust.was_late("list", start);
        let later = start + FORGIVEN;
        assert_eq!(trust.limit("list", SHORT, later), SHORT);
        trust.was_late("list", later);
        assert_eq!(trust.limit("list", SHORT, later + MOMENT), IN_DOUBT.saturating_sub(MOMENT));
    }
}
