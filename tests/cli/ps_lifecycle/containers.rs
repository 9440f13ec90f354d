//! docker-local on a real engine, with something between the programs and it: calls that fail, and programs and engines that die at
//! any call. After each the same verb again makes what runs what is wanted.
//!
//! With `FORMATION_TEST_LONG=1` every point is tried, and 50 deploys; that takes hours, and can be run in pieces by the variables that
//! the README of tests/endurance tells of. What was tried is said on stderr.

#[path = "containers/address.rs"]
mod address;
#[path = "containers/between.rs"]
pub(crate) mod between;
#[path = "containers/calls.rs"]
mod calls;
#[path = "containers/clients.rs"]
mod clients;
#[path = "containers/deaths.rs"]
mod deaths;
#[path = "containers/disk.rs"]
mod disk;
#[path = "containers/many.rs"]
mod many;
#[path = "containers/networks.rs"]
mod networks;
#[path = "containers/private.rs"]
mod private;
#[path = "containers/task_deaths.rs"]
mod task_deaths;
#[path = "containers/verbs.rs"]
mod verbs;

use std::io::Write;

/// Whether everything is tried, and not an even sample.
fn is_long() -> bool {
    faults::long()
}

/// All of them, or so many, as evenly as that goes; each of `askers` begins at another offset.
fn sample<T: Clone>(all: &[T], most: usize, (asker, askers): (usize, usize)) -> Vec<T> {
    if is_long() || all.len() <= most {
        return all.to_vec();
    }
    (0..most).map(|nth| all[(nth * askers + asker) * all.len() / (most * askers)].clone()).collect()
}

/// Such a sample, or in a long run the piece of all of them that was asked for.
fn piece<T: Clone>(all: &[T], most: usize, askers: (usize, usize)) -> Vec<T> {
    if is_long() {
        return endurance::part::points(all.to_vec(), most).expect("numbers say which piece");
    }
    sample(all, most, askers)
}

/// How often: as often as was asked for, else `plain` times, or in a long run `long` times.
fn times(plain: usize, long: usize) -> usize {
    endurance::part::count(plain, long).expect("a number says how often")
}

/// Says what was tried: beside a failure, and with `--nocapture`.
fn took(what: &str) {
    let _ = writeln!(std::io::stderr(), "tried: {what}");
}
