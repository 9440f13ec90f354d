//! Clients of an app's address, that ask again and again while things happen behind it, and those who are killed meanwhile.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use crate::home::{Home, eventually};

/// How long a client waits for an answer: so long that only one that never comes is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many clients ask at a time.
pub(crate) const CLIENTS: u64 = 3;

/// An address that is free now.
pub(crate) fn some_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound")
}

/// One request on a connection of its own; what was answered.
pub(crate) fn ask(address: SocketAddr, path: &str) -> Result<String, String> {
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = asked().map_err(|error| error.to_string())?;
    answer.split_once("\r\n\r\n").map(|(_, body)| body.trim().to_owned()).ok_or(answer)
}

/// Clients that ask again and again, until they are told to stop.
pub(crate) struct Clients {
    is_over: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    failures: Arc<Mutex<Vec<String>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    pub(crate) fn of(address: SocketAddr) -> Self {
        let (is_over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let failures = Arc::new(Mutex::new(Vec::new()));
        let thread = |_| {
            let (is_over, answered, failures) =
                (Arc::clone(&is_over), Arc::clone(&answered), Arc::clone(&failures));
            thread::spawn(move || {
                while !is_over.load(Ordering::SeqCst) {
                    match ask(address, "/pid") {
                        Ok(_) => drop(answered.fetch_add(1, Ordering::SeqCst)),
                        Err(why) => failures.lock().expect("no panic").push(why),
                    }
                    thread::sleep(Duration::from_millis(2));
                }
            })
        };
        let threads = (0..CLIENTS).map(thread).collect();
        Self { is_over, answered, failures, threads }
    }

    /// Returns when so many more requests were answered.
    pub(crate) fn go_on(&self, more: u64) {
        let until = self.answered.load(Ordering::SeqCst) + more;
        eventually("clients are answered", || {
            let answered = self.answered.load(Ordering::SeqCst);
            if answered >= until { Ok(()) } else { Err(format!("{answered} of {until}")) }
        });
    }

    /// What failed.
    pub(crate) fn end(self) -> Vec<String> {
        self.is_over.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().expect("it does not panic");
        }
        std::mem::take(&mut *self.failures.lock().expect("no panic"))
    }

    /// Whether nothing has failed yet.
    pub(crate) fn are_content(&self) -> bool {
        self.failures.lock().expect("no panic").is_empty()
    }
}

pub(crate) fn kill_supervisors(home: &Home) {
    for pid in home.supervisors() {
        rustix::process::kill_process(pid, Signal::KILL).expect("it runs");
    }
}

/// The processes whose command line has this word.
pub(crate) fn found(home: &Home, word: &str) -> Vec<Pid> {
    home.processes().into_iter().filter(|(_, words)| words.contains(word)).map(|(pid, _)| pid).collect()
}

/// Kills one of these processes, once it is there, and waits until it has gone.
pub(crate) fn kill(look: impl Fn() -> Vec<Pid>) {
    let pid = eventually("it lives", || look().first().copied().ok_or_else(|| "none".to_owned()));
    rustix::process::kill_process(pid, Signal::KILL).expect("killed");
    eventually("it is dead", || if look().contains(&pid) { Err(format!("{pid:?}")) } else { Ok(()) });
}

/// That nobody listens at an address any more, or soon.
pub(crate) fn is_closed(address: SocketAddr) {
    eventually("nobody listens there", || match TcpStream::connect(address) {
        Ok(_) => Err("somebody does".to_owned()),
        Err(_) => Ok(()),
    });
}
