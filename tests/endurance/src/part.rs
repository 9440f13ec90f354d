//! Which part of a long run is run. The promised counts take an hour together, so that each can be run in pieces: by a count, and by a
//! seed, which says where a piece begins. Without them a long run is whole, and a plain one is small.
//!
//! For example, `FORMATION_TEST_EVERY=4` with the seeds 0 to 3 is a whole sweep in four pieces.

use std::env;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use faults::note;

/// How often: deaths, rounds, cycles.
const COUNT: &str = "FORMATION_TEST_COUNT";
/// Every so manyth of the points of a sweep.
const EVERY: &str = "FORMATION_TEST_EVERY";
/// Where chance begins, and with which point a sweep does.
const SEED: &str = "FORMATION_TEST_SEED";
/// The longest pause before somebody is killed, in microseconds.
const LONGEST_PAUSE: u64 = 40_000;

/// How often something is done: as often as was asked for, else `plain` times, or `long` times in a long run.
///
/// # Errors
/// What was asked for is no number.
pub fn count(plain: usize, long: usize) -> Result<usize> {
    Ok(number(COUNT)?.unwrap_or_else(|| faults::count(plain, long)))
}

/// Those of the points of a sweep that are tried; `plain` of them where nothing was asked for and the run is not a long one.
///
/// # Errors
/// What was asked for is no number.
pub fn points<T>(points: Vec<T>, plain: usize) -> Result<Vec<T>> {
    let usual = || (points.len() / faults::count(plain, points.len().max(1))).max(1);
    let every = number(EVERY)?.unwrap_or_else(usual).max(1);
    let first = number(SEED)?.unwrap_or(0) % every;
    Ok(points.into_iter().skip(first).step_by(every).collect())
}

/// Pauses of a length that the seed alone decides.
#[derive(Clone, Copy, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Begins at the seed, and says which one that is.
    ///
    /// # Errors
    /// What was asked for is no number.
    pub fn begin() -> Result<Self> {
        let seed = number(SEED)?.unwrap_or(1);
        note(&format!("{SEED}={seed}"));
        Ok(Self(seed.try_into().unwrap_or(u64::MAX)))
    }

    /// Waits for up to 40 ms, so that what comes next finds everybody at another step each time.
    pub fn pause(&mut self) {
        thread::sleep(Duration::from_micros(self.next() % LONGEST_PAUSE));
    }

    /// A number that follows from the ones before (splitmix64).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

fn number(variable: &str) -> Result<Option<usize>> {
    let Some(text) = env::var_os(variable) else { return Ok(None) };
    let text = text.to_string_lossy();
    text.parse().map(Some).with_context(|| format!("{variable}={text}"))
}
