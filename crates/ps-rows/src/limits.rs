//! The limits of an instance, in the form that scripts read.

use ps_scheduler::Limits;
use serde::Serialize;

/// The limits that are enforced. A limit that was set and is not enforced is only in `lacking`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LimitsRow {
    /// The most memory, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_max: Option<u64>,
    /// The most CPUs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_max: Option<f64>,
    /// The most processes and threads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids_max: Option<u64>,
    /// The amount of memory, in bytes, above which the instance is replaced by another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_restart: Option<u64>,
    /// The limits that are not enforced, and why: a sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lacking: Option<String>,
}

impl From<Limits> for LimitsRow {
    fn from(limits: Limits) -> Self {
        let Limits { memory_max, cpu_max, pids_max, memory_restart, lacking } = limits;
        Self { memory_max, cpu_max, pids_max, memory_restart, lacking }
    }
}
