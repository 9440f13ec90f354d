//! What is known of an instance at one minute.

use serde::Serialize;

/// What an instance used in a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Of one CPU, in tenths of a percent; `None`: not known.
    pub cpu: Option<u32>,
    /// Resident memory in KiB; `None`: not known.
    pub memory_kib: Option<u32>,
}

/// A sample with its time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Minutes since 1970.
    pub minute: u64,
    /// Of one CPU.
    pub cpu_percent: Option<f64>,
    /// Resident memory.
    pub memory_bytes: Option<u64>,
}
