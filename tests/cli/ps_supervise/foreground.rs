//! A Procfile in the foreground, as a person would run it.

#[path = "foreground/ends.rs"]
mod ends;
#[path = "foreground/first.rs"]
mod first;
#[path = "foreground/options.rs"]
mod options;
#[path = "foreground/order.rs"]
mod order;
#[path = "foreground/output.rs"]
mod output;
#[path = "foreground/ports.rs"]
mod ports;
#[path = "foreground/pty.rs"]
mod pty;
#[path = "foreground/ready.rs"]
mod ready;
#[path = "foreground/state.rs"]
mod state;
#[path = "foreground/terminal.rs"]
mod terminal;
#[path = "foreground/watch.rs"]
mod watch;

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::service::{eventually, eventually_seen};

/// A source directory and a runtime directory of its own.
struct Source {
    directory: TempDir,
    runtime: TempDir,
    variables: Vec<(String, String)>,
}

/// How a foreground ended.
struct Ended {
    status: ExitStatus,
    out: Vec<u8>,
    err: String,
}

impl Ended {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// What came after the bar of each line.
    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> =
            self.text().lines().filter_map(|line| Some(line.split_once(" | ")?.1.to_owned())).collect();
        lines.sort();
        lines
    }

    fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| -self.status.signal().unwrap_or(0))
    }
}

impl Source {
    fn new(procfile: &str) -> Self {
        let source = Self {
            directory: TempDir::new().expect("a temporary directory"),
            runtime: TempDir::new().expect("a temporary directory"),
            variables: Vec::new(),
        };
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(source.runtime.path(), private).expect("it is ours");
        source.file("Procfile", procfile)
    }

    fn file(self, name: &str, content: &str) -> Self {
        fs::write(self.path().join(name), content).expect("written");
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ps-supervise"));
        self.prepare(&mut command);
        command.args(args);
        command
    }

    fn prepare(&self, command: &mut Command) {
        command.current_dir(self.path()).env_remove("PORT").env_remove("NO_COLOR");
        command.env("XDG_RUNTIME_DIR", self.runtime.path()).envs(self.variables.iter().cloned());
        command.stdin(Stdio::null());
    }

    fn start(&self, args: &[&str]) -> Running<'_> {
        self.start_command(self.command(args))
    }

    fn start_command(&self, mut command: Command) -> Running<'_> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let out = Taken::of(child.stdout.take().expect("a pipe"));
        let err = Taken::of(child.stderr.take().expect("a pipe"));
        Running { source: self, child, out, err }
    }

    /// Runs it to its end.
    fn run(&self, args: &[&str]) -> Ended {
        self.start(args).end()
    }

    /// Every live process of its instances.
    fn processes(&self) -> Vec<u32> {
        let mark = format!("FORMATION_INSTANCE={}/", self.runtime.path().display()).into_bytes();
        let has_mark =
            |pid: &u32| environment_of(*pid).split(|byte| *byte == 0).any(|entry| entry.starts_with(&mark));
        let entries = fs::read_dir("/proc").expect("/proc is there");
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(has_mark).collect()
    }

    /// What lies in the runtime directory.
    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.runtime.path()).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }
}

/// A process that is just executing another program has no environment for a moment: then it is read again.
fn environment_of(pid: u32) -> Vec<u8> {
    let is_program = || fs::read_link(format!("/proc/{pid}/exe")).is_ok();
    let read = || fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mut environment = read();
    for _ in 0..50 {
        if !environment.is_empty() || !is_program() {
            break;
        }
        thread::sleep(Duration::from_millis(1));
        environment = read();
    }
    environment
}

impl Drop for Source {
    fn drop(&mut self) {
        for pid in self.processes().into_iter().filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// What a stream has said so far.
struct Taken {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Taken {
    fn of(mut stream: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 1 << 13];
            while let Ok(n @ 1..) = stream.read(&mut buffer) {
                taken.lock().expect("no panic").extend_from_slice(&buffer[..n]);
            }
        });
        Self { bytes, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("no panic")).into_owned()
    }

    fn end(self) -> Vec<u8> {
        self.reader.join().expect("no panic");
        std::mem::take(&mut *self.bytes.lock().expect("no panic"))
    }
}

struct Running<'a> {
    source: &'a Source,
    child: Child,
    out: Taken,
    err: Taken,
}

impl Running<'_> {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid")).expect("a pid");
        kill_process(pid, signal).expect("it is ours");
    }

    fn await_out(&self, words: &str) {
        Self::await_words("stdout", &self.out, words);
    }

    fn await_err(&self, words: &str) {
        Self::await_words("stderr", &self.err, words);
    }

    fn await_words(name: &str, taken: &Taken, words: &str) {
        let says = || taken.text().contains(words).then_some(());
        eventually_seen(&format!("{name} says {words:?}"), says, || taken.text());
    }

    /// Waits until stderr has these words so many times.
    fn await_err_times(&self, words: &str, times: usize) {
        let says = || (self.err.text().matches(words).count() == times).then_some(());
        eventually_seen(&format!("{times} times {words:?}"), says, || self.err.text());
    }

    /// Waits for its end, and for that of everything it started.
    fn end(mut self) -> Ended {
        let status = eventually("it ends", || self.child.try_wait().expect("it is ours"));
        eventually("nothing of it runs on", || self.source.processes().is_empty().then_some(()));
        let err = String::from_utf8_lossy(&self.err.end()).into_owned();
        Ended { status, out: self.out.end(), err }
    }
}

#[test]
fn each_line_bears_the_name_of_who_wrote_it_and_an_interrupt_ends_everything() {
    let procfile = "web: echo $GREETING from $PS; exec sleep 1000\nworker: echo I work; exec sleep 1000\n";
    let source = Source::new(procfile).file(".env", "GREETING=hello\n");
    let running = source.start(&[]);
    running.await_out("I work");
    running.await_out("hello");
    running.signal(Signal::INT);
    let ended = running.end();
    let mut lines: Vec<String> = ended.text().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["web.1    | hello from web.1", "worker.1 | I work"]);
    assert!(ended.status.success(), "{}", ended.status);
    assert_eq!(source.left(), Vec::<String>::new());
}

#[test]
fn it_ends_once_everything_has_ended() {
    let ended = Source::new("web: echo once\n").run(&[]);
    assert_eq!((ended.text().as_str(), ended.code()), ("web.1 | once\n", 0));
}

#[test]
fn a_command_of_which_a_part_will_run_is_told_with_its_line() {
    let ended = Source::new("# ours\nweb: sh -c \"echo joined #general; sleep 99\"\n").run(&["--any-exit"]);
    let told = ended.err.lines().filter(|line| line.contains("cut within quotes, line 2")).count();
    assert_eq!(told, 1, "{}", ended.err);
    let ended = Source::new("web: echo 'a' # it's \"public\"\n").run(&[]);
    assert!(!ended.err.contains("cut"), "{}", ended.err);
}

#[test]
fn a_slip_in_the_formation_of_app_json_is_told_and_a_value_that_makes_no_sense_is_refused() {
    let slip = r#"{"formation": {"web": {"quantitty": 2}}}"#;
    let ended = Source::new("web: echo a\n").file("app.json", slip).run(&[]);
    assert!(
        ended.err.contains("app.json: formation.web.quantitty is not known: did you mean quantity?"),
        "{}",
        ended.err
    );
    let wrong = r#"{"formation": {"web": {"quantity": "2"}}}"#;
    let ended = Source::new("web: echo a\n").file("app.json", wrong).run(&[]);
    let told = "app.json: formation.web.quantity: a whole number is wanted, not \"2\"";
    assert!(ended.code() == 1 && ended.err.contains(told) && ended.err.lines().count() == 1, "{}", ended.err);
}

#[test]
fn a_file_that_is_called_nearly_procfile_is_named() {
    for name in ["procfile", "PROCFILE", "Procfile.txt"] {
        let source = Source::new("").file(name, "web: true\n");
        fs::remove_file(source.path().join("Procfile")).expect("it is ours");
        let ended = source.run(&[]);
        assert_eq!(ended.code(), 1);
        assert!(ended.err.contains(&format!("rename {name} to Procfile")), "{}", ended.err);
    }
}

#[test]
fn a_directory_with_nothing_to_run_is_refused_in_one_line() {
    let source = Source::new("");
    fs::remove_file(source.path().join("Procfile")).expect("it is ours");
    let ended = source.run(&[]);
    assert_eq!(ended.code(), 1);
    let words = ended.err;
    assert!(
        words.lines().count() == 1 && words.contains("Procfile") && words.contains("name a directory"),
        "{words}"
    );
}
