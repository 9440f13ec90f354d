//! What stays in memory: the resident program of an installation, and how much a root and a supervisor keep.

use std::fs::{self, File};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::root::{Roots, kill};

#[test]
fn a_root_that_is_started_in_the_words_of_verbs_and_init_systems_keeps_no_parser_of_options_in_memory() {
    let anonymous_kib = |root: u32| {
        let rollup = fs::read_to_string(format!("/proc/{root}/smaps_rollup")).expect("it lives");
        let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).expect("Linux counts it");
        kib.parse::<u32>().expect("a number")
    };
    let mut usual = Roots::new();
    let mut parsed = Roots::new();
    let option = format!("--root={}", parsed.lib.path().display());
    parsed.started.push(parsed.program().arg(option).spawn().expect("ps-supervise starts"));
    parsed.client();
    let (usual, parsed) = (anonymous_kib(usual.start(&[])), anonymous_kib(parsed.started[0].id()));
    assert!(
        usual + 64 < parsed,
        "{usual} KiB are not less than {parsed} KiB of one that a parser has read for"
    );
}

#[test]
fn what_stays_in_memory_is_the_resident_program_of_the_installation_under_the_same_name() {
    let installed = TempDir::new().expect("a temporary directory");
    let [bin, libexec] = ["bin", "libexec/formation"].map(|place| installed.path().join(place));
    for (place, program) in
        [(&bin, env!("CARGO_BIN_EXE_ps-supervise")), (&libexec, env!("CARGO_BIN_EXE_ps-supervise-resident"))]
    {
        fs::create_dir_all(place).expect("made");
        fs::copy(program, place.join("ps-supervise")).expect("copied");
    }
    let (program, resident) = (bin.join("ps-supervise"), libexec.join("ps-supervise"));
    let mut roots = Roots::new();
    roots.programs = bin;
    roots.app("shop", "exec sleep 1000");
    let root = roots.start(&["--while-needed"]);
    let (supervisor, process) = roots.run("shop");
    let is_resident = |pid: u32| {
        let executed = fs::read_link(format!("/proc/{pid}/exe")).expect("it lives");
        let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).expect("it lives");
        let called = words.split('\0').next().unwrap_or_default().to_owned();
        executed == resident.canonicalize().expect("there") && called.ends_with("/ps-supervise")
    };
    assert!(is_resident(root) && is_resident(supervisor));
    assert!(!roots.client().is_of_another_program(&program).expect("it answers"));
    let greeting = ps_supervisor::Client::connect(&roots.service("shop"))
        .and_then(|mut client| client.hello(Instant::now() + Duration::from_secs(10)))
        .expect("it answers");
    let build = greeting.and_then(|greeting| greeting.build).expect("it is of today");
    assert_eq!(build, ps_supervisor::Build::at(&program).expect("there"));
    kill(supervisor, Signal::KILL);
    let next = roots.supervisor_after("shop", supervisor);
    assert!(is_resident(next));
    assert_eq!(roots.running("shop"), process, "the app did not notice");
    let words = Command::new(&resident).arg("web").output().expect("it runs");
    assert_eq!(words.status.code(), Some(2), "{words:?}");
    // An upgrade by hand, which replaces the programs and leaves this one, and one which removes it.
    let is_ordinary = |pid: u32| {
        let executed = fs::read_link(format!("/proc/{pid}/exe")).expect("it lives");
        executed == program.canonicalize().expect("there")
    };
    let made = File::open(&program).and_then(|file| file.metadata()?.modified()).expect("a time");
    let older = made - Duration::from_secs(1);
    File::open(&resident).and_then(|file| file.set_modified(older)).expect("it is ours");
    let mut before = next;
    for is_there in [true, false] {
        if !is_there {
            fs::remove_dir_all(&libexec).expect("removed");
        }
        kill(before, Signal::KILL);
        before = roots.supervisor_after("shop", before);
        assert!(is_ordinary(before), "an older one is there: {is_there}");
        assert_eq!(roots.running("shop"), process, "the app did not notice");
    }
}
