//! The build script of ps-cli: the text that `--version` prints after the name of a program, such as `1.2.0 (abc1234)`.
//!
//! The commit is `FORMATION_COMMIT`, for those who build a package from another repository; else the one that `git archive` has
//! written into the file `commit`; else the one that is checked out. A debug build names none, because otherwise every commit
//! would rebuild each program on a developer's machine.

#![expect(clippy::print_stdout, reason = "cargo reads what a build script prints")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let package = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    println!("cargo:rerun-if-env-changed=FORMATION_COMMIT");
    println!("cargo:rerun-if-changed=version.rs");
    println!("cargo:rerun-if-changed=commit");
    let built = if env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        for file in checkout_files(&package) {
            println!("cargo:rerun-if-changed={}", file.display());
        }
        named_commit().or_else(|| archived_commit(&package)).or_else(|| checked_out_commit(&package))
    } else {
        Some("debug build".to_owned())
    };
    let built = built.map(|built| format!(" ({built})")).unwrap_or_default();
    println!("cargo:rustc-env=FORMATION_VERSION={version}{built}");
}

fn named_commit() -> Option<String> {
    env::var("FORMATION_COMMIT").ok().filter(|commit| !commit.is_empty())
}

/// The commit of the archive that this source was unpacked from: `git archive` replaces what stands in `commit` (.gitattributes).
pub(crate) fn archived_commit(package: &Path) -> Option<String> {
    let text = fs::read_to_string(package.join("commit")).ok()?;
    Some(text.trim().to_owned()).filter(|commit| !commit.is_empty() && !commit.starts_with("$Format"))
}

/// The commit that is checked out; `None` if the repository is another project's, into which an archive of this source was
/// unpacked.
pub(crate) fn checked_out_commit(package: &Path) -> Option<String> {
    let top = PathBuf::from(git(package, &["rev-parse", "--show-toplevel"])?);
    let ours = package.ancestors().nth(2)?.canonicalize().ok()?;
    if top.canonicalize().ok()? != ours {
        return None;
    }
    git(package, &["rev-parse", "--short", "HEAD"])
}

/// The files that change when another commit is checked out or a commit is made.
pub(crate) fn checkout_files(package: &Path) -> Vec<PathBuf> {
    ["HEAD", "logs/HEAD"]
        .into_iter()
        .filter_map(|name| git(package, &["rev-parse", "--git-path", name]))
        .map(|path| package.join(path))
        .filter(|path| path.is_file())
        .collect()
}

fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(directory).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned()).filter(|text| !text.is_empty())
}
