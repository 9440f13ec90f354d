//! A canary: for a while a small part of the clients is sent to a new revision. It is compared with new instances of the old revision,
//! which are equally young and get the same part of the clients. Pure: it takes counts and returns a verdict.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// All connections, in hundredths of a percent: the unit of shares and of differences between them.
const WHOLE: u16 = 10_000;
/// The smallest number of connections that permits a verdict.
const FEWEST: u64 = 50;
/// How many times the square root of all failures one side must have more of them than the other, for that not to be chance. If both
/// sides fail equally often, that happens in one of three million comparisons.
const BEYOND_CHANCE: u64 = 5;
/// The sum of all weights.
const WEIGHTS: u32 = 1_000_000;

/// The parameters of a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// The part of the new connections that the new revision gets, in hundredths of a percent, less than half. The control instances get
    /// the same part, and the other instances the rest.
    pub share: u16,
    /// How long they are compared.
    pub lasts: Duration,
    /// How much more often connections or requests to the new revision may fail than those to the control instances, in hundredths of a
    /// percent.
    #[serde(default)]
    pub most_worse: u16,
}

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// An instance of the new revision.
    Canary,
    /// A new instance of the old revision, only for the time of the comparison.
    Control,
}

impl Side {
    /// Its name in rows of status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Control => "control",
        }
    }
}

/// The counts of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The number of connections, or with HTTP of requests, including failed ones.
    pub asked: u64,
    /// How many of them were refused or broken off, or with HTTP answered with a status of 500 or above.
    pub failed: u64,
}

/// The result of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The new revision does not fail more often than permitted: the rollout goes on.
    Good,
    /// The new revision fails more often.
    Worse,
    /// One of the two sides had too few clients for a verdict.
    TooFew,
    /// The counts are not known.
    Uncounted,
}

/// The progress of a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The canary has begun: both sides get their clients.
    Begun(Canary),
    /// The canary is over.
    Judged {
        /// The verdict.
        verdict: Verdict,
        /// The fewest connections that each side had to have.
        fewest: u64,
        /// The counts of the new revision.
        canary: Tally,
        /// The counts of the control instances of the old revision.
        control: Tally,
        /// Whether it was over before its time, because the new revision is hopeless.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_early: bool,
    },
}

impl Canary {
    /// The share of this many hundredths of a percent; `None` if it is nothing, or half of the connections or more.
    pub fn is_share(hundredths: u16) -> bool {
        (1..WHOLE / 2).contains(&hundredths)
    }

    /// How many of `count` instances are canaries: enough that none gets more connections than usual.
    pub fn instances(&self, count: u16) -> u16 {
        let wanted = (u32::from(count) * u32::from(self.share)).div_ceil(u32::from(WHOLE));
        u16::try_from(wanted).unwrap_or(count).clamp(1, count.max(1))
    }

    /// The weight of one of `count` instances that share the part of the canaries, or of the control instances.
    pub fn weight(&self, count: usize) -> u32 {
        part(u32::from(self.share), count)
    }

    /// The weight of one of `count` other instances.
    pub fn weight_of_others(&self, count: usize) -> u32 {
        part(u32::from(WHOLE) - 2 * u32::from(self.share), count)
    }

    /// The minimum of connections on each side: enough that one failure does not exceed the permitted share.
    pub fn fewest(&self) -> u64 {
        let one_in = |most| u64::from(WHOLE).div_ceil(most);
        Some(u64::from(self.most_worse))
            .filter(|most| *most > 0)
            .map_or(FEWEST, |most| one_in(most).max(FEWEST))
    }

    /// The verdict on the counts of the new revision and of the control instances.
    ///
    /// The new revision may fail as often as the control, rounded up to whole connections, and in addition in `most_worse` of its own
    /// connections.
    ///
    /// For example, 1 of 410 to the control failed, so 1 of 400 to the new revision may. Where 0.5 % more are allowed, 2 more may.
    ///
    /// If there were too few clients, the new one is still worse if it would be so with as many as are needed, and had
    /// none of those failed that are missing. For example, 80 of 80 failed, and none of 80 to the control, where 200 are
    /// needed.
    pub fn judge(&self, canary: Tally, control: Tally) -> Verdict {
        if canary.asked.min(control.asked) >= self.fewest() {
            return self.compare(canary, control);
        }
        let best = Tally { asked: canary.asked.max(self.fewest()), ..canary };
        if control.asked >= FEWEST && self.compare(best, control) == Verdict::Worse {
            return Verdict::Worse;
        }
        Verdict::TooFew
    }

    /// Whether the new revision fails so much more often than the control that more clients would not change the verdict: there is
    /// no reason to send it more of them.
    ///
    /// The control has had 50 connections at least. Of as many connections on both sides, the new revision has failed more often than the
    /// control, in addition to the failures that it may have, by at least five times the square root of the failures of both.
    /// For example, if nothing else may fail: 25 and none, 60 and 15, or 1,000 and 780. So one failure of the control, or a burst of
    /// failures of the new revision that is as probable with the control, ends nothing.
    pub fn is_hopeless(&self, canary: Tally, control: Tally) -> bool {
        if control.asked < FEWEST || canary.asked == 0 {
            return false;
        }
        let asked = u128::from(canary.asked.min(control.asked));
        let allowed = asked * u128::from(self.most_worse) / u128::from(WHOLE);
        let of_canary = u128::from(canary.failed) * asked / u128::from(canary.asked);
        let of_control = (u128::from(control.failed) * asked).div_ceil(u128::from(control.asked));
        let surplus = of_canary.saturating_sub(of_control + allowed);
        let chance = u128::from(BEYOND_CHANCE).pow(2) * (of_canary + of_control);
        surplus > 0 && surplus.saturating_mul(surplus) >= chance
    }

    fn compare(&self, canary: Tally, control: Tally) -> Verdict {
        let asked = u128::from(canary.asked);
        let as_control = (asked * u128::from(control.failed)).div_ceil(u128::from(control.asked));
        let more = asked * u128::from(self.most_worse) / u128::from(WHOLE);
        if u128::from(canary.failed) <= as_control + more { Verdict::Good } else { Verdict::Worse }
    }
}

fn part(share: u32, count: usize) -> u32 {
    let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
    (WEIGHTS / u32::from(WHOLE) * share / count).max(1)
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begun(canary) => write!(
                f,
                "canary: {} of new connections go to the new release, and as many to new instances of the earlier one, for {} s",
                percent(canary.share),
                canary.lasts.as_secs()
            ),
            Self::Judged { verdict: Verdict::Good, canary, control, .. } => {
                write!(f, "canary: {}: the new release takes over", compared(*canary, *control))
            }
            Self::Judged { verdict: Verdict::Worse, canary, control, is_early, .. } => {
                let early = if *is_early { ", which is beyond chance" } else { "" };
                write!(f, "canary: {}{early}: the earlier release stays", compared(*canary, *control))
            }
            Self::Judged { verdict: Verdict::TooFew, fewest, canary, control, .. } => write!(
                f,
                "canary: too little traffic: {}, and {} to the control instances, where {fewest} each are needed: the earlier release stays",
                counted(*canary, " connections"), counted(*control, "")
            ),
            Self::Judged { verdict: Verdict::Uncounted, .. } => {
                f.write_str("canary: ps-balance ended meanwhile, and what it had counted is missing: the earlier release stays")
            }
        }
    }
}

/// `3 connections`, `3 connections (1 failed)`.
fn counted(Tally { asked, failed }: Tally, what: &str) -> String {
    let failures = if failed > 0 { format!(" ({failed} failed)") } else { String::new() };
    format!("{asked}{what}{failures}")
}

fn compared(canary: Tally, control: Tally) -> String {
    let Tally { asked, failed } = canary;
    format!(
        "{failed} of {asked} failed, and {} of {} to the control instances",
        control.failed, control.asked
    )
}

/// `5%`, `0.5%`.
fn percent(hundredths: u16) -> String {
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    if rest == 0 { format!("{whole}%") } else { format!("{whole}.{rest:02}%").replace("0%", "%") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(share: u16, most_worse: u16) -> Canary {
        Canary { share, lasts: Duration::from_secs(120), most_worse }
    }

    fn tally(failed: u64, asked: u64) -> Tally {
        Tally { asked, failed }
    }

    #[test]
    fn a_release_is_good_where_it_fails_no_more_often_than_it_may() {
        let verdicts = [
            // (may fail so much more often, of the new release, of the control, verdict)
            (0, tally(0, 50), tally(0, 50), Verdict::Good),
            (0, tally(1, 100), tally(0, 100), Verdict::Worse),
            (0, tally(1, 100), tally(1, 100), Verdict::Good),
            (0, tally(1, 100), tally(1, 101), Verdict::Good),
            (0, tally(1, 100), tally(1, 99), Verdict::Good),
            (0, tally(3, 100), tally(1, 60), Verdict::Worse),
            (50, tally(4, 400), tally(1, 410), Verdict::Worse),
            (50, tally(3, 400), tally(1, 410), Verdict::Good),
            (100, tally(1, 100), tally(0, 100), Verdict::Good),
            (100, tally(2, 100), tally(0, 100), Verdict::Worse),
            (0, tally(100, 100), tally(100, 100), Verdict::Good),
            (0, tally(u64::MAX, u64::MAX), tally(0, u64::MAX), Verdict::Worse),
        ];
        for (most_worse, new, control, verdict) in verdicts {
            assert_eq!(
                canary(500, most_worse).judge(new, control),
                verdict,
                "{most_worse} {new:?} {control:?}"
            );
        }
    }

    #[test]
    fn too_little_traffic_on_either_side_is_never_good() {
        for (most_worse, fewest) in [(0, 50), (50, 200), (200, 50), (3, 3_334), (1, 10_000)] {
            let canary = canary(500, most_worse);
            assert_eq!(canary.fewest(), fewest);
            let (few, enough) = (tally(0, fewest - 1), tally(0, fewest));
            assert_eq!(canary.judge(few, enough), Verdict::TooFew);
            assert_eq!(canary.judge(enough, few), Verdict::TooFew);
            assert_ne!(canary.judge(tally(fewest - 1, fewest - 1), few), Verdict::Good);
            assert_eq!(canary.judge(tally(49, 49), tally(0, 49)), Verdict::TooFew);
            assert_eq!(canary.judge(enough, enough), Verdict::Good);
        }
    }

    #[test]
    fn a_release_whose_clients_nearly_all_failed_is_worse_however_few_they_were() {
        let verdicts = [
            (50, tally(80, 80), tally(0, 80), Verdict::Worse),
            (50, tally(2, 80), tally(0, 80), Verdict::Worse),
            (50, tally(1, 80), tally(0, 80), Verdict::TooFew),
            (50, tally(80, 80), tally(80, 80), Verdict::TooFew),
            (0, tally(16, 16), tally(0, 169), Verdict::Worse),
            (0, tally(0, 16), tally(0, 169), Verdict::TooFew),
        ];
        for (most_worse, new, control, verdict) in verdicts {
            assert_eq!(canary(500, most_worse).judge(new, control), verdict, "{new:?} {control:?}");
        }
    }

    #[test]
    fn a_release_is_hopeless_where_its_failures_are_beyond_chance() {
        let hopeless = [
            // (may fail so much more often, of the new release, of the control, whether it is)
            (0, tally(50, 50), tally(0, 50), true),
            (0, tally(25, 25), tally(0, 50), true),
            (0, tally(24, 24), tally(0, 50), false),
            (0, tally(25, 25), tally(0, 49), false),
            (0, tally(1, 50), tally(0, 5_000), false),
            (0, tally(25, 5_000), tally(0, 50), false),
            (0, tally(60, 100), tally(15, 100), true),
            (0, tally(60, 100), tally(30, 100), false),
            (0, tally(30, 60), tally(60, 60), false),
            (0, tally(100, 100), tally(100, 100), false),
            (0, tally(0, 100), tally(0, 100), false),
            (0, tally(0, 0), tally(0, 100), false),
            (5_000, tally(60, 100), tally(0, 100), false),
            (5_000, tally(100, 100), tally(0, 100), true),
            (0, tally(u64::MAX, u64::MAX), tally(0, u64::MAX), true),
        ];
        for (most_worse, new, control, is_so) in hopeless {
            let canary = canary(500, most_worse);
            assert_eq!(canary.is_hopeless(new, control), is_so, "{most_worse} {new:?} {control:?}");
        }
    }

    #[test]
    fn as_many_instances_are_canaries_as_usually_have_so_many_connections() {
        for (share, count, expected) in
            [(500, 1, 1), (500, 4, 1), (500, 20, 1), (500, 21, 2), (4_000, 4, 2), (4_999, 4, 2)]
        {
            assert_eq!(canary(share, 0).instances(count), expected, "{share} of {count}");
        }
    }

    #[test]
    fn canaries_and_control_have_the_same_weight_and_all_weights_together_are_the_whole() {
        for (share, canaries, others) in [(500, 1, 4), (4_000, 2, 4), (1, 1, 1), (4_999, 1, 2)] {
            let canary = canary(share, 0);
            let (weight, other) = (canary.weight(canaries), canary.weight_of_others(others));
            let of = |count: usize| u32::try_from(count).expect("few");
            let all = 2 * weight * of(canaries) + other * of(others);
            assert!((WEIGHTS - 100..=WEIGHTS).contains(&all), "{all}");
            assert_eq!(weight * of(canaries), u32::from(share) * 100);
        }
    }

    #[test]
    fn it_reads_as_a_sentence() {
        let judged = |verdict| {
            let (canary, control) = (tally(3, 400), tally(1, 410));
            Finding::Judged { verdict, fewest: 200, canary, control, is_early: false }
        };
        let early = Finding::Judged {
            verdict: Verdict::Worse,
            fewest: 200,
            canary: tally(60, 60),
            control: tally(0, 58),
            is_early: true,
        };
        for (finding, expected) in [
            (
                Finding::Begun(canary(550, 0)),
                "canary: 5.5% of new connections go to the new release, and as many to new instances of the earlier one, for 120 s",
            ),
            (
                judged(Verdict::Good),
                "canary: 3 of 400 failed, and 1 of 410 to the control instances: the new release takes over",
            ),
            (
                judged(Verdict::Worse),
                "canary: 3 of 400 failed, and 1 of 410 to the control instances: the earlier release stays",
            ),
            (
                early,
                "canary: 60 of 60 failed, and 0 of 58 to the control instances, which is beyond chance: the earlier release stays",
            ),
            (
                judged(Verdict::TooFew),
                "canary: too little traffic: 400 connections (3 failed), and 410 (1 failed) to the control instances, where 200 each are needed: the earlier release stays",
            ),
        ] {
            assert_eq!(finding.to_string(), expected);
        }
    }
}
