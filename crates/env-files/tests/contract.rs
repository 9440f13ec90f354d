//! The contract of the crate, tested from outside: several files, refusals, and what no message may contain.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use env_files::{Environment, MAX_ENV_FILE_BYTES};
use procfile::Grammar;

/// A directory of env files.
struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, content).expect("a file");
        path
    }
}

fn get<'a>(environment: &'a Environment, name: &str) -> Option<&'a OsStr> {
    environment.get(OsStr::new(name))
}

fn refusal(path: &Path) -> String {
    Environment::default().read_file(path, Grammar::Own).expect_err("it is refused")
}

#[test]
fn a_later_file_wins_and_may_refer_to_what_stands_before_it() {
    let files = Files::new();
    let (first, second) =
        (files.write("1.env", "A=1\nB=$A\n"), files.write("2.env", "# ours\nA=2\nC=$A-$B-$X\n"));
    let mut environment = Environment::new([(OsString::from("X"), OsString::from("x"))]);
    for path in [&first, &second] {
        environment.read_file(path, Grammar::Own).expect("readable");
    }
    let values: Vec<_> = ["A", "B", "C", "X", "D"].iter().map(|name| get(&environment, name)).collect();
    assert_eq!(
        values,
        [Some("2"), Some("1"), Some("2-1-x"), Some("x"), None].map(|value| value.map(OsStr::new))
    );
    assert_eq!(environment.place_of(OsStr::new("A")), Some((second.as_path(), 2)));
    assert_eq!(environment.place_of(OsStr::new("X")), None);
    let from_files: Vec<_> = environment.names_from_files().collect();
    assert_eq!(from_files, ["A", "B", "C"]);
}

#[test]
fn what_is_set_last_has_no_place_in_a_file_any_more() {
    let files = Files::new();
    let mut environment = Environment::default();
    environment.read_file(&files.write("all.env", "PORT=1\n"), Grammar::Own).expect("readable");
    environment.set("PORT", "5000");
    assert_eq!(get(&environment, "PORT"), Some(OsStr::new("5000")));
    assert_eq!(environment.place_of(OsStr::new("PORT")), None);
    assert_eq!(environment.place(OsStr::new("PORT")), "the variable PORT");
}

#[test]
fn a_value_that_is_not_utf_8_arrives_as_it_is() {
    let files = Files::new();
    let mut environment = Environment::default();
    environment.read_file(&files.write("latin1.env", b"NAME=caf\xe9\n"), Grammar::Own).expect("readable");
    assert_eq!(get(&environment, "NAME"), Some(OsStr::from_bytes(b"caf\xe9")));
}

#[test]
fn a_missing_file_has_no_variables_and_a_link_to_one_is_refused() {
    let files = Files::new();
    let mut environment = Environment::default();
    environment.read_file(&files.0.path().join("none.env"), Grammar::Own).expect("a missing file is none");
    assert_eq!(environment.iter().count(), 0);
    let link = files.0.path().join("link.env");
    symlink("none.env", &link).expect("a link");
    assert_eq!(refusal(&link), format!("{}: is a symbolic link to a file that is not there", link.display()));
}

#[test]
fn a_file_that_cannot_be_used_is_refused_with_its_path_and_line() {
    let files = Files::new();
    let wrong = files.write("wrong.env", "A=1\nno name=2\n");
    assert!(refusal(&wrong).starts_with(&format!("{}, line 2: ", wrong.display())), "{}", refusal(&wrong));
    let large = files.write("large.env", vec![b'#'; usize::try_from(MAX_ENV_FILE_BYTES).expect("small") + 1]);
    for path in [large, files.0.path().to_owned()] {
        assert!(refusal(&path).starts_with(&format!("{}: ", path.display())), "{}", refusal(&path));
    }
}

#[test]
fn a_variable_that_no_process_could_be_given_is_refused_by_name_and_place() {
    let files = Files::new();
    let path = files.write("long.env", format!("SHORT=1\nLONG={}\n", "x".repeat(128 << 10)));
    let error = refusal(&path);
    assert!(
        error.starts_with(&format!("{}, line 2: LONG has a value of 128 KiB", path.display())),
        "{error}"
    );
    let mut environment = Environment::default();
    for n in 0..100 {
        environment.set(format!("V{n}"), "x".repeat(100 << 10));
    }
    let error = environment.check().expect_err("together they are too large");
    assert!(error.contains("the largest is the variable V"), "{error}");
}

#[test]
fn a_process_can_be_given_what_is_not_refused() {
    let mut environment = Environment::new(std::env::vars_os());
    environment.set("LONG", "x".repeat((128 << 10) - 10));
    environment.check().expect("it is not refused");
    let ended = std::process::Command::new("/bin/true").env_clear().envs(environment).status();
    assert!(ended.expect("it starts").success());
}

#[test]
fn no_value_is_told_by_a_warning_an_error_or_in_debugging() {
    let files = Files::new();
    let mut environment = Environment::default();
    environment
        .read_file(&files.write("odd.env", "A=$NOPE-s3cret\nB=s3cret\n"), Grammar::Own)
        .expect("readable");
    let [warning] = environment.warnings() else { panic!("one warning: {:?}", environment.warnings()) };
    assert!(warning.contains("odd.env, line 1: A "), "{warning}");
    let told =
        format!("{warning} {environment:?} {}", refusal(&files.write("bad.env", "A=s3cret\nB=\"s3cret\n")));
    assert!(told.contains("\"A\"") && !told.contains("s3cret"), "{told}");
}
