//! The newest pm2 from npm, the control of long runs.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Its program; `None`, noted as skipped: this is no long run, or npm cannot bring it.
pub(crate) fn program() -> Option<PathBuf> {
    if std::env::var_os("FORMATION_TEST_LONG").is_none() {
        skipped::skip("pm2 from npm is a control of long runs");
        return None;
    }
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("npm");
    let program = cache.join("node_modules/.bin/pm2");
    if !program.exists() {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--prefix"]).arg(&cache).arg("pm2");
        if !npm.output().is_ok_and(|ran| ran.status.success()) || !program.exists() {
            skipped::skip("npm cannot bring pm2");
            return None;
        }
    }
    Some(program)
}
