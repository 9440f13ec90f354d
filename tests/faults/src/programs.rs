//! Where the programs under test are: beside the test's own executable, built first so that no stale one is tested.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};

/// The directory of built programs: the parent of `deps/`, where cargo puts test executables.
pub fn directory() -> Result<PathBuf> {
    let own = env::current_exe().context("where is this test")?;
    let parent = own.parent().context("a test lies in a directory")?;
    let above = if parent.ends_with("deps") { parent.parent() } else { Some(parent) };
    Ok(above.context("deps/ lies in a directory")?.to_owned())
}

/// Whether this process has built them.
static BUILT: Mutex<bool> = Mutex::new(false);

/// Says that all programs are built: `scripts/test` has done so, and runs other tests beside this one, from under which cargo
/// would take a program for the moment in which it puts the same one in its place.
const ARE_BUILT: &str = "FORMATION_TEST_PROGRAMS_ARE_BUILT";

/// Builds every program as this test was built, once. It is the whole workspace, as `scripts/test` builds it: for some
/// packages alone cargo would choose other features of their libraries, and build those anew.
pub fn build() -> Result<()> {
    if env::var_os(ARE_BUILT).is_some() {
        return Ok(());
    }
    let mut is_built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    if !*is_built {
        build_now()?;
        *is_built = true;
    }
    Ok(())
}

fn build_now() -> Result<()> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["build", "--quiet", "--workspace", "--bins", "--manifest-path"]).arg(manifest());
    // `scripts/test` sets it for test programs alone; cargo would build everything anew for it.
    command.env_remove("RUSTC_BOOTSTRAP");
    if directory()?.ends_with("release") {
        command.arg("--release");
    }
    let output = command.output().context("run cargo build")?;
    if !output.status.success() {
        bail!("build the programs: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// A built program by name.
pub fn path(name: &str) -> Result<PathBuf> {
    let path = directory()?.join(name);
    if path.is_file() { Ok(path) } else { bail!("{} is not there: cargo build --workspace", path.display()) }
}

/// Whether strace can be run here.
pub fn strace_works() -> bool {
    Command::new("strace")
        .args(["-qq", "-o", "/dev/null", "true"])
        .status()
        .is_ok_and(|status| status.success())
}

fn manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml")
}
