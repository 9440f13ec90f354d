//! Checks whether the apps start after a reboot.

use ps_apps::World;
use ps_rows::FindingRow;

use crate::boot;

/// Compares what is installed with what `boot enable` would write.
pub(super) fn boot(world: &World) -> FindingRow {
    const CHECK: &str = "boot";
    match boot::standing(world) {
        Err(error) => FindingRow::warn(
            CHECK,
            format!("{error:#}"),
            "make the init system run ps-lifecycle restore --all at boot",
        ),
        Ok((init, differences)) if differences.is_empty() => {
            FindingRow::pass(CHECK, format!("the apps come back at boot, by {init}"))
        }
        Ok((init, differences)) => FindingRow::warn(
            CHECK,
            format!("the apps do not come back as they should at boot, by {init}: {}", differences[0]),
            "ps-lifecycle boot enable",
        ),
    }
}
