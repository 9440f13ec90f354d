//! What a test run leaves out. A test that cannot do its work on this machine (no root, no Docker engine, a program or a
//! corpus that is not here) calls [`skip`] and returns. The test harness of Rust has no word for that and counts the test
//! as passed; so the reason is written down, and `scripts/test` counts and names what was skipped at its end.

use std::env;
use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;

/// The file that `scripts/test` reads at its end; each skip adds a line to it. Not set: stderr alone.
const LIST: &str = "FORMATION_TEST_SKIPPED";

/// Notes that the test that calls this leaves something out, and why. The line is `<test file>: <test>: <reason>`.
pub fn skip(reason: impl Display) {
    let line = line(&reason.to_string());
    // Past the capture of the harness; a closed stderr must not fail a test.
    let _ = write!(io::stderr().lock(), "skipped: {line}");
    if let Some(list) = env::var_os(LIST).filter(|list| !list.is_empty()) {
        let list = Path::new(&list);
        let mut file =
            OpenOptions::new().append(true).create(true).open(list).expect("the list can be opened");
        // One write, so that tests which skip at the same time do not mix their lines.
        file.write_all(line.as_bytes()).expect("the list can be written");
    }
}

/// Files of other people and recordings of other programs, which lie beside the checkout where somebody put them:
/// `../shared/<what>`. `None`, noted as skipped, where they do not.
pub fn corpus(what: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(what);
    if !path.exists() {
        skip(format_args!("no corpus: shared/{what} is not beside this checkout"));
        return None;
    }
    Some(path)
}

/// Where `scripts/setup` keeps what it has made.
pub fn state_of_setup() -> PathBuf {
    let variable = |name: &str| env::var_os(name).map(PathBuf::from);
    let usual = || variable("XDG_STATE_HOME").unwrap_or_else(|| "/var/lib".into()).join("formation-setup");
    variable("FORMATION_SETUP_STATE").unwrap_or_else(usual)
}

/// A server of Debian, by its path without the first slash, `usr/sbin/nginx`: as `scripts/setup` has unpacked it, else as it is installed. `None`, noted as
/// skipped, where it is neither.
pub fn server(path: &str) -> Option<PathBuf> {
    let places = [state_of_setup().join("consumers"), "/".into()];
    let found = places.into_iter().map(|place| place.join(path)).find(|path| path.is_file());
    if found.is_none() {
        skip(format_args!("no {path}: scripts/setup unpacks one, for root"));
    }
    found
}

fn line(reason: &str) -> String {
    let program = env::current_exe().ok();
    let name = program.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    // Cargo adds a hash to the name of the test file.
    let file = name.rsplit_once('-').map_or(&*name, |(file, _)| file);
    let thread = thread::current();
    let test = thread.name().unwrap_or("a thread without a name");
    format!("{file}: {test}: {}\n", reason.replace('\n', " "))
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn a_line_names_file_test_and_reason_and_is_one_line() {
        assert_eq!(
            line("no engine:\nit is off"),
            "skipped: tests::a_line_names_file_test_and_reason_and_is_one_line: no engine: it is off\n"
        );
    }
}
