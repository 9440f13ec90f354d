//! Swap, to which the kernel moves memory of a process.

use std::fs;

/// Limits memory and swap together, in version 1 of cgroups.
pub(super) const OF_V1: &str = "memory.memsw.limit_in_bytes";
/// Limits swap alone, in version 2.
pub(super) const OF_V2: &str = "memory.swap.max";
/// Each swap space of the machine, behind a line of titles.
const SPACES: &str = "/proc/swaps";

/// Whether the machine has swap.
pub(super) fn is_on() -> bool {
    fs::read_to_string(SPACES).is_ok_and(|spaces| spaces.lines().count() > 1)
}
