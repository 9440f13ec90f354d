//! What a program says about the crates that it was built from, for whoever looks for one with a known fault in a machine's programs.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::home::programs;
use crate::script;

/// A program that needs little; and one that needs what that one does not.
const SAYS: &str = "ps-inspect-sanitize";
const OTHER: &str = "ps-set";

/// `PATH` with the directory of cargo-auditable in front. `None`, noted as skipped: there is none.
fn with_auditable() -> Option<String> {
    let path = format!(
        "{}:{}",
        skipped::state_of_setup().join("tools/bin").display(),
        env::var("PATH").unwrap_or_default()
    );
    if !env::split_paths(&path).any(|place| place.join("cargo-auditable").is_file()) {
        skipped::skip("no cargo-auditable: scripts/setup builds one");
        return None;
    }
    Some(path)
}

/// Builds a program that says what it is made of, beside today's.
fn built(path: &str) -> PathBuf {
    let target =
        programs().parent().expect("a profile's directory lies in the target directory").join("auditable");
    if !target.exists() {
        let borrowed = Command::new(script("tests/borrow")).arg(programs()).arg(&target).status();
        assert!(borrowed.expect("bash runs").success(), "the libraries of today's build");
    }
    let mut cargo = Command::new("cargo");
    cargo.args(["auditable", "build", "--quiet", "--locked", "--package", SAYS, "--target-dir"]).arg(&target);
    // The variable that has test programs tell their times would have everything built anew.
    cargo
        .current_dir(script("."))
        .env("PATH", path)
        .env("CARGO_INCREMENTAL", "0")
        .env_remove("RUSTC_BOOTSTRAP");
    let ended = cargo.output().expect("cargo runs");
    assert!(ended.status.success(), "{ended:?}");
    target.join("debug").join(SAYS)
}

fn package(words: &[&Path]) -> Output {
    Command::new(script("scripts/package")).args(words).output().expect("bash runs")
}

#[test]
fn a_program_says_which_crates_it_was_built_from_and_those_are_in_the_bill_of_materials() {
    let Some(path) = with_auditable() else { return };
    let place = tempfile::tempdir().expect("a folder");
    let program = built(&path);
    fs::create_dir(place.path().join("bin")).expect("made");
    fs::copy(&program, place.path().join("bin").join(SAYS)).expect("copied");
    let bill = package(&["--bill".as_ref()]);
    assert!(bill.status.success(), "{bill:?}");
    fs::write(place.path().join("formation.cdx.json"), &bill.stdout).expect("written");

    let audited = package(&["--audit".as_ref(), place.path()]);
    let said = String::from_utf8_lossy(&audited.stderr);
    assert!(audited.status.success(), "{said}");
    let counts: Vec<u64> = said
        .split(|character: char| !character.is_ascii_digit())
        .filter_map(|word| word.parse().ok())
        .collect();
    let [all, silent, crates, _] = counts[..] else { panic!("{said}") };
    assert_eq!(silent, all - 1, "{said}");
    assert!(crates > 40, "those of clap and serde_json alone are as many: {said}");

    // One that was built from other crates than it says.
    fs::copy(&program, place.path().join("bin").join(OTHER)).expect("copied");
    let audited = package(&["--audit".as_ref(), place.path()]);
    let said = String::from_utf8_lossy(&audited.stderr);
    assert_eq!(audited.status.code(), Some(1), "{said}");
    assert!(
        said.contains("ps-set does not say that it was built from: ") && said.contains(" ps-set 1."),
        "{said}"
    );
}
