//! The same with other majors of Node, which npm installs where a registry answers. Only in long runs: each has tens of megabytes.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::clients::gets;
use crate::fleet::{Fleet, app, port};
use crate::reloads::{Manner, reload};

const MAJORS: [u32; 8] = [4, 6, 12, 16, 18, 22, 24, 26];

/// The program of a major, installed beside the tests and kept there.
fn installed(major: u32) -> Option<PathBuf> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("node-{major}"));
    let program = directory.join("node_modules/node/bin/node");
    if !program.exists() {
        std::fs::create_dir_all(&directory).expect("a directory");
        std::fs::write(directory.join("package.json"), "{}").expect("written");
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", &format!("node@{major}")]).current_dir(&directory);
        let is_installed = npm.output().is_ok_and(|output| output.status.success());
        if !is_installed || !program.exists() {
            skipped::skip(format_args!("npm installs no node@{major}"));
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
        // Earlier ones do not read NODE_OPTIONS, so nobody asks clients to leave.
        let manner = if major < 8 { Manner::ToldWithoutKept } else { Manner::Told };
        let seen = reload(&node, 2, 3, manner);
        let (processes, lost) = (seen.by_process.len(), seen.failed.len());
        eprintln!("Node {major}: {} answered by {processes} processes, {lost} failed", seen.answered);
        assert_eq!(seen.failed, [""; 0], "Node {major}");
    }
}
