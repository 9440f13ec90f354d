//! Faults on purpose. A verb is one line of `verbs`; the sweeps run the real program under strace, break it at every
//! file syscall in turn, and ask an independent reader what the state says afterwards. Nothing here is shared with
//! the code under test except the layout on disk. Each sweep has a control, a writer that must be caught.

pub mod coverage;
pub mod power;
pub mod programs;
pub mod reading;
pub mod sandbox;
pub mod script;
pub mod snapshot;
pub mod strace;
pub mod sweep;
pub mod verb;

use std::env;
use std::io::{self, Write};

/// Whether the counts that a release claim rests on were asked for (`FORMATION_TEST_LONG=1`).
pub fn long() -> bool {
    env::var_os("FORMATION_TEST_LONG").is_some_and(|value| value == "1")
}

/// `plain` in a plain run, `long` where [`long`] says so.
pub fn count(plain: usize, long_count: usize) -> usize {
    if long() { long_count } else { plain }
}

/// One line on stderr, past the capture of the test runner: what was counted, and what was skipped and why.
pub fn note(line: &str) {
    // A closed stderr must not fail a test.
    let _ = writeln!(io::stderr().lock(), "{line}");
}
