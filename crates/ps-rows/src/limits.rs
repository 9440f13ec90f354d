//! The limits of an instance, as a script reads them.

use ps_scheduler::Limits;
use serde::Serialize;

/// Each limit that holds; what was set and does not hold is in `lacking` alone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LimitsRow {
    /// How much memory it has, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_max: Option<u64>,
    /// How many CPUs it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_max: Option<f64>,
    /// How many processes and threads it may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids_max: Option<u64>,
    /// Beyond how many bytes another instance takes its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_restart: Option<u64>,
    /// What does not hold, and why: a sentence for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lacking: Option<String>,
}

impl From<Limits> for LimitsRow {
    fn from(limits: Limits) -> Self {
        let Limits { memory_max, cpu_max, pids_max, memory_restart, lacking } = limits;
        Self { memory_max, cpu_max, pids_max, memory_restart, lacking }
    }
}
