//! Which build of the program a supervisor is: told in `hello`, so that a verb of an upgraded installation knows an older one.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Our own file, whatever has become of its name.
const SELF: &str = "/proc/self/exe";

/// A build of `ps-supervise`: its version, and what tells its file from those of other builds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Such as `0.1.0`.
    pub version: String,
    /// Length and time of the last change of the file.
    pub file: String,
}

impl Build {
    /// The one that lies there, and is of our own version: it was installed with the program that asks.
    ///
    /// # Errors
    /// Nothing can be seen there.
    pub fn at(program: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(program)?;
        let file = format!("{}-{}.{:09}", metadata.len(), metadata.mtime(), metadata.mtime_nsec());
        Ok(Self { version: env!("CARGO_PKG_VERSION").to_owned(), file })
    }

    /// The one that we are.
    pub(crate) fn own() -> Option<Self> {
        Self::at(Path::new(SELF)).ok()
    }

    /// Whether a supervisor of this build is to make room for one of `installed`: never for an earlier version.
    #[must_use]
    pub fn is_outdated_by(&self, installed: &Self) -> bool {
        self != installed && numbers(&self.version) <= numbers(&installed.version)
    }
}

fn numbers(version: &str) -> Vec<u64> {
    version.split(['.', '-', '+']).map_while(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_build_of_the_same_or_a_later_version_takes_the_place_of_one() {
        let build = |version: &str, file: &str| Build { version: version.to_owned(), file: file.to_owned() };
        let ours = build("0.9.1", "1");
        for (installed, is_outdated) in [
            (build("0.9.1", "1"), false),
            (build("0.9.1", "2"), true),
            (build("0.10.0", "2"), true),
            (build("0.9.0", "2"), false),
            (build("0.9.1-rc.1", "2"), true),
        ] {
            assert_eq!(ours.is_outdated_by(&installed), is_outdated, "{installed:?}");
        }
    }
}
