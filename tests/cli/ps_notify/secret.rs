//! The address is nowhere but in its file.

use std::fs;
use std::path::Path;

use crate::home::{Home, eventually};
use crate::receiver::{Place, Receiver, SECRET, deploy, failures, home_of, kill, tellers};

/// The files below a directory that have the address.
fn holders(directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => holders(&path, found),
            Ok(kind) if kind.is_file() => {
                let bytes = fs::read(&path).unwrap_or_default();
                if bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()) {
                    found.push(path.display().to_string());
                }
            }
            Ok(_) | Err(_) => (),
        }
    }
}

fn is_silent_about_it(home: &Home, words: &[&str]) -> String {
    let ran = home.run(words);
    assert!(!ran.stdout.contains(SECRET) && !ran.stderr.contains(SECRET), "{words:?}: {ran:?}");
    ran.stdout
}

#[test]
fn no_file_no_list_of_processes_and_no_program_shows_the_address() {
    let Some(receiver) = Receiver::start("never 500") else { return };
    let home = home_of(&receiver.address());
    deploy(&home, "no");
    receiver.try_of("deploy-finished", "never");
    assert!(!tellers(&home).is_empty());
    for (pid, words) in home.processes() {
        let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
        let environment = String::from_utf8_lossy(&environment).into_owned();
        assert!(!words.contains(SECRET) && !environment.contains(SECRET), "{words}");
    }
    kill(&home);
    receiver.takes("process-crashed");
    for words in [
        &["ps-set", "shop"][..],
        &["ps-set", "--list", "shop"],
        &["ps-set", "--list", "--json", "--global", "shop"],
        &["ps-set", "--list", "--format", "csv", "shop"],
        &["ps-set", "--get", "shop", "webhook"],
        &["ps-set", "--get", "--global", "webhook"],
        &["ps-set", "shop", "webhook", &format!("ftp://example.org{SECRET}")],
        &["ps-set", "shop", "webhook", &format!("http://example.org{SECRET}")],
        &["ps-report", "shop"],
        &["ps-report", "--json"],
        &["ps-report", "--settings", "--json"],
        &["ps-lifecycle", "events", "shop", "--json"],
        &["ps-lifecycle", "doctor"],
        &["ps-explain", "shop", "--json"],
    ] {
        is_silent_about_it(&home, words);
    }
    assert_eq!(is_silent_about_it(&home, &["ps-set", "--get", "shop", "webhook"]), "[redacted]\n");
    let mut found = Vec::new();
    holders(&home.path("lib"), &mut found);
    found.sort();
    let files = ["--global", "shop"]
        .map(|whose| home.path(&format!("lib/config/ps/{whose}/webhook")).display().to_string());
    assert_eq!(found, files);
}

#[test]
fn a_stored_value_that_is_no_address_is_said_without_it() {
    let home = Place::new();
    home.write("lib/config/ps/--global/webhook", &format!("mailto:x@example.org{SECRET}"));
    deploy(&home, "no");
    let said = eventually("it is said", || failures(&home).pop().ok_or_else(|| "nothing".to_owned()));
    assert!(said.contains("webhook cannot be \"[redacted]\"") && !said.contains(SECRET), "{said}");
    is_silent_about_it(&home, &["ps-set", "--list", "shop"]);
}
