//! The pages for newcomers (`docs/start`, `docs/moving`), run as a newcomer reads them: every command block of a page, from the
//! first to the last, in one shell and an empty home, with the programs on PATH. What a page shows as output must have come.

#[path = "ps_lifecycle/home.rs"]
#[allow(dead_code, reason = "these tests use a part of it")]
mod home;
#[path = "ps_lifecycle/program.rs"]
#[allow(dead_code, reason = "these tests use a part of it")]
mod program;

#[path = "docs/machines.rs"]
mod machines;
#[path = "docs/page.rs"]
mod page;
#[path = "docs/session.rs"]
mod session;
#[path = "docs/transcript.rs"]
mod transcript;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::page::Page;

/// Each page is a test of its own, so that they run side by side and one that fails is named.
macro_rules! pages {
    ($($test:ident: $path:literal,)*) => {
        $(#[test] fn $test() { session::run_page(&Page::read(&docs().join($path))); })*
        const PAGES: &[&str] = &[$($path),*];
    };
}

pages! {
    the_front_page: "../README.md",
    where_to_start: "start/README.md",
    from_foreman_in_ten_minutes: "start/foreman.md",
    from_pm2_in_ten_minutes: "start/pm2.md",
    inside_dokku_in_ten_minutes: "start/dokku.md",
    in_a_pipeline_in_ten_minutes: "start/pipeline.md",
    from_one_machine_to_three_in_ten_minutes: "start/swarm.md",
    coming_from_foreman: "moving/foreman.md",
    coming_from_supervisord: "moving/supervisord.md",
    coming_from_compose: "moving/compose.md",
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").canonicalize().expect("the pages are there")
}

#[test]
fn every_page_for_newcomers_is_run() {
    let mut there = BTreeSet::from(["../README.md".to_owned()]);
    for directory in ["start", "moving"] {
        for entry in fs::read_dir(docs().join(directory)).expect("a directory").flatten() {
            there.insert(format!("{directory}/{}", entry.file_name().to_string_lossy()));
        }
    }
    assert_eq!(there, PAGES.iter().map(|page| (*page).to_owned()).collect());
}
