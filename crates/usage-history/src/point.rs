//! The usage of an instance in one minute.

use serde::Serialize;

/// What an instance used in a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// CPU time, in tenths of a percent of one CPU; `None` if it is not known.
    pub cpu: Option<u32>,
    /// Resident memory, in KiB; `None` if it is not known.
    pub memory_kib: Option<u32>,
}

/// A sample with its time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Minutes since 1970.
    pub minute: u64,
    /// CPU time, in percent of one CPU.
    pub cpu_percent: Option<f64>,
    /// Resident memory, in bytes.
    pub memory_bytes: Option<u64>,
}
