//! The native scheduler keeps the promises of every scheduler, with the real supervisor and real processes.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use formation::RestartPolicy;
use ps_apps::World;
use ps_scheduler::{Source, conformance};
use ps_scheduler_native::Native;

/// `ps-supervise` of the same build, built if it is not there yet.
fn supervise() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let directory = test.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps/<test>");
    let program = directory.join("ps-supervise");
    let built = Command::new(env!("CARGO")).args(["build", "--quiet", "-p", "ps-supervise"]).status();
    assert!(
        built.expect("cargo runs").success() && program.is_file(),
        "ps-supervise is not at {}",
        program.display()
    );
    program
}

#[test]
fn native_keeps_the_promises() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let world = World::new(home.path().join("home"), home.path().join("lib"));
    for root in [world.root(), world.lib()] {
        std::fs::create_dir_all(root).expect("a root");
    }
    let source = tempfile::tempdir().expect("a source directory");
    let native = Native::new(&world).with_supervise(supervise());
    conformance::check(
        &native,
        &conformance::Subject {
            source: Source::Directory(source.path().to_owned()),
            command: Some("trap 'exit 0' TERM; while :; do sleep 0.05; done".to_owned()),
            restart_policy: RestartPolicy::Always,
            stop_timeout: Duration::from_secs(5),
        },
    );
}
