//! A running `ps-node` and its program.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// How long anything may take before a test fails.
const LIMIT: Duration = Duration::from_secs(60);

/// Answers with the name of its process.
pub(crate) const SERVER: &str = "require('http').createServer((request, response) => response.end(`pid ${process.pid}`)).listen(+process.env.PORT);";

/// Waits until something is there, and fails with what was seen last.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        match look() {
            Ok(seen) => return seen,
            Err(seen) => assert!(begin.elapsed() < LIMIT, "{what}: {seen}"),
        }
        thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn has_node() -> bool {
    let is_there = Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_there {
        skipped::skip("no node on this machine");
    }
    is_there
}

/// A port that is free now.
pub(crate) fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

/// The program, killed at the end of its test.
pub(crate) struct Node {
    child: Child,
    directory: tempfile::TempDir,
    said: Arc<Mutex<Vec<String>>>,
}

/// A `ps-node` that is not started yet: its program and its variables.
pub(crate) fn command(directory: &tempfile::TempDir, program: &str, words: &[&str]) -> Command {
    std::fs::write(directory.path().join("server.js"), program).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ps-node"));
    command.args(words).arg("server.js").current_dir(directory.path());
    command.env_remove("NODE_OPTIONS").env_remove("WEB_CONCURRENCY").env_remove("NOTIFY_SOCKET");
    command
}

impl Node {
    pub(crate) fn start(program: &str, words: &[&str], variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        Self::of(command(&directory, program, words), directory, variables)
    }

    /// What this command starts.
    pub(crate) fn of(mut command: Command, directory: tempfile::TempDir, variables: &[(&str, &str)]) -> Self {
        command.envs(variables.iter().copied()).stderr(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let said = Arc::new(Mutex::new(Vec::new()));
        let streams: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stderr.take().expect("a pipe")), Box::new(child.stdout.take().expect("a pipe"))];
        for stream in streams {
            let said = said.clone();
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    said.lock().expect("no panic").push(line);
                }
            });
        }
        Self { child, directory, said }
    }

    /// Starts it, and waits until all processes listen.
    pub(crate) fn serving(program: &str, words: &[&str], port: u16) -> Self {
        let node = Self::start(program, words, &[("PORT", &port.to_string())]);
        node.hears(" listen");
        node
    }

    /// Waits until a line was printed with these words in it, which is then forgotten.
    pub(crate) fn hears(&self, words: &str) -> String {
        eventually(words, || {
            let mut said = self.said.lock().expect("no panic");
            let at = said.iter().position(|line| line.contains(words));
            let at = at.ok_or_else(|| said.join("; "))?;
            Ok(said.remove(at))
        })
    }

    /// What was printed and not forgotten.
    pub(crate) fn said(&self) -> String {
        self.said.lock().expect("no panic").join("; ")
    }

    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(pid_of(self.child.id()), signal).expect("signalled");
    }

    /// How it has ended.
    pub(crate) fn end(&mut self) -> ExitStatus {
        eventually("it ends", || {
            self.child
                .try_wait()
                .expect("it is ours")
                .ok_or_else(|| self.said.lock().expect("no panic").join("; "))
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("not 0")
}

/// The process that an answer names.
pub(crate) fn pid_in(answer: &str) -> Pid {
    pid_of(answer.trim_start_matches("pid ").parse().expect("a pid"))
}
