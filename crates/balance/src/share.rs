//! Chooses the backend with the fewest connections in relation to its weight; equal backends take turns.
//!
//! The fair share of a backend is its part, by weight, of all connections including the new one. The backend that lacks
//! the most whole connections to its fair share is chosen. If several lack equally many, they take turns in proportion
//! to their weights. So with equal weights the backend with the fewest connections is chosen, and a backend with 5 % of
//! the weights gets 5 % of the connections, whether there are two at a time or two thousand.
//!
//! A list of backends may ask that new connections are shared out by their number alone ([`Share::Count`]). Then backends always take
//! turns in proportion to their weights, and one that keeps its connections for longer gets as many as before.

use std::cmp::Reverse;

use crate::wire::Share;

/// One that could be chosen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    /// Its place in the table.
    pub(crate) place: usize,
    /// At least 1.
    pub(crate) weight: u32,
    pub(crate) open: u64,
    /// How far it is behind its turn.
    pub(crate) credit: i64,
}

/// Which of them gets the next connection, as an index into `candidates`.
pub(crate) fn choose(share: Share, candidates: &[Candidate]) -> Option<usize> {
    let weights: i128 = candidates.iter().map(|it| i128::from(it.weight)).sum();
    let connections: i128 = candidates.iter().map(|it| i128::from(it.open)).sum::<i128>() + 1;
    let lacks = |it: &Candidate| match share {
        Share::Load => connections * i128::from(it.weight) / weights - i128::from(it.open),
        Share::Count => 0,
    };
    let turn = |it: &Candidate| it.credit + i64::from(it.weight);
    (0..candidates.len()).max_by_key(|&at| {
        let it = &candidates[at];
        (lacks(it), turn(it), Reverse(at))
    })
}

/// The credits after the one at `chosen` has got its connection, in the order of the candidates: everyone's grows by its weight,
/// and the chosen one pays for all. They stay within the sum of the weights, also where a backend is passed over for long.
pub(crate) fn credits(candidates: &[Candidate], chosen: usize) -> impl Iterator<Item = i64> {
    let weights: i64 = candidates.iter().map(|it| i64::from(it.weight)).sum();
    candidates.iter().enumerate().map(move |(at, it)| {
        let paid = if at == chosen { weights } else { 0 };
        (it.credit + i64::from(it.weight) - paid).clamp(-weights, weights)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Candidate, Share, choose, credits};

    fn of(weights: &[u32]) -> Vec<Candidate> {
        let one = |(place, &weight)| Candidate { place, weight, open: 0, credit: 0 };
        weights.iter().enumerate().map(one).collect()
    }

    fn take(candidates: &mut [Candidate]) -> usize {
        take_by(Share::Load, candidates)
    }

    fn take_by(share: Share, candidates: &mut [Candidate]) -> usize {
        let chosen = choose(share, candidates).expect("somebody is there");
        let after: Vec<i64> = credits(candidates, chosen).collect();
        for (it, credit) in candidates.iter_mut().zip(after) {
            it.credit = credit;
        }
        candidates[chosen].open += 1;
        chosen
    }

    /// How many of 2,000 connections each gets by count where the first one keeps each of its connections for so many rounds, and the
    /// others end theirs at once.
    fn shares_of_a_slow_one(share: Share, weights: &[u32], rounds: usize) -> Vec<usize> {
        let mut candidates = of(weights);
        let (mut ends, mut got) = (std::collections::VecDeque::new(), vec![0; weights.len()]);
        for round in 0..2_000 {
            if ends.front().is_some_and(|end| *end <= round) {
                ends.pop_front();
                candidates[0].open -= 1;
            }
            let chosen = take_by(share, &mut candidates);
            got[chosen] += 1;
            if chosen == 0 {
                ends.push_back(round + rounds);
            } else {
                candidates[chosen].open -= 1;
            }
        }
        got
    }

    #[test]
    fn by_count_a_slow_backend_gets_as_many_connections_as_its_weight_says_and_by_load_fewer() {
        let weights = [50_000, 50_000, 450_000, 450_000];
        assert_eq!(shares_of_a_slow_one(Share::Count, &weights, 400), [100, 100, 900, 900]);
        let by_load = shares_of_a_slow_one(Share::Load, &weights, 400);
        assert!(by_load[0] < 50, "{by_load:?}");
    }

    /// How many of `rounds` connections each gets while `at_once` are open, and the oldest ends before each new one.
    fn shares(weights: &[u32], at_once: usize, rounds: usize) -> Vec<usize> {
        let mut candidates = of(weights);
        let mut open = std::collections::VecDeque::new();
        let mut got = vec![0; weights.len()];
        for _ in 0..rounds {
            if open.len() == at_once {
                let ended: usize = open.pop_front().expect("some are open");
                candidates[ended].open -= 1;
            }
            let chosen = take(&mut candidates);
            got[chosen] += 1;
            open.push_back(chosen);
        }
        got
    }

    #[test]
    fn a_backend_with_five_percent_of_the_weights_gets_five_percent_of_the_connections() {
        for at_once in [1, 2, 7, 64, 1000] {
            let got = shares(&[95, 5], at_once, 10_000);
            assert!((480..=520).contains(&got[1]), "{at_once} at once: {got:?}");
        }
    }

    #[test]
    fn one_that_keeps_its_connections_for_long_gets_fewer() {
        let mut candidates = of(&[100, 100]);
        let mut got = [0, 0];
        for _ in 0..100 {
            let chosen = take(&mut candidates);
            got[chosen] += 1;
            // The first never ends one, the second ends each at once.
            if chosen == 1 {
                candidates[1].open -= 1;
            }
        }
        assert!(got[0] <= 2, "{got:?}");
    }

    proptest! {
        #[test]
        fn with_equal_weights_the_fewest_connections_decide(open in prop::collection::vec(0_u64..50, 1..20)) {
            let mut candidates = of(&vec![100; open.len()]);
            for (it, open) in candidates.iter_mut().zip(&open) {
                it.open = *open;
            }
            let chosen = choose(Share::Load, &candidates).expect("somebody is there");
            prop_assert_eq!(Some(&open[chosen]), open.iter().min());
        }

        #[test]
        fn somebody_is_chosen_and_credits_stay_bounded(
            weights in prop::collection::vec(1_u32..=1000, 1..12),
            ends in prop::collection::vec(any::<prop::sample::Index>(), 0..300),
        ) {
            let mut candidates = of(&weights);
            let sum = i64::from(weights.iter().sum::<u32>());
            for end in ends {
                take(&mut candidates);
                let place = end.index(weights.len());
                candidates[place].open = candidates[place].open.saturating_sub(1);
                prop_assert!(candidates.iter().all(|it| it.credit.abs() <= sum));
            }
        }

        #[test]
        fn shares_follow_the_weights(weights in prop::collection::vec(1_u32..=100, 2..5), at_once in 1_usize..40) {
            let rounds = 4_000;
            let got = shares(&weights, at_once, rounds);
            let sum: u32 = weights.iter().sum();
            for (got, weight) in got.iter().zip(&weights) {
                let fair = rounds * *weight as usize / sum as usize;
                prop_assert!(got.abs_diff(fair) <= fair / 10 + at_once + 40, "{} for {}", got, fair);
            }
        }
    }
}
