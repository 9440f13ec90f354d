//! Debian's own judgement of a package: what breaks its policy, or looks like a mistake.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::cage;

const WORDS: [&str; 4] =
    ["--allow-root", "--display-info", "--fail-on=error,warning", "--tag-display-limit=0"];

/// A lintian that reads a package.
pub(crate) struct Lintian(Child);

/// Has lintian read the package `name` in `folder`. `None`, noted as skipped: there is no lintian.
pub(crate) fn starts_on(folder: &Path, name: &str) -> Option<Lintian> {
    let mut command = Command::new(cage::program("lintian")?);
    command.args(WORDS).arg(folder.join(name)).stdin(Stdio::null());
    // It writes less than a pipe holds while nobody reads.
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    Some(Lintian(command.spawn().expect("lintian starts")))
}

impl Lintian {
    /// That the package is clean, but for what its overrides give a reason for. Those of static programs do not apply to the programs of
    /// a test, so that an override which is not needed is nothing.
    pub(crate) fn finds_nothing(self) {
        let ended = self.0.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&ended.stdout);
        let found = said.lines().find(|line| !line.starts_with("N:") && !line.contains(": unused-override "));
        assert_eq!((ended.status.code(), found), (Some(0), None), "{ended:?}");
    }

    /// That the package is not, because of `tag`.
    pub(crate) fn finds(self, tag: &str) {
        let ended = self.0.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&ended.stdout);
        assert_eq!((ended.status.code(), said.contains(tag)), (Some(2), true), "{ended:?}");
    }
}
