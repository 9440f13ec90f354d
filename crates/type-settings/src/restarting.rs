//! The effects of the settings on restarts: delays, limits that could never be reached, and contradictions.

use std::time::Duration;

use crate::settings::TypeSettings;
use crate::value::{Span, Ulimits};

const FIRST_DELAY: Span = Span::millis(100);
const LONGEST_DELAY: Span = Span::millis(60_000);
const STABLE: Span = Span::millis(10_000);

impl TypeSettings {
    /// After how long an instance counts as stable, so that its earlier deaths are forgotten.
    pub fn stable_after(&self) -> Duration {
        self.stable_after.unwrap_or(STABLE).get()
    }

    /// The delay before the next start after this many early deaths in a row; none after 0.
    pub fn delay_after(&self, deaths: u32) -> Duration {
        let first = self.restart_delay.unwrap_or(FIRST_DELAY).get();
        let longest = self.restart_delay_max.unwrap_or(LONGEST_DELAY).get();
        match deaths.checked_sub(1) {
            Some(doublings) => first.saturating_mul(1 << doublings.min(30)).min(longest),
            None => Duration::ZERO,
        }
    }

    /// Which of these settings contradict each other, as a phrase for people; `None` if none do. For example, a limit
    /// of starts that can never be reached because of the delays would have no effect.
    pub fn contradiction(&self) -> Option<String> {
        let first = self.restart_delay.unwrap_or(FIRST_DELAY);
        let longest = self.restart_delay_max.unwrap_or(LONGEST_DELAY);
        if first > longest {
            return Some(format!("restart-delay {first} is longer than restart-delay-max {longest}"));
        }
        if let Some(contradiction) = self.two_limits() {
            return Some(contradiction);
        }
        let limit = self.start_limit?;
        // Each delay may be a tenth longer at random.
        let takes = (1..=limit.starts()).map(|deaths| self.delay_after(deaths)).sum::<Duration>() * 11 / 10;
        let seconds = takes.as_secs() + 1;
        (takes > limit.within()).then(|| {
            format!(
                "start-limit {limit} is never reached: with the delays between them, {} starts take {seconds} s at \
                 least; say {}/{seconds}s, or a shorter restart-delay-max",
                limit.starts(),
                limit.starts()
            )
        })
    }

    /// A limit that is set by a setting of its own, and has another value in `ulimits`.
    fn two_limits(&self) -> Option<String> {
        let own = |name: &str| match name {
            "core" => self.limit_core,
            "nofile" => self.limit_nofile,
            _ => None,
        };
        self.ulimits.iter().flat_map(Ulimits::iter).find_map(|limit| {
            let own = own(&limit.name)?;
            let most = own.get().map_or(-1, |most| i64::try_from(most).unwrap_or(i64::MAX));
            ((limit.soft, limit.hard) != (most, most))
                .then(|| format!("limit-{} is {own}, and ulimits says {limit}: leave one out", limit.name))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Setting;

    fn settings(texts: &[(&str, &str)]) -> TypeSettings {
        let mut settings = TypeSettings::default();
        for (name, text) in texts {
            assert!(Setting::named(name).is_some_and(|setting| setting.take(text, &mut settings)), "{name}");
        }
        settings
    }

    #[test]
    fn delays_are_doubled_up_to_the_longest_and_the_table_says_the_same() {
        let defaults = TypeSettings::default();
        let millis = |deaths| defaults.delay_after(deaths).as_millis();
        assert_eq!([0, 1, 2, 10, 11, u32::MAX].map(millis), [0, 100, 200, 51_200, 60_000, 60_000]);
        for (name, value) in
            [("restart-delay", FIRST_DELAY), ("restart-delay-max", LONGEST_DELAY), ("stable-after", STABLE)]
        {
            let default = Setting::named(name).and_then(|setting| setting.default);
            assert_eq!(default.map(str::parse), Some(Ok(value)), "{name}");
        }
        let own = settings(&[("restart-delay", "2s"), ("restart-delay-max", "5s")]);
        assert_eq!([1, 2, 3, 9].map(|deaths| own.delay_after(deaths).as_secs()), [2, 4, 5, 5]);
    }

    #[test]
    fn a_limit_that_is_set_in_two_ways_must_be_the_same_in_both() {
        let both =
            |own: &str| settings(&[("limit-nofile", own), ("ulimits", "nofile=1024,core=0")]).contradiction();
        assert_eq!(both("1024"), None);
        let said = both("9").expect("two limits");
        assert_eq!(said, "limit-nofile is 9, and ulimits says nofile=1024: leave one out");
    }

    #[test]
    fn a_limit_that_the_delays_keep_from_being_reached_is_refused_with_one_that_can_be() {
        for good in
            [&[][..], &[("start-limit", "5/10s")], &[("start-limit", "20/1m"), ("restart-delay-max", "1s")]]
        {
            assert_eq!(settings(good).contradiction(), None, "{good:?}");
        }
        let said = settings(&[("start-limit", "20/10s")]).contradiction().expect("it is never reached");
        assert!(said.contains("say 20/773s"), "{said}");
        assert_eq!(settings(&[("start-limit", "20/773s")]).contradiction(), None);
        let said = settings(&[("restart-delay", "2m")]).contradiction().expect("no sense");
        assert!(said.contains("restart-delay 2m is longer than restart-delay-max 1m"), "{said}");
    }
}
