//! A running `ps-balance`, servers behind it, and whoever gives it orders.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// How long anything may take before a test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Waits until something holds, and fails with what it was last.
pub(crate) fn eventually<T: std::fmt::Debug>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        match look() {
            Ok(seen) => return seen,
            Err(seen) => assert!(begin.elapsed() < DEADLINE, "{what}: {seen}"),
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// How many of something: few, or with `FORMATION_TEST_LONG` as many as are promised; `FORMATION_TEST_COUNT` says another number.
pub(crate) fn long(few: usize, many: usize) -> usize {
    let told = std::env::var("FORMATION_TEST_COUNT").ok().and_then(|count| count.parse().ok());
    told.unwrap_or(if std::env::var_os("FORMATION_TEST_LONG").is_some() { many } else { few })
}

/// The program; it is killed at the end of its test.
pub(crate) struct Balance {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) control: PathBuf,
    directory: tempfile::TempDir,
    said: Arc<Mutex<Vec<String>>>,
}

/// Waits until it says where it listens.
fn listening(said: &Mutex<Vec<String>>, how: &str) -> SocketAddr {
    eventually("it says where it listens", || {
        let said = said.lock().expect("no panic");
        let address =
            |line: &String| line.strip_prefix("ps-balance: listening on ")?.strip_suffix(how)?.parse().ok();
        said.iter().find_map(address).ok_or_else(|| said.join("; "))
    })
}

impl Balance {
    /// Starts it on a port of its own with these further arguments, and waits until it listens.
    pub(crate) fn start(words: &[&str]) -> Self {
        Self::start_program(Path::new(env!("CARGO_BIN_EXE_ps-balance")), words)
    }

    /// The same, from a copy of the program.
    pub(crate) fn start_program(program: &Path, words: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let control = directory.path().join("control");
        let mut child = Command::new(program)
            .args(["--listen", "0", "--control"])
            .arg(&control)
            .args(words)
            .stderr(Stdio::piped())
            .spawn()
            .expect("ps-balance starts");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = writeln!(std::io::stderr(), "{line}");
                heard.lock().expect("no panic").push(line);
            }
        });
        let address = listening(&said, "");
        eventually("the control socket", || {
            UnixStream::connect(&control).map(drop).map_err(|error| error.to_string())
        });
        Self { child, address, control, directory, said }
    }

    /// Before these servers.
    pub(crate) fn before(servers: &[&Server], words: &[&str]) -> Self {
        Self::program_before(Path::new(env!("CARGO_BIN_EXE_ps-balance")), servers, words)
    }

    /// The same, from a copy of the program.
    pub(crate) fn program_before(program: &Path, servers: &[&Server], words: &[&str]) -> Self {
        let addresses: Vec<String> = servers.iter().map(|server| server.address.to_string()).collect();
        let mut all: Vec<&str> = addresses.iter().flat_map(|address| ["--backend", address]).collect();
        all.extend(words);
        Self::start_program(program, &all)
    }

    /// Where it listens for clients that speak TLS.
    pub(crate) fn tls_address(&self) -> SocketAddr {
        listening(&self.said, " (TLS)")
    }

    /// Waits until it has said this on stderr: the line, and how many lines say it.
    pub(crate) fn hear(&self, part: &str) -> (String, usize) {
        eventually(part, || {
            let said = self.said.lock().expect("no panic");
            let lines: Vec<&String> = said.iter().filter(|line| line.contains(part)).collect();
            lines.first().map(|line| ((*line).clone(), lines.len())).ok_or_else(|| said.join("; "))
        })
    }

    pub(crate) fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    /// What a new client is told before anything else, as a line.
    pub(crate) fn ask(&self) -> String {
        let mut stream = self.connect();
        stream.write_all(b"?\n").expect("sent");
        line(&mut stream)
    }

    pub(crate) fn supervisor(&self) -> Supervisor {
        Supervisor::at(&self.control)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it lives");
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed()).expect("a process")
    }

    /// Waits for its end: its exit status.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let ended = || self.child.try_wait().expect("a child").ok_or_else(|| "it runs".to_owned());
        eventually("the end of ps-balance", ended).code()
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> usize {
        let fds = std::fs::read_dir(format!("/proc/{}/fd", self.pid().as_raw_nonzero())).expect("it lives");
        fds.count()
    }

    /// Its memory that nobody else has, in KiB.
    pub(crate) fn memory(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid().as_raw_nonzero()));
        let status = status.expect("it lives");
        let anonymous = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a line");
        anonymous.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Balance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of this address.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it accepts");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    stream
}

/// Reads up to the end of a line.
pub(crate) fn line(stream: &mut TcpStream) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while stream.read(&mut byte).expect("more of the line") == 1 && byte[0] != b'\n' {
        line.push(byte[0]);
    }
    String::from_utf8(line).expect("text")
}

/// A server in a thread. It answers each connection as its service does.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn new(service: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        let (connections, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, over, service) = (Arc::clone(&connections), Arc::clone(&is_over), Arc::new(service));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                count.fetch_add(1, Ordering::SeqCst);
                let service = Arc::clone(&service);
                thread::spawn(move || service(stream));
            }
        });
        Self { address, connections, is_over }
    }

    /// Says this name to each line that it gets, until the client ends.
    pub(crate) fn named(name: &'static str) -> Self {
        Self::new(move |mut stream| {
            let mut lines = BufReader::new(stream.try_clone().expect("a second handle"));
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
                if stream.write_all(format!("{name}\n").as_bytes()).is_err() {
                    return;
                }
                line.clear();
            }
        })
    }

    /// Sends back what it gets, once the client has ended its side.
    pub(crate) fn echo_at_the_end() -> Self {
        Self::new(|mut stream| {
            let mut all = Vec::new();
            stream.read_to_end(&mut all).expect("all of it");
            stream.write_all(&all).expect("sent");
            stream.shutdown(Shutdown::Write).expect("ended");
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// An address at which nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port")
}

/// The other end of the control socket.
pub(crate) struct Supervisor {
    pub(crate) stream: UnixStream,
    lines: BufReader<UnixStream>,
}

impl Supervisor {
    /// Connects, and says hello.
    pub(crate) fn at(path: &Path) -> Self {
        let mut supervisor = Self::of(UnixStream::connect(path).expect("the control socket"));
        supervisor.say(&json!({"hello": {"version": 1, "app": "shop"}}));
        supervisor
    }

    /// At the other end of a socket; the greeting is read.
    pub(crate) fn of(stream: UnixStream) -> Self {
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        let lines = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut supervisor = Self { stream, lines };
        let hello = supervisor.hear();
        assert_eq!(hello["hello"]["version"], 1, "{hello}");
        supervisor
    }

    pub(crate) fn say(&mut self, request: &Value) {
        self.stream.write_all(format!("{request}\n").as_bytes()).expect("it listens");
    }

    pub(crate) fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a report");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// The next report with this name; others are passed over.
    pub(crate) fn hear_of(&mut self, name: &str) -> Value {
        loop {
            let mut report = self.hear();
            assert!(report.get("refused").is_none() || name == "refused", "{report}");
            if let Some(report) = report.get_mut(name) {
                return report.take();
            }
        }
    }

    /// Sets the backends, and waits until the list holds.
    pub(crate) fn set(&mut self, revision: u64, backends: &[Value]) {
        self.say(&json!({"set": {"revision": revision, "pause_seconds": null, "backends": backends}}));
        assert_eq!(self.hear_of("applied")["revision"], revision);
    }

    pub(crate) fn numbers(&mut self) -> Value {
        self.say(&json!({"numbers": {}}));
        self.hear_of("numbers")
    }
}

/// A backend of a list.
pub(crate) fn backend(id: &str, server: &Server, state: &str) -> Value {
    json!({"id": id, "address": server.address, "weight": 100, "state": state, "release": 1})
}
