//! Which commit the build script names, tested with real repositories and archives.

#[path = "../version.rs"]
#[allow(dead_code, reason = "its main is cargo's")]
mod version;

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

fn git(directory: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.arg("-C").arg(directory).args(["-c", "user.name=a", "-c", "user.email=a@example.org"]);
    let output = command.args(arguments).output().expect("git runs");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// A repository whose package `crates/ps-cli` has the two files that ours has.
fn repository() -> TempDir {
    let repository = TempDir::new().expect("a directory");
    let package = repository.path().join("crates/ps-cli");
    fs::create_dir_all(&package).expect("a directory");
    for name in ["commit", ".gitattributes"] {
        fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join(name), package.join(name)).expect("a file");
    }
    git(repository.path(), &["init", "--quiet"]);
    git(repository.path(), &["add", "--all"]);
    git(repository.path(), &["commit", "--quiet", "--message", "one"]);
    repository
}

#[test]
fn a_checkout_names_its_commit_and_the_files_that_change_with_it() {
    let repository = repository();
    let package = repository.path().join("crates/ps-cli");
    let commit = git(repository.path(), &["rev-parse", "--short", "HEAD"]);
    assert_eq!(version::archived_commit(&package), None);
    assert_eq!(version::checked_out_commit(&package), Some(commit));
    let before: Vec<_> = version::checkout_files(&package).iter().map(fs::read).map(Result::unwrap).collect();
    git(repository.path(), &["commit", "--quiet", "--allow-empty", "--message", "two"]);
    let after: Vec<_> = version::checkout_files(&package).iter().map(fs::read).map(Result::unwrap).collect();
    assert_ne!(before, after, "cargo would not notice the new commit");
}

#[test]
fn an_archive_names_the_commit_it_was_made_of_also_in_somebody_elses_repository() {
    let (repository, elsewhere) = (repository(), repository());
    let commit = git(repository.path(), &["rev-parse", "--short", "HEAD"]);
    let archive = repository.path().join("archive.tar");
    git(repository.path(), &["archive", "--prefix=it/", "--output", archive.to_str().expect("text"), "HEAD"]);
    let unpacked = Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(elsewhere.path()).status();
    assert!(unpacked.expect("tar runs").success());
    let package = elsewhere.path().join("it/crates/ps-cli");
    assert_eq!(version::archived_commit(&package), Some(commit));
    assert_eq!(version::checked_out_commit(&package), None, "that is the commit of another repository");
}
