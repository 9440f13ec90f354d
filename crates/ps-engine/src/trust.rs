//! How long to wait for an answer of the engine. Every call has a deadline. After an engine has failed to answer in time, the
//! following calls get less time. So a verb returns soon after the first deadline, however many calls it still has to make. The
//! first answer restores the usual deadlines.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an engine that has missed a deadline is given for all further calls together, counted from that deadline.
const IN_DOUBT: Duration = Duration::from_millis(700);
/// After this long the engine may have been restarted, and gets the usual deadlines again.
const FORGIVEN: Duration = Duration::from_secs(10);

/// The deadlines that one engine has missed lately.
#[derive(Debug, Default)]
pub(crate) struct Trust(Mutex<Missed>);

#[derive(Debug, Default)]
struct Missed {
    /// The first miss of any call since the last answer: when, and what the engine was asked.
    any: Option<(Instant, &'static str)>,
    /// The misses by kind of call, each since the last answer to a call of that kind. The engine may answer other kinds.
    of_kind: BTreeMap<&'static str, Instant>,
}

impl Trust {
    /// How long an answer may take that usually comes within `usual`.
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

    /// Records that the engine answered, whatever the answer was.
    pub(crate) fn answered(&self, asked: &'static str) {
        let mut missed = self.missed();
        missed.any = None;
        missed.of_kind.remove(asked);
    }

    /// Records that the engine did not answer in time. Returns the call with which it began not to answer.
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
        // If another thread panicked, each of the two times is still valid by itself.
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
