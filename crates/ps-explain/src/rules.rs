//! The rules: a table of causes. The first rule that applies gives the answer. Each rule is a function of the facts,
//! and applies only if it is certain. If no rule applies, the cause is unknown.

mod circumstances;
mod deploys;
mod ends;
mod frames;
mod headline;
mod health;
mod keepers;
mod last_words;
mod orders;
mod recovery;
mod refusals;
mod report;
mod shells;
mod signs;
mod starts;
mod strain;
mod trouble;

use crate::case::{Case, Rule};
use crate::finding::Finding;
pub(crate) use circumstances::circumstances;
pub(crate) use deploys::failed_deploy;
pub(crate) use frames::is_of_library;
pub(crate) use headline::is_of_report as belongs_above;
pub(crate) use strain::strains;

/// The causes. Certain causes come before likely ones, and requests of people before failures.
const CAUSES: &[Rule] = &[
    ("engine-away", keepers::engine_away),
    ("image-gone", keepers::image_gone),
    ("release-failed", deploys::release_failed),
    ("bad-config", deploys::bad_config),
    ("deploy-failed", deploys::came_to_nothing),
    ("deploying", orders::deploying),
    ("never-deployed", orders::never_deployed),
    ("scaled-to-zero", orders::scaled_to_zero),
    ("stopped-by-hand", orders::stopped_by_hand),
    ("supervisor-stopped", keepers::supervisor_stopped),
    ("no-supervisor", keepers::unsupervised),
    ("suspended", health::suspended),
    ("out-of-memory", ends::out_of_memory),
    ("directory-missing", starts::directory_missing),
    ("disk-full", starts::disk_full),
    ("cannot-start", starts::cannot_start),
    ("bad-file", starts::bad_file),
    ("killed-by-operator", orders::killed_by_operator),
    ("fault", ends::fault),
    ("killed-from-outside", ends::killed_from_outside),
    ("port-taken", health::port_taken),
    ("check-failed", health::check_failed),
    ("program-missing", ends::program_missing),
    ("exit-status", ends::ended_by_itself),
    ("no-supervisor", keepers::nobody_restarts),
    ("container-gone", keepers::container_gone),
    ("waiting", orders::waiting),
    ("starting", orders::starting),
    ("finished", orders::finished),
];

/// The cause of what is wrong with the case; `None`: unknown.
pub(crate) fn cause(case: Case<'_>) -> Option<Finding> {
    CAUSES.iter().find_map(|(cause, rule)| rule(case).map(|said| said.of(cause)))
}

#[cfg(test)]
mod tests;
