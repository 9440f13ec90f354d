//! The native scheduler keeps the promises of every scheduler, with the real supervisor and real processes.

mod rollouts;

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use formation::RestartPolicy;
use ps_apps::World;
use ps_scheduler::{Source, conformance};
use ps_scheduler_native::Native;

/// `ps-supervise` of the same build. `scripts/test` builds it with the tests, and sets a variable that says so. If cargo built the
/// programs alone, it would compile many crates again with other features, and replace the programs that other tests run.
pub(crate) fn supervise() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let test = std::env::current_exe().expect("a test has a path");
        let directory = test.parent().and_then(|deps| deps.parent()).expect("target/<profile>/deps/<test>");
        let is_built = std::env::var_os("FORMATION_TEST_PROGRAMS_ARE_BUILT").is_some() || build();
        let program = directory.join("ps-supervise");
        assert!(is_built && program.is_file(), "ps-supervise is not at {}", program.display());
        program
    });
    program.clone()
}

/// Whether the programs could be built.
fn build() -> bool {
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--workspace", "--bins"]);
    // `scripts/test` sets this variable for test programs alone; with it cargo would build everything again.
    build.env_remove("RUSTC_BOOTSTRAP").status().expect("cargo runs").success()
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
