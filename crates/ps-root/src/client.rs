//! The client's side of a root's socket. It blocks, with a deadline for every answer.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use formation::AppName;
use os_process::{ProcessId, resident};

use crate::Error;
use crate::place::Place;
use crate::words::{LastWill, Message, Request, SOCKET};

/// A root that does not answer for this long hangs.
const ANSWER: Duration = Duration::from_secs(3);

/// A connection to a root.
#[derive(Debug)]
pub struct Client {
    place: Place,
    stream: BufReader<UnixStream>,
}

/// The supervisor of an app, kept alive by the root.
#[derive(Clone, Debug)]
pub struct Started {
    /// Its process.
    pub process: ProcessId,
    /// Whether it was started because we asked.
    pub is_new: bool,
}

impl Client {
    /// Connects; [`Error::Silent`] if no root listens.
    pub fn connect(place: &Place) -> Result<Self, Error> {
        let connect = || -> io::Result<UnixStream> {
            let stream = ps_supervisor::connect(&place.own(), SOCKET)?;
            stream.set_write_timeout(Some(ANSWER))?;
            stream.set_read_timeout(Some(ANSWER))?;
            Ok(stream)
        };
        let stream = connect().map_err(|error| silent(place, &error))?;
        Ok(Self { place: place.clone(), stream: BufReader::new(stream) })
    }

    /// The pid of the root, as the kernel reports it; `None` if it runs in a pid namespace that we cannot see.
    pub fn root(&self) -> Option<u32> {
        let peer = rustix::net::sockopt::socket_peercred(self.stream.get_ref()).ok()?;
        u32::try_from(peer.pid.as_raw_nonzero().get()).ok()
    }

    /// Whether the root executes another file than the one at this path, because the program was upgraded.
    pub fn is_of_another_program(&mut self, program: &Path) -> Result<bool, Error> {
        let Message::Hello { program: executed, .. } = self.ask(&Request::Hello)? else {
            return Err(self.senseless());
        };
        let installed = resident(program).metadata();
        Ok(installed.is_ok_and(|file| (file.dev(), file.ino()) != executed))
    }

    /// Has the root execute a program in its own process. That closes the connection.
    pub fn reexec(mut self, program: &Path) -> Result<(), Error> {
        match self.ask(&Request::Reexec { program: program.to_owned() }) {
            Ok(Message::Reply { error: Some(reason) }) => Err(Error::Refused(reason)),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Asks the root to keep the supervisor of an app alive, and to start it if it does not run.
    pub fn start(&mut self, app: &AppName) -> Result<Started, Error> {
        match self.ask(&Request::Start { app: app.to_string() })? {
            Message::Started { process, is_new } => Ok(Started { process, is_new }),
            Message::Reply { error: Some(reason) } => Err(Error::Refused(reason)),
            _ => Err(self.senseless()),
        }
    }

    /// Tells the root not to restart the supervisor of an app any more.
    pub fn let_go(&mut self, app: &AppName) -> Result<(), Error> {
        self.ask(&Request::LetGo { app: app.to_string() }).map(drop)
    }

    /// Has the root run a command about an app if this process dies before the returned [`Provision`] is dropped.
    pub fn provide_for(mut self, app: &AppName, will: &LastWill) -> Result<Provision, Error> {
        match self.ask(&Request::Provide { app: app.to_string(), will: will.clone() })? {
            Message::Reply { error: None } => Ok(Provision(self)),
            Message::Reply { error: Some(reason) } => Err(Error::Refused(reason)),
            _ => Err(self.senseless()),
        }
    }

    /// Waits a short while until the supervisor that was let go has ended, or the root has exited because it has no other
    /// app.
    pub fn wait_for_end(mut self) {
        // If no answer comes, the caller goes on all the same: nothing depends on having waited.
        let _ = self.next();
    }

    /// Tells the root to exit in favour of one that stays always.
    pub(crate) fn leave(&mut self) -> Result<(), Error> {
        match self.ask(&Request::Leave) {
            Ok(Message::Reply { error: Some(_) }) => {
                Err(Error::AlreadyKept { place: self.place.services().to_owned() })
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn ask(&mut self, request: &Request) -> Result<Message, Error> {
        let mut line = serde_json::to_vec(request).expect("a request is plain data");
        line.push(b'\n');
        self.stream.get_mut().write_all(&line).map_err(|error| silent(&self.place, &error))?;
        self.next()
    }

    fn next(&mut self) -> Result<Message, Error> {
        let mut line = Vec::new();
        match self.stream.read_until(b'\n', &mut line) {
            Ok(_) if line.ends_with(b"\n") => Ok(serde_json::from_slice(&line).unwrap_or(Message::Unknown)),
            Ok(_) => Err(silent(&self.place, &io::ErrorKind::UnexpectedEof.into())),
            Err(error) => Err(silent(&self.place, &error)),
        }
    }

    fn senseless(&self) -> Error {
        silent(&self.place, &io::ErrorKind::InvalidData.into())
    }
}

/// A command that the root runs if this process dies. Dropping the value withdraws the command, except in a panic.
#[derive(Debug)]
pub struct Provision(Client);

impl Drop for Provision {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // No answer means that the root is gone, and cannot run the command. A root that no app needs exits before it
            // answers; the second read waits for that.
            let _ = self.0.ask(&Request::Done).and_then(|_| self.0.next());
        }
    }
}

fn silent(place: &Place, error: &io::Error) -> Error {
    Error::Silent { place: place.services().to_owned(), reason: error.to_string() }
}
