//! A ps-web that serves a home, and requests to it as bytes.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;

use crate::home::{Home, SOON, eventually};
use crate::program::Running;

pub(crate) const TOKEN: &str = "a-token-of-32-characters-or-more";
/// Two web that print something dangerous, and a worker.
pub(crate) const PROCFILE: &str =
    "web: echo '<script>alert(1)</script>'; exec sleep 600\nworker: exec sleep 600\n";

/// A ps-web; it ends when this is dropped, and what it has kept goes.
pub(crate) struct Served<'a> {
    home: &'a Home,
    running: Option<Running>,
    place: Place,
}

enum Place {
    Socket(PathBuf),
    Port(u16),
}

/// The answer to a request.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }
}

/// A connection to it.
pub(crate) enum Connection {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Connection {
    pub(crate) fn shut(&self) {
        // The other side may have closed it already.
        let _ = match self {
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
        };
    }
}

/// A home where `shop` runs.
pub(crate) fn shop() -> Home {
    Home::running("shop", PROCFILE, &["--scale", "web=2", "--scale", "worker=1"])
}

impl<'a> Served<'a> {
    /// By the usual socket.
    pub(crate) fn socket(home: &'a Home, words: &[&str]) -> Self {
        Self::with(home, words, &[])
    }

    /// The same, with these variables.
    pub(crate) fn with(home: &'a Home, words: &[&str], variables: &[(&str, &str)]) -> Self {
        let path = home.path("lib/data/formation-web/socket");
        Self::start(home, words, variables, |_| Some(Place::Socket(path.clone())))
    }

    /// By an address of this machine.
    pub(crate) fn address(home: &'a Home, words: &[&str]) -> Self {
        let token = home.write("token", TOKEN);
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).expect("it is ours");
        let token = token.to_str().expect("text");
        let words = [&["--listen", "127.0.0.1:0", "--token-file", token], words].concat();
        Self::start(home, &words, &[], |said| {
            let port = said.rsplit_once(':')?.1.trim().parse().ok()?;
            Some(Place::Port(port))
        })
    }

    fn start(
        home: &'a Home,
        words: &[&str],
        variables: &[(&str, &str)],
        place: impl Fn(&str) -> Option<Place>,
    ) -> Self {
        let mut command = home.command(&[&["ps-web"], words].concat());
        let log = home.path("ps-web.log");
        command.process_group(0).envs(variables.iter().copied()).stdout(Stdio::null());
        command.stderr(File::create(&log).expect("a log"));
        let mut running = Running::begin(command);
        let place = eventually("it serves", || {
            let said = fs::read_to_string(&log).map_err(|error| error.to_string())?;
            let line = said.lines().find(|line| line.starts_with("ps-web: serving"));
            assert!(running.is_running(), "{said}");
            line.and_then(&place).ok_or(said)
        });
        Self { home, running: Some(running), place }
    }

    pub(crate) fn pid(&mut self) -> u32 {
        self.running.as_mut().expect("it runs").pid()
    }

    pub(crate) fn port(&self) -> u16 {
        match self.place {
            Place::Port(port) => port,
            Place::Socket(_) => panic!("it has no port"),
        }
    }

    pub(crate) fn connect(&self) -> Connection {
        match &self.place {
            Place::Socket(path) => {
                let stream = UnixStream::connect(path).expect("it listens");
                stream.set_read_timeout(Some(SOON)).expect("a timeout");
                Connection::Unix(stream)
            }
            Place::Port(port) => {
                let stream = TcpStream::connect(("127.0.0.1", *port)).expect("it listens");
                stream.set_read_timeout(Some(SOON)).expect("a timeout");
                Connection::Tcp(stream)
            }
        }
    }

    /// Sends these bytes; the answer, or `None` where it closes without one.
    pub(crate) fn sends(&self, bytes: &[u8]) -> Option<Answer> {
        let mut connection = self.connect();
        // It may answer, and close, before it has read everything.
        let _ = connection.write_all(bytes);
        let mut answer = Vec::new();
        let mut buffer = [0; 8192];
        while let Ok(read @ 1..) = connection.read(&mut buffer) {
            answer.extend_from_slice(&buffer[..read]);
        }
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
    }

    /// A request with these lines of its head beside the usual ones.
    pub(crate) fn asks(&self, method: &str, path: &str, lines: &[&str], body: &str) -> Answer {
        let host =
            if lines.iter().any(|line| line.starts_with("Host:")) { "" } else { "Host: localhost\r\n" };
        let lines = [lines, &[""]].concat().join("\r\n");
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\n{host}Connection: close\r\nContent-Length: {length}\r\n{lines}\r\n{body}"
        );
        self.sends(request.as_bytes()).unwrap_or_else(|| panic!("no answer to {request}"))
    }

    /// What is answered with 200.
    pub(crate) fn gets(&self, path: &str) -> Answer {
        let token = format!("Authorization: Bearer {TOKEN}");
        let answer = self.asks("GET", path, &[&token], "");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer
    }

    /// Resident memory, in KiB.
    pub(crate) fn memory(&mut self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        drop(self.running.take());
        // It may not have been made yet.
        let _ = fs::remove_dir_all(self.home.path("lib/data/formation-web"));
    }
}
