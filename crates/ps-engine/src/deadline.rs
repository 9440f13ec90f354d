//! The deadlines of calls to the engine.

use std::time::Duration;

/// The deadline of calls that look something up or change a setting.
pub(crate) const SHORT: Duration = Duration::from_secs(10);
/// The deadline of calls that prepare or remove file systems and networks.
pub(crate) const HEAVY: Duration = Duration::from_secs(60);
