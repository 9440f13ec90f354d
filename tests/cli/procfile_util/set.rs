//! `set` and `delete`: what they change, and that every other byte, the mode and the owner of the file stay.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::{PROGRAM, Ran, World};

#[test]
fn set_then_delete_restores_every_file_of_the_corpus() {
    let Some(corpus) = skipped::corpus("corpus/procfile") else { return };
    for entry in fs::read_dir(corpus).expect("the corpus is readable") {
        let path = entry.expect("an entry").path();
        let bytes = fs::read(&path).expect("a file of the corpus");
        let world = World::with(&bytes);
        if world.run(&["check"]).status != 0 {
            continue;
        }
        let set = world.run(&["set", "-p", "zz-new", "-c", "run me"]);
        assert_eq!(set.all(), (0, String::new(), ""), "{}", path.display());
        assert_eq!(world.run(&["show", "-p", "zz-new"]).text(), "run me\n");
        assert_eq!(world.run(&["delete", "-p", "zz-new"]).status, 0);
        let restored = fs::read(world.path("Procfile")).expect("it is there");
        let added = restored.strip_prefix(bytes.as_slice());
        // A last line without an end needs one before another can follow.
        let ends: &[&[u8]] = if bytes.ends_with(b"\n") { &[b""] } else { &[b"\n", b"\r\n"] };
        assert!(added.is_some_and(|added| ends.contains(&added)), "{}", path.display());
    }
}

#[test]
fn an_edit_keeps_mode_and_symlink_and_leaves_no_other_file() {
    let world = World::new();
    world.put("real/Procfile.shared", "web: a # x\n");
    let real = world.path("real/Procfile.shared");
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("a mode");
    std::os::unix::fs::symlink("real/Procfile.shared", world.path("Procfile")).expect("a link");
    assert_eq!(world.run(&["set", "-p", "web", "-c", "b"]).all(), (0, String::new(), ""));
    assert_eq!(fs::read_to_string(&real).expect("it is there"), "web: b # x\n");
    assert_eq!(fs::metadata(&real).expect("it is there").permissions().mode() & 0o7777, 0o640);
    assert!(fs::symlink_metadata(world.path("Procfile")).expect("it is there").is_symlink());
    assert_eq!(fs::read_dir(world.path("real")).expect("a directory").count(), 1);
}

/// Run as root, or say that the test was skipped.
fn is_root() -> bool {
    let root = fs::metadata("/proc/self").expect("proc is mounted").uid() == 0;
    if !root {
        skipped::skip("no root: only root can give a file to somebody else");
    }
    root
}

#[test]
fn an_edit_by_root_keeps_a_foreign_owner() {
    if !is_root() {
        return;
    }
    let world = World::with("web: a\n");
    let path = world.path("Procfile");
    std::os::unix::fs::chown(&path, Some(12_345), Some(23_456)).expect("an owner");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o464)).expect("a mode");
    for args in [&["set", "-p", "web", "-c", "b"][..], &["delete", "-p", "web"]] {
        assert_eq!(world.run(args).all(), (0, String::new(), ""));
        let about = fs::metadata(&path).expect("it is there");
        assert_eq!((about.uid(), about.gid(), about.mode() & 0o7777), (12_345, 23_456, 0o464), "{args:?}");
    }
}

#[test]
fn an_edit_that_cannot_keep_the_owner_is_refused_and_changes_nothing() {
    if !is_root() {
        return;
    }
    let world = World::with("web: a\n");
    let everybody = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    };
    everybody(world.0.path(), 0o777);
    everybody(&world.path("Procfile"), 0o666);
    let own = world.path("own");
    fs::copy(PROGRAM, &own).expect("a copy that nobody may run");
    everybody(&own, 0o755);
    let nobody = |args: &[&str]| {
        let mut command = Command::new(&own);
        command.args(args).current_dir(world.0.path()).env_clear().uid(65_534).gid(65_534);
        Ran::of(command, b"")
    };
    let set = ["set", "-p", "web", "-c", "b"];
    let words = " !     error writing procfile: open Procfile: operation not permitted: it belongs to user 0 and group 0, which only they or root can keep; --stdout prints the result\n";
    assert_eq!(nobody(&set).all(), (1, String::new(), words));
    everybody(world.0.path(), 0o755);
    let words = " !     error writing procfile: open Procfile: permission denied: the new file is made beside the old, so . must be writable, too\n";
    assert_eq!(nobody(&set).all(), (1, String::new(), words));
    everybody(&world.path("Procfile"), 0o644);
    let words = " !     error writing procfile: open Procfile: permission denied\n";
    assert_eq!(nobody(&set).all(), (1, String::new(), words));
    assert_eq!(nobody(&["set", "-p", "web", "-c", "b", "-s"]).all(), (0, "web: b\n".to_owned(), ""));
    assert_eq!(world.get("Procfile"), "web: a\n");
    assert_eq!(fs::read_dir(world.0.path()).expect("a directory").count(), 2);
}

#[test]
fn of_edits_at_once_none_is_lost() {
    let world = World::with("# apps\nweb: a\n");
    std::thread::scope(|scope| {
        for writer in 0..6 {
            let world = &world;
            scope.spawn(move || {
                for turn in 0..5 {
                    let (name, old) = (format!("w{writer}-{turn}"), format!("w{writer}-{}", turn - 1));
                    assert_eq!(world.run(&["set", "-p", &name, "-c", "x"]).all(), (0, String::new(), ""));
                    assert_eq!(world.run(&["delete", "-p", &old]).all(), (0, String::new(), ""));
                }
            });
        }
    });
    let mut lines: Vec<String> = world.get("Procfile").lines().map(str::to_owned).collect();
    lines[2..].sort_unstable();
    let kept: Vec<String> = (0..6).map(|writer| format!("w{writer}-4: x")).collect();
    assert_eq!(lines, [&["# apps".to_owned(), "web: a".to_owned()], &kept[..]].concat());
    assert_eq!(fs::read_dir(world.0.path()).expect("a directory").count(), 1);
}

#[test]
fn what_a_killed_edit_left_goes_with_the_next_one() {
    let world = World::with("web: a\n");
    for args in [&["set", "-p", "web", "-c", "a"][..], &["set", "-p", "web", "-c", "b"]] {
        world.put(".Procfile.procfile-util", "web: ha");
        assert_eq!(world.run(args).all(), (0, String::new(), ""));
        assert!(!world.path(".Procfile.procfile-util").exists(), "{args:?}");
    }
    assert_eq!(world.get("Procfile"), "web: b\n");
}

#[test]
fn an_edit_can_be_tried_first() {
    let world = World::with("web: a\n");
    let diff = world.run(&["set", "-p", "web", "-c", "b", "--diff"]);
    assert_eq!(diff.text(), "--- Procfile\n+++ Procfile\n@@ -1,1 +1,1 @@\n-web: a\n+web: b\n");
    assert_eq!(world.run(&["set", "-p", "web", "-c", "b", "--check"]).all(), (1, String::new(), ""));
    assert_eq!(world.run(&["set", "-p", "web", "-c", "a", "--check"]).all(), (0, String::new(), ""));
    assert_eq!(world.get("Procfile"), "web: a\n");
}

#[test]
fn what_would_not_read_back_leaves_the_file_alone() {
    let world = World::with("web: a\n");
    for (args, message) in [
        (["set", "-p", "a b", "-c", "x"], "invalid process type: \"a b\""),
        (["set", "-p", "x", "-c", "a\nevil: b"], "command must be a single line"),
        (
            ["set", "-p", "x", "-c", "a # b"],
            "command would be read back as \"a\": a blank before # or // begins a comment",
        ),
        (["set", "-p", "x", "-c", ""], "--command is required"),
    ] {
        assert_eq!(world.run(&args).all(), (1, String::new(), format!(" !     {message}\n").as_str()));
    }
    assert_eq!(world.get("Procfile"), "web: a\n");
}
