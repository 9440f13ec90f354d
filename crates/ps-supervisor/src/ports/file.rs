//! The files in which an instance keeps its ports.

use std::path::Path;

/// What remembers the port of the slot's own lane, in the directory of the instance.
pub(super) const PORT_FILE: &str = "port";
/// The same for the second lane, while a run is on it.
pub(super) const SECOND_PORT_FILE: &str = "second-port";

/// The port in such a file of an instance; `None` if there is none, or if it cannot be read.
pub(super) fn written(directory: &Path, name: &str) -> Option<u16> {
    String::from_utf8(durable::state(&directory.join(name), 64).ok()?).ok()?.trim().parse().ok()
}
