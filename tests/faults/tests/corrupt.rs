//! Files that hold what nobody can have meant: each verb says which file and which line, within seconds, without a
//! panic, and leaves the file as it was. A formation is never guessed.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use faults::programs;
use faults::sandbox::{Ran, Sandbox};
use ps_apps::{Error, Scope, World};

/// How a file is spoiled, and what must be said of it; `None`: it is no fault.
struct Case {
    name: &'static str,
    spoil: fn(&Path),
    said: Option<&'static str>,
}

fn put(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).expect("a file");
}

fn replace(path: &Path, make: impl Fn(&Path)) {
    fs::remove_file(path).expect("removed");
    make(path);
}

fn make_fifo(path: &Path) {
    let status = Command::new("mkfifo").arg(path).status().expect("mkfifo runs");
    assert!(status.success());
}

/// 100 MB that take no room on disk.
fn grow(path: &Path) {
    File::options().write(true).open(path).and_then(|file| file.set_len(100_000_000)).expect("a large file");
}

const FORMATIONS: &[Case] = &[
    Case { name: "empty", spoil: |path| put(path, b""), said: None },
    Case { name: "CRLF", spoil: |path| put(path, b"web=1\r\nworker=2\r\n"), said: None },
    Case { name: "no final newline", spoil: |path| put(path, b"web=1\nworker=2"), said: None },
    Case { name: "blank lines", spoil: |path| put(path, b"web=1\n\nworker=2\n"), said: Some("line 2") },
    Case { name: "cut in a name", spoil: |path| put(path, b"web=1\nwor"), said: Some("line 2") },
    Case { name: "cut in a count", spoil: |path| put(path, b"web=1\nworker="), said: Some("line 2") },
    Case { name: "no number", spoil: |path| put(path, b"web=1\nworker=two\n"), said: Some("line 2") },
    Case {
        name: "a huge number",
        spoil: |path| put(path, b"web=99999999999999999999999\n"),
        said: Some("line 1"),
    },
    Case { name: "NULs", spoil: |path| put(path, &[0; 4096]), said: Some("line 1") },
    Case { name: "a NUL in a name", spoil: |path| put(path, b"web=1\nwo\0rker=2\n"), said: Some("line 2") },
    Case { name: "not UTF-8", spoil: |path| put(path, b"web=1\nw\xfferker=2\n"), said: Some("line 2") },
    Case { name: "one long line", spoil: |path| put(path, &[b'a'; 1 << 20]), said: Some("line 1") },
    Case { name: "100 MB", spoil: grow, said: Some("larger than 1 MiB") },
    Case {
        name: "a symlink",
        spoil: |path| replace(path, |path| symlink("/etc/passwd", path).expect("a link")),
        said: Some("symbolic link"),
    },
    Case {
        name: "a directory",
        spoil: |path| replace(path, |path| fs::create_dir(path).expect("a directory")),
        said: Some("not a file"),
    },
    Case { name: "a FIFO", spoil: |path| replace(path, make_fifo), said: Some("not a file") },
];

const PROPERTIES: &[Case] = &[
    Case { name: "empty", spoil: |path| put(path, b""), said: None },
    Case { name: "a final newline", spoil: |path| put(path, b"always\n"), said: None },
    Case { name: "NULs", spoil: |path| put(path, &[0; 4096]), said: Some("NUL") },
    Case { name: "not UTF-8", spoil: |path| put(path, b"al\xffways"), said: Some("line 1") },
    Case { name: "100 MB", spoil: grow, said: Some("larger than 1 MiB") },
    Case {
        name: "a symlink",
        spoil: |path| replace(path, |path| symlink("/etc/passwd", path).expect("a link")),
        said: Some("symbolic link"),
    },
    Case {
        name: "a directory",
        spoil: |path| replace(path, |path| fs::create_dir(path).expect("a directory")),
        said: Some("not a file"),
    },
    Case { name: "a FIFO", spoil: |path| replace(path, make_fifo), said: Some("not a file") },
];

fn sandbox() -> Sandbox {
    programs::build().expect("the programs build");
    let sandbox = Sandbox::new().expect("a sandbox");
    for line in [
        "apps-on-disk create hello",
        "apps-on-disk formation hello web=1 -- worker=0",
        "apps-on-disk set hello restart-policy no",
    ] {
        assert!(run(&sandbox, line).status.success(), "{line}");
    }
    sandbox
}

fn run(sandbox: &Sandbox, line: &str) -> Ran {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let started = Instant::now();
    let ran = sandbox.run(&words).expect("a run");
    let took = started.elapsed();
    assert!(took < Duration::from_secs(60), "{line} took {took:?}");
    assert!(!ran.stderr.contains("panicked"), "{line}: {}", ran.stderr);
    assert!(ran.status.code().is_some_and(|code| code < 124), "{line}: {}", ran.status);
    ran
}

/// What lies at a path, without following or reading what cannot be read.
fn look(path: &Path) -> (fs::FileType, u64, Option<Vec<u8>>) {
    let metadata = path.symlink_metadata().expect("it is still there");
    let is_small = metadata.is_file() && metadata.len() <= 1 << 20;
    (metadata.file_type(), metadata.len(), is_small.then(|| fs::read(path).expect("a file")))
}

/// Runs `lines` against each spoilt `file`: all must refuse it, or none if it is no fault.
fn each(file: &str, cases: &[Case], lines: &[&str]) {
    for Case { name, spoil, said } in cases {
        let sandbox = sandbox();
        let path = sandbox.world().join("lib/config/ps/hello").join(file);
        spoil(&path);
        let before = look(&path);
        for line in lines {
            let ran = run(&sandbox, line);
            match said {
                None => assert!(ran.status.success(), "{file} with {name}: {line}: {}", ran.stderr),
                Some(said) => {
                    assert_eq!(ran.status.code(), Some(1), "{file} with {name}: {line}: {}", ran.stderr);
                    let is_told =
                        ran.stderr.contains(said) && ran.stderr.contains(&path.display().to_string());
                    assert!(is_told, "{file} with {name}: {line} says {:?}, not {said:?}", ran.stderr);
                    assert!(look(&path) == before, "{file} with {name}: {line} changed it");
                }
            }
        }
    }
}

#[test]
fn a_spoilt_formation_is_named_by_file_and_line() {
    each(
        "scale",
        FORMATIONS,
        &["ps-scale hello", "ps-scale hello --json", "ps-scale --skip-deploy hello web=2"],
    );
}

#[test]
fn a_spoilt_list_of_old_types_is_named_too() {
    each("scale.old", FORMATIONS, &["ps-scale hello", "ps-scale --skip-deploy hello web=2"]);
}

#[test]
fn a_spoilt_property_is_named_and_can_be_set_again() {
    each("restart-policy", PROPERTIES, &["ps-set --get hello restart-policy"]);
    for Case { name, spoil, .. } in PROPERTIES.iter().filter(|case| case.name != "a directory") {
        let sandbox = sandbox();
        let path = sandbox.world().join("lib/config/ps/hello/restart-policy");
        spoil(&path);
        let ran = run(&sandbox, "ps-set hello restart-policy always");
        assert!(ran.status.success(), "{name}: {}", ran.stderr);
        assert_eq!(fs::read(&path).expect("a file"), b"always", "{name}");
    }
    assert!(!fs::read("/etc/passwd").expect("a file").starts_with(b"always"), "a symlink was followed");
}

#[test]
fn a_directory_in_the_place_of_a_file_is_left_alone() {
    let sandbox = sandbox();
    let path = sandbox.world().join("lib/config/ps/hello/restart-policy");
    replace(&path, |path| fs::create_dir(path).expect("a directory"));
    put(&path.join("precious"), b"data");
    for line in ["ps-set hello restart-policy always", "ps-set hello restart-policy"] {
        let ran = run(&sandbox, line);
        assert_eq!(ran.status.code(), Some(1), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains("restart-policy"), "{line}: {}", ran.stderr);
        assert_eq!(fs::read(path.join("precious")).expect("a file"), b"data");
    }
}

#[test]
fn a_report_goes_on_where_a_file_is_spoilt() {
    for (file, cases) in [("scale", FORMATIONS), ("restart-policy", PROPERTIES)] {
        for Case { spoil, .. } in cases {
            let sandbox = sandbox();
            spoil(&sandbox.world().join("lib/config/ps/hello").join(file));
            run(&sandbox, "ps-report hello");
            run(&sandbox, "ps-report --json");
        }
    }
}

#[test]
fn the_library_says_what_kind_of_fault_it_is() {
    let sandbox = sandbox();
    let world = World::new(sandbox.world().join("home"), sandbox.world().join("lib"));
    let app = world.app("hello").expect("an app").name;
    let dir = sandbox.world().join("lib/config/ps/hello");
    put(&dir.join("scale"), b"web=1\nworker\n");
    let fault = world.formation(&app).expect_err("a spoilt formation");
    assert!(matches!(fault, Error::Corrupt { line: Some(2), .. }), "{fault:?}");
    put(&dir.join("restart-policy"), &[0; 10]);
    let fault = world.property("ps", Scope::App(&app), "restart-policy").expect_err("a spoilt property");
    assert!(matches!(fault, Error::Corrupt { .. }), "{fault:?}");
    let settled = world.property("ps", Scope::App(&app), "never-set").expect("no fault");
    assert_eq!(settled, None);
}
