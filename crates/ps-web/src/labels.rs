//! The labels of metrics. No label has a different value for each run, such as a pid or the id of a
//! container.

use prometheus_client::encoding::EncodeLabelSet;
use ps_rows::StatusRow;

/// The labels of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfInstance {
    pub(crate) app: String,
    pub(crate) process_type: String,
    pub(crate) index: u32,
    pub(crate) scheduler: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfState {
    pub(crate) app: String,
    pub(crate) process_type: String,
    pub(crate) index: u32,
    pub(crate) scheduler: String,
    pub(crate) state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfReason {
    pub(crate) app: String,
    pub(crate) process_type: String,
    pub(crate) index: u32,
    pub(crate) scheduler: String,
    pub(crate) reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfMemory {
    pub(crate) app: String,
    pub(crate) process_type: String,
    pub(crate) index: u32,
    pub(crate) scheduler: String,
    pub(crate) kind: &'static str,
}

/// The labels of an instance as a backend of the app's address. An empty release means that the release is
/// unknown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfBackend {
    pub(crate) app: String,
    pub(crate) process_type: String,
    pub(crate) index: u32,
    pub(crate) scheduler: String,
    pub(crate) release: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfQuantile {
    pub(crate) app: String,
    pub(crate) process_type: String,
    pub(crate) index: u32,
    pub(crate) scheduler: String,
    pub(crate) release: Option<u64>,
    pub(crate) quantile: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfType {
    pub(crate) app: String,
    pub(crate) process_type: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfResult {
    pub(crate) app: String,
    pub(crate) result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfDirection {
    pub(crate) app: String,
    pub(crate) direction: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OfApp {
    pub(crate) app: String,
}

impl OfInstance {
    /// The instance of a row.
    pub(crate) fn of(row: &StatusRow) -> Self {
        Self {
            app: row.app.clone(),
            process_type: row.process_type.clone(),
            index: u32::from(row.index),
            scheduler: row.scheduler.clone(),
        }
    }
}

impl OfBackend {
    /// The labels with a quantile, such as `0.99`.
    pub(crate) fn at(self, quantile: &'static str) -> OfQuantile {
        let Self { app, process_type, index, scheduler, release } = self;
        OfQuantile { app, process_type, index, scheduler, release, quantile }
    }
}
