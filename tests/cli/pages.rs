//! Man pages and completions of every program, as a packager would make them.

use std::fs;
use std::process::Command;

const PROGRAMS: [&str; 11] = [
    "ps-balance",
    "ps-explain",
    "ps-inspect-sanitize",
    "ps-lifecycle",
    "ps-logs",
    "ps-node",
    "ps-pm2",
    "ps-report",
    "ps-scale",
    "ps-set",
    "ps-supervise",
];

#[test]
fn every_program_has_a_man_page_with_an_example_and_completions_that_their_shell_can_read() {
    let out = tempfile::tempdir().expect("a temporary directory");
    let made = Command::new(env!("CARGO_BIN_EXE_pages")).arg(out.path()).status().expect("pages runs");
    assert!(made.success());
    for program in PROGRAMS {
        let page = fs::read_to_string(out.path().join(format!("man/man1/{program}.1"))).expect("a man page");
        for part in [".SH NAME", ".SH SYNOPSIS", "Examples:"] {
            assert!(page.contains(part), "{program}.1 has no {part}");
        }
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
