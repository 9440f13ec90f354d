//! What every format makes of names that it cannot hold, and of a command that must not run again and again.

use std::fs;
use std::io::Write as _;

use crate::{Ran, World};

#[path = "export/written.rs"]
mod written;

const FORMATS: [&str; 12] = [
    "systemd",
    "systemd-user",
    "sysv",
    "upstart",
    "runit",
    "launchd",
    "supervisord",
    "s6",
    "openrc",
    "compose",
    "quadlet",
    "kubernetes",
];

fn printed(world: &World, format: &str, more: &[&str]) -> Ran {
    let args = ["export", "--app", "demo", "--image", "demo", "--format", format, "--stdout"];
    world.run(&[&args[..], more].concat())
}

#[test]
fn every_legal_name_can_be_exported_to_every_format() {
    let long = "a_".repeat(31);
    let world = World::with(format!("health_check: a\nWeb: b\n-x-: c\n{long}: d\n{long}b: e\n0: f\n_: g\n"));
    for format in FORMATS {
        for app in ["demo", "My_App", "a.b@c"] {
            let ran = printed(&world, format, &["--app", app]);
            assert_eq!(ran.status, 0, "{format} {app}: {}", ran.stderr);
        }
    }
}

#[test]
fn a_name_is_mapped_to_a_dns_label_for_kubernetes_with_a_note() {
    let world = World::with("health_check: bin/health\nweb: bin/web\nMail_Queue: bin/mail\n");
    let ran = printed(&world, "kubernetes", &["--formation", "all=2"]);
    let text = ran.text();
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "==> kubernetes/demo-health-check.yaml <==",
        "name: \"demo-health-check\"",
        "- name: \"health-check\"",
        "==> kubernetes/demo-mail-queue.yaml <==",
        // The app is told the name that its Procfile has.
        "value: \"demo-health_check\"",
    ] {
        assert!(flat.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("name: \"demo-health_check\""), "{text}");
    let notes: Vec<&str> = ran.stderr.lines().map(|line| line.split(':').nth(1).unwrap_or(line)).collect();
    assert_eq!(
        notes,
        [
            " Mail_Queue is called mail-queue in Kubernetes",
            " health_check is called health-check in Kubernetes"
        ]
    );
    assert_eq!(printed(&World::with("web: a\n"), "kubernetes", &[]).stderr, "");
}

#[test]
fn two_names_that_would_be_one_are_refused_by_name() {
    for (one, other, name) in [("my-web", "my_web", "my-web"), ("Web", "web", "web"), ("-", "_", "process")] {
        let world = World::with(format!("{one}: a\n{other}: b\n"));
        let ran = printed(&world, "kubernetes", &[]);
        let words = format!("process types {one} and {other} would both be called {name} in Kubernetes");
        assert!(ran.status == 1 && ran.stdout.is_empty() && ran.stderr.contains(&words), "{}", ran.stderr);
        assert_eq!(printed(&world, "systemd", &[]).status, 0);
        // What is not exported needs no name.
        assert_eq!(printed(&world, "kubernetes", &["--formation", &format!("{one}=1")]).status, 0);
    }
}

#[test]
fn a_file_name_that_no_file_system_holds_is_refused() {
    let world = World::with(format!("{}: x\n", "w".repeat(63)));
    let ran = printed(&world, "systemd", &["--app", &"a".repeat(200)]);
    assert!(
        ran.status == 1 && ran.stderr.contains("is over 255 bytes: use a shorter --app"),
        "{}",
        ran.stderr
    );
    assert_eq!(printed(&world, "kubernetes", &["--app", &"a".repeat(200)]).status, 0);
}

#[test]
fn release_is_no_service_unless_it_is_asked_for() {
    let world = World::with("release: bin/migrate-it\nweb: bin/web\n");
    for format in FORMATS {
        let ran = printed(&world, format, &[]);
        assert_eq!(ran.status, 0, "{format}: {}", ran.stderr);
        assert!(
            !ran.text().contains("bin/migrate-it") && ran.text().contains("bin/web"),
            "{format}: {}",
            ran.text()
        );
        assert!(ran.stderr.contains("warning: release is left out"), "{format}: {}", ran.stderr);
        let ran = printed(&world, format, &["--formation", "all=1,release=1"]);
        assert!(ran.text().contains("bin/migrate-it"), "{format}: {}", ran.text());
        assert!(ran.stderr.contains("warning: release is exported as a service"), "{format}: {}", ran.stderr);
        for quiet in ["all=1,release=0", "web=1"] {
            let ran = printed(&world, format, &["--formation", quiet]);
            assert!(!ran.stderr.contains("release"), "{format} {quiet}: {}", ran.stderr);
        }
    }
}

/// Each to every third format, and the next one to the formats that come after these; with `FORMATION_TEST_LONG=1` to all.
#[test]
fn every_real_procfile_is_exported_to_every_format() {
    let Some(corpus) = skipped::corpus("corpus/procfile") else { return };
    let stride =
        if std::env::var_os("FORMATION_TEST_LONG").is_some_and(|value| value == "1") { 1 } else { 3 };
    let mut paths: Vec<_> =
        fs::read_dir(corpus).expect("the corpus is readable").collect::<Result<_, _>>().expect("entries");
    paths.sort_by_key(fs::DirEntry::path);
    let mut exported = 0;
    for (number, path) in paths.iter().map(fs::DirEntry::path).enumerate() {
        let world = World::with(fs::read(&path).expect("a file of the corpus"));
        if world.run(&["check"]).status != 0 {
            continue;
        }
        for format in FORMATS.into_iter().skip(number % stride).step_by(stride) {
            let ran = printed(&world, format, &[]);
            assert_eq!(ran.status, 0, "{format} {}: {}", path.display(), ran.stderr);
            exported += 1;
        }
    }
    // A test's talk; where nobody listens, nothing is lost.
    let _ = writeln!(std::io::stderr(), "{exported} exports: every {stride}. format of each Procfile");
    assert!(exported > 600 / stride, "only {exported} exports");
}
