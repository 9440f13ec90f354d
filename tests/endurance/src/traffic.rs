//! Somebody who asks a web all the time, and counts when there was no answer.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);
/// A question follows the answer to the last one after so long.
const PAUSE: Duration = Duration::from_millis(2);

/// What came of the questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// With the status 200.
    pub good: u64,
    /// With none, or another one.
    pub bad: u64,
}

/// Questions that go on until they are counted.
#[derive(Debug)]
pub struct Traffic {
    ends: Arc<AtomicBool>,
    asking: JoinHandle<Answers>,
}

impl Traffic {
    /// Begins to ask whoever listens on this port.
    pub fn on(port: u16) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ends);
        let asking = thread::spawn(move || {
            let mut answers = Answers::default();
            while !told.load(Ordering::Relaxed) {
                if is_answered(port) {
                    answers.good += 1;
                } else {
                    answers.bad += 1;
                }
                thread::sleep(PAUSE);
            }
            answers
        });
        Self { ends, asking }
    }

    /// What came of it.
    ///
    /// # Panics
    /// Where asking itself has panicked.
    pub fn end(self) -> Answers {
        self.ends.store(true, Ordering::Relaxed);
        self.asking.join().expect("asking returns its count")
    }
}

/// Whether a port answers a question with 200.
pub fn is_answered(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut connection = TcpStream::connect_timeout(&address, PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer)?;
        Ok(answer.starts_with(b"HTTP/1.1 200") || answer.starts_with(b"HTTP/1.0 200"))
    };
    ask().unwrap_or(false)
}
