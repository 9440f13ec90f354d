//! Where the run of a seat is started.

use std::path::{Path, PathBuf};

use crate::spec::Spec;

/// The directory for a restart by the policy: that of the earlier run, if it still exists.
pub(super) fn directory_again(earlier: Option<&Path>, spec: &Spec) -> PathBuf {
    let own = earlier.filter(|directory| directory.is_dir()).map(Path::to_owned);
    own.or_else(|| typed_directory(spec)).unwrap_or_else(|| spec.directory.clone())
}

/// The directory for a start that a person asked for: the one that the verb resolved, if it still exists.
pub(super) fn directory_now(spec: &Spec) -> PathBuf {
    let resolved = Some(spec.directory.clone()).filter(|directory| directory.is_dir());
    resolved.or_else(|| typed_directory(spec)).unwrap_or_else(|| spec.directory.clone())
}

/// The directory to which the path leads that was typed, if it leads to one.
fn typed_directory(spec: &Spec) -> Option<PathBuf> {
    spec.typed.as_ref()?.canonicalize().ok().filter(|directory: &PathBuf| Path::is_dir(directory))
}
