//! Which changes in a directory change its digest, and which do not.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

/// The name of a change, and a function that makes it.
type Change = (&'static str, fn(&Path));

fn tree() -> TempDir {
    let tree = tempfile::tempdir().expect("a directory");
    fs::create_dir(tree.path().join("lib")).expect("a directory");
    write(&tree, "web.js", "1");
    write(&tree, "lib/a.js", "2");
    symlink("web.js", tree.path().join("main")).expect("a link");
    tree
}

fn write(tree: &TempDir, path: &str, text: &str) {
    fs::write(tree.path().join(path), text).expect("written");
}

fn digest(tree: &TempDir) -> String {
    tree_digest::of(tree.path()).expect("a digest")
}

#[test]
fn the_same_content_elsewhere_and_at_another_time_has_the_same_digest() {
    let (one, other) = (tree(), tree());
    assert!(digest(&one).starts_with("sha256:") && digest(&one).len() == 71, "{}", digest(&one));
    assert_eq!(digest(&one), digest(&other));
    let file = fs::File::open(other.path().join("web.js")).expect("a file");
    file.set_modified(SystemTime::UNIX_EPOCH).expect("a time");
    fs::set_permissions(other.path().join("lib/a.js"), Permissions::from_mode(0o600)).expect("a mode");
    assert_eq!(digest(&one), digest(&other), "times, and who may read, do not count");
}

#[test]
fn every_kind_of_change_is_seen() {
    let before = digest(&tree());
    let changes: [Change; 9] = [
        ("bytes", |at| fs::write(at.join("web.js"), "2").expect("written")),
        ("a byte more", |at| fs::write(at.join("web.js"), "1\n").expect("written")),
        ("a file more", |at| fs::write(at.join("new"), "").expect("written")),
        ("a file less", |at| fs::remove_file(at.join("lib/a.js")).expect("removed")),
        ("another name", |at| fs::rename(at.join("web.js"), at.join("app.js")).expect("renamed")),
        ("another place", |at| fs::rename(at.join("lib/a.js"), at.join("a.js")).expect("renamed")),
        ("an empty directory", |at| fs::create_dir(at.join("tmp")).expect("a directory")),
        ("another target", |at| {
            fs::remove_file(at.join("main")).expect("removed");
            symlink("lib/a.js", at.join("main")).expect("a link");
        }),
        ("that it may be executed", |at| {
            fs::set_permissions(at.join("web.js"), Permissions::from_mode(0o755)).expect("a mode");
        }),
    ];
    for (what, change) in changes {
        let tree = tree();
        change(tree.path());
        assert_ne!(digest(&tree), before, "{what}");
    }
}

#[test]
fn what_is_no_file_is_named_and_never_opened() {
    let tree = tree();
    let before = digest(&tree);
    let mode = Mode::from_raw_mode(0o600);
    mknodat(CWD, tree.path().join("fifo"), FileType::Fifo, mode, 0).expect("a FIFO");
    assert_ne!(digest(&tree), before);
}

#[test]
fn what_cannot_be_read_is_named() {
    let refused = tree_digest::of(Path::new("/nowhere/at/all")).expect_err("nothing is there");
    assert_eq!(refused.to_string(), "read /nowhere/at/all");
}

#[test]
fn what_was_changed_last_is_found_by_its_time() {
    let tree = tree();
    let later = SystemTime::now() + Duration::from_secs(60);
    assert_eq!(tree_digest::changed_since(tree.path(), later), None);
    let file = fs::File::options().write(true).open(tree.path().join("lib/a.js")).expect("a file");
    file.set_modified(later + Duration::from_secs(1)).expect("a time");
    assert_eq!(tree_digest::changed_since(tree.path(), later), Some(PathBuf::from("lib/a.js")));
}
