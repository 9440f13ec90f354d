//! Swap space, to which the kernel moves memory of processes.

use std::fs;

/// The file that limits memory and swap together, in version 1 of cgroups.
pub(super) const OF_V1: &str = "memory.memsw.limit_in_bytes";
/// The file that limits swap alone, in version 2.
pub(super) const OF_V2: &str = "memory.swap.max";
/// The file that lists the swap spaces of the machine below a line of titles.
const SPACES: &str = "/proc/swaps";

/// Whether the machine has swap.
pub(super) fn is_on() -> bool {
    fs::read_to_string(SPACES).is_ok_and(|spaces| spaces.lines().count() > 1)
}
