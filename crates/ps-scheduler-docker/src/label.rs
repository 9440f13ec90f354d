//! Names and labels of containers: Dokku's own, and one that says which world a container belongs to, because two
//! worlds on one engine may have apps of the same name.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use formation::Slot;

/// The root directory of the world that made the container.
pub(crate) const ROOT: &str = "com.formation.root";
/// The app.
pub(crate) const APP: &str = "com.dokku.app-name";
const PROCESS_TYPE: &str = "com.dokku.process-type";
const DYNO: &str = "com.dokku.dyno";
/// On every instance of an app, and on nothing else; a filter for the engine's list.
pub(crate) const DEPLOYED: &str = "com.dokku.container-type=deploy";

const UPCOMING: &str = ".upcoming-";

/// The labels of an instance.
pub(crate) fn labels(root: &Path, app: &str, slot: &Slot) -> HashMap<String, String> {
    let labels = [
        (ROOT, root.display().to_string()),
        (APP, app.to_owned()),
        (PROCESS_TYPE, slot.process_type.to_string()),
        (DYNO, slot.to_string()),
        ("com.dokku.container-type", "deploy".to_owned()),
        ("org.label-schema.schema-version", "1.0".to_owned()),
        ("org.label-schema.vendor", "dokku".to_owned()),
        ("dokku", String::new()),
    ];
    labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// `<app>.<type>.<n>`.
pub(crate) fn name(app: &str, slot: &Slot) -> String {
    format!("{app}.{slot}")
}

/// The name of a container that has not passed its checks yet, `<app>.<type>.<n>.upcoming-<random>`.
pub(crate) fn upcoming_name(app: &str, slot: &Slot) -> String {
    let random = RandomState::new().hash_one(slot) % 1_000_000_000;
    format!("{app}.{slot}{UPCOMING}{random}")
}

/// Whether a name is one of [`upcoming_name`].
pub(crate) fn is_upcoming(name: &str) -> bool {
    name.contains(UPCOMING)
}
