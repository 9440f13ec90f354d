//! `procfile-util` as a shell sees it: a file for each verb, one for the recorded cases of the original, one for golden cases of our
//! own, and one for the programs that read what is exported.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

#[path = "procfile_util/check.rs"]
mod check;
#[path = "procfile_util/consumers.rs"]
mod consumers;
#[path = "procfile_util/export.rs"]
mod export;
#[path = "procfile_util/fmt.rs"]
mod fmt;
#[path = "procfile_util/golden.rs"]
mod golden;
#[path = "procfile_util/help.rs"]
mod help;
#[path = "procfile_util/import.rs"]
mod import;
#[path = "procfile_util/inputs.rs"]
mod inputs;
#[path = "procfile_util/proposals.rs"]
mod proposals;
#[path = "procfile_util/recorded.rs"]
mod recorded;
#[path = "procfile_util/set.rs"]
mod set;
#[path = "procfile_util/show.rs"]
mod show;
#[path = "procfile_util/streams.rs"]
mod streams;

const PROGRAM: &str = env!("CARGO_BIN_EXE_procfile-util");
const DEADLINE: Duration = Duration::from_secs(60);

/// A directory of its own, with umask 022 and an empty environment.
struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary directory"))
    }

    fn with(procfile: impl AsRef<[u8]>) -> Self {
        let world = Self::new();
        world.put("Procfile", procfile);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a file has a directory")).expect("a directory");
        fs::write(path, bytes).expect("a file");
    }

    /// The text of a file, if it is there.
    fn text(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok()
    }

    /// The names of what lies in the directory, sorted.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).expect("the directory is there");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<String> = entries.map(|e| name(e).to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn get(&self, name: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(name)).expect("a file that is there")).into_owned()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "umask 022; exec \"$0\" \"$@\"", PROGRAM]).args(args);
        command.current_dir(self.0.path()).env_clear().env("PATH", "/usr/bin:/bin");
        command.env("HOME", self.0.path());
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args), b"")
    }

    fn feed(&self, args: &[&str], stdin: &[u8]) -> Ran {
        Ran::of(self.command(args), stdin)
    }
}

/// What came of a run.
#[derive(Debug)]
struct Ran {
    status: i32,
    stdout: Vec<u8>,
    stderr: String,
}

impl Ran {
    fn of(command: Command, stdin: &[u8]) -> Self {
        let mut command = assert_cmd::Command::from_std(command);
        command.timeout(DEADLINE).write_stdin(stdin.to_vec());
        // A copy of the program may still be open for writing in a child that another test has just forked.
        let begin = Instant::now();
        let output: Output = loop {
            match command.output() {
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && begin.elapsed() < DEADLINE => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                ran => break ran.expect("the program runs"),
            }
        };
        Self {
            status: output.status.code().expect("the program ends within its deadline"),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    fn all(&self) -> (i32, String, &str) {
        (self.status, self.text(), &self.stderr)
    }
}

fn files_below(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut found, mut ahead) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(at) = ahead.pop() {
        for entry in fs::read_dir(&at).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                ahead.push(path);
            } else {
                let name = path.strip_prefix(directory).expect("below").to_string_lossy().into_owned();
                found.push((name, fs::read(&path).expect("a golden file")));
            }
        }
    }
    found
}

fn has(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", "command -v \"$0\" >/dev/null", program]).status();
    let found = found.is_ok_and(|status| status.success());
    if !found {
        skipped::skip(format_args!("no {program}"));
    }
    found
}

fn tool(world: &World, program: &str, args: &[&str]) -> Ran {
    let mut command = Command::new(program);
    command.args(args).current_dir(world.0.path());
    Ran::of(command, b"")
}

fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "{what} did not happen in {DEADLINE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
