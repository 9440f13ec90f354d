//! Identifies the build of `ps-supervise` that a supervisor runs. It says so in `hello`, so that a verb of an upgraded
//! installation recognises a supervisor of an older build.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Our own executable, even if its file was renamed or removed.
const SELF: &str = "/proc/self/exe";

/// A build of `ps-supervise`: its version, and its file's length and time of change, which differ from build to build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Such as `0.1.0`.
    pub version: String,
    /// Length and time of the last change of the executable file.
    pub file: String,
}

impl Build {
    /// The build of the program at that path. It has our own version, because the two were installed together.
    ///
    /// # Errors
    /// The file cannot be examined.
    pub fn at(program: &Path) -> io::Result<Self> {
        Self::of_file(&os_process::resident(program))
    }

    /// The build of this process.
    pub(crate) fn own() -> Option<Self> {
        Self::of_file(Path::new(SELF)).ok()
    }

    fn of_file(program: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(program)?;
        let file = format!("{}-{}.{:09}", metadata.len(), metadata.mtime(), metadata.mtime_nsec());
        Ok(Self { version: env!("CARGO_PKG_VERSION").to_owned(), file })
    }

    /// Whether a supervisor of this build is to be replaced by `installed`: never if that is an earlier version.
    #[must_use]
    pub fn is_outdated_by(&self, installed: &Self) -> bool {
        self != installed && rank(&self.version) <= rank(&installed.version)
    }
}

/// Versions in their order: `1.0.0-rc.1`, `1.0.0-rc.2`, `1.0.0`. What stands behind a `+` does not count.
fn rank(version: &str) -> (Vec<u64>, bool, Vec<u64>) {
    let version = version.split('+').next().unwrap_or(version);
    let (release, candidate) = version.split_once('-').unwrap_or((version, ""));
    let numbers = |text: &str| text.split('.').filter_map(|word| word.parse().ok()).collect();
    (numbers(release), candidate.is_empty(), numbers(candidate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_build_of_the_same_or_a_later_version_takes_the_place_of_one() {
        let build = |version: &str, file: &str| Build { version: version.to_owned(), file: file.to_owned() };
        for (ours, installed, is_outdated) in [
            (build("0.9.1", "1"), build("0.9.1", "1"), false),
            (build("0.9.1", "1"), build("0.9.1", "2"), true),
            (build("0.9.1", "1"), build("0.10.0", "2"), true),
            (build("0.9.1", "1"), build("0.9.0", "2"), false),
            (build("0.9.1", "1"), build("0.9.1-rc.1", "2"), false),
            (build("0.1.0", "1"), build("1.0.0-rc.1", "2"), true),
            (build("1.0.0-rc.2", "1"), build("1.0.0-rc.10", "2"), true),
            (build("1.0.0-rc.10", "1"), build("1.0.0-rc.2", "2"), false),
            (build("1.0.0-rc.10", "1"), build("1.0.0", "2"), true),
            (build("1.0.0", "1"), build("1.0.0+debian", "2"), true),
        ] {
            assert_eq!(ours.is_outdated_by(&installed), is_outdated, "{ours:?} {installed:?}");
        }
    }
}
