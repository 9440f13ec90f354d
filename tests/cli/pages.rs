//! Man pages and completions of every program, as a packager would make them, and the documentation as a site.

#[path = "support/pseudo_terminal.rs"]
mod pseudo_terminal;
#[path = "pages/shells.rs"]
mod shells;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const PROGRAMS: [&str; 14] = [
    "ps-balance",
    "ps-explain",
    "ps-inspect-sanitize",
    "ps-lifecycle",
    "ps-logs",
    "ps-node",
    "ps-notify",
    "ps-pm2",
    "ps-report",
    "ps-scale",
    "ps-set",
    "ps-supervise",
    "ps-web",
    "ps-top",
];

#[test]
fn every_program_has_a_man_page_with_an_example_and_completions_that_their_shell_can_read() {
    let out = tempfile::tempdir().expect("a temporary directory");
    let made = Command::new(env!("CARGO_BIN_EXE_pages")).arg(out.path()).status().expect("pages runs");
    assert!(made.success());
    for program in PROGRAMS {
        let page = fs::read_to_string(out.path().join(format!("man/man1/{program}.1"))).expect("a man page");
        for part in [".SH NAME", ".SH SYNOPSIS", ".SH EXAMPLES\n.nf\n"] {
            assert!(page.contains(part), "{program}.1 has no {part}");
        }
        assert!(!page.contains(".SH EXTRA"), "{program}.1");
        let bash = out.path().join(format!("completions/bash/{program}.bash"));
        let read = Command::new("bash").arg("-n").arg(&bash).status().expect("bash runs");
        assert!(read.success(), "{}", bash.display());
        for path in [format!("completions/zsh/_{program}"), format!("completions/fish/{program}.fish")] {
            assert!(fs::metadata(out.path().join(&path)).expect("a completion").len() > 0, "{path}");
        }
    }
    let verbs = fs::read_dir(out.path().join("man/man1")).expect("man pages").count();
    assert!(verbs > PROGRAMS.len() + 10, "the verbs of ps-lifecycle have pages of their own");
}

#[test]
fn without_a_directory_it_says_what_it_needs() {
    let ended = Command::new(env!("CARGO_BIN_EXE_pages")).output().expect("pages runs");
    assert!(!ended.status.success() && String::from_utf8_lossy(&ended.stderr).contains("usage: pages DIR"));
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn site(out: &Path, checkout: &Path) -> Output {
    let mut pages = Command::new(env!("CARGO_BIN_EXE_pages"));
    pages.arg("--site").arg(out).arg(checkout).output().expect("pages runs")
}

/// The pages of Markdown below a directory.
fn pages_of(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory").flatten().map(|entry| entry.path());
    entries
        .flat_map(|path| if path.is_dir() { pages_of(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

#[test]
fn the_site_has_every_page_of_docs_and_each_link_of_it_leads_to_a_file_of_it() {
    let out = tempfile::tempdir().expect("a temporary directory");
    let made = site(out.path(), &checkout());
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let docs = checkout().join("docs");
    for page in pages_of(&docs) {
        let place = out.path().join("docs").join(page.strip_prefix(&docs).expect("it lies there"));
        let place = if place.ends_with("README.md") {
            place.with_file_name("index.html")
        } else {
            place.with_extension("html")
        };
        let text = fs::read_to_string(&place);
        let text = text.unwrap_or_else(|_| panic!("no page leads to {}", page.display()));
        for link in text.split("href=\"").skip(1).filter_map(|rest| rest.split(['"', '#']).next()) {
            let is_elsewhere = link.contains(':') || link.is_empty();
            assert!(is_elsewhere || place.with_file_name(link).is_file(), "{}: {link}", place.display());
        }
    }
    assert!(out.path().join("help/ps-lifecycle.html").is_file() && out.path().join("index.html").is_file());
}

#[test]
fn a_link_that_leads_nowhere_is_named_with_its_page() {
    let (out, checkout) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("another"));
    for (text, says) in [
        ("# A\n\n[b](b.md)\n", "README.md: leads nowhere: b.md"),
        ("# A\n\n[b](#b)\n", "README.md: leads to a heading that is not there: README.md#b"),
    ] {
        fs::write(checkout.path().join("README.md"), text).expect("a page");
        let refused = site(out.path(), checkout.path());
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains(says), "{said}");
    }
}
