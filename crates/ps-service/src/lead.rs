//! Sends the clients of an app's address to instances that are not processes of its supervisor
//! (docs/supervisor.md#the-address).

use std::thread;
use std::time::{Duration, Instant};

use balance::Receipt;
use ps_scheduler::Error;
use ps_supervisor::{Backend, Client, Message, Request};

use crate::service::{Service, backend};

/// How long the whole request may take: longer than instances that go out of service may keep their connections.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause before the next attempt, after the supervisor that was asked has died.
const AGAIN: Duration = Duration::from_millis(50);

/// The answer to a request that sends clients to instances elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Led {
    /// What the rollout has meant for clients since it began; `None`: the supervisor that had counted since then is gone.
    pub receipt: Option<Receipt>,
}

impl Service {
    /// Directs clients to these instances, and away from those of the last call that are missing now. Returns when the missing ones get
    /// no new connection, and either have none left or have used up their time. If no supervisor lives, or it dies meanwhile, one is
    /// started. `begins`: a new rollout begins, and its numbers are counted from now on.
    ///
    /// # Errors
    /// There is no supervisor, it does not listen for the app or cannot record the request, or `ps-balance` refuses it.
    pub fn lead(&self, backends: &[Backend], begins: bool) -> Result<Led, Error> {
        until_answered(|deadline| {
            let mut client = self.ask_to_lead(backends, begins, deadline)?;
            self.await_led(&mut client, deadline)
        })
    }

    /// The same as [`Service::lead`], but does not wait for the instances that go out of service: from now on new connections go to
    /// these instances alone.
    ///
    /// # Errors
    /// There is no supervisor, it does not listen for the app, or it cannot record the request.
    pub fn redirect(&self, backends: &[Backend], begins: bool) -> Result<(), Error> {
        until_answered(|deadline| self.ask_to_lead(backends, begins, deadline).map(drop))
    }

    /// The instances elsewhere to which clients are led now: those that the supervisor was told since the machine started.
    pub fn led(&self) -> Vec<Backend> {
        ps_supervisor::led(&self.directory)
    }

    /// Sends the request, and returns when the supervisor has recorded it.
    fn ask_to_lead(&self, backends: &[Backend], begins: bool, deadline: Instant) -> Result<Client, Error> {
        let mut client = self.supervised()?;
        let asked = client.send(&Request::Lead { backends: backends.to_vec(), begins });
        asked.map_err(|error| self.unreachable(&error.to_string()))?;
        loop {
            match self.heard(&mut client, deadline)? {
                Message::Reply { error: Some(reason) } => return Err(self.unled(&reason)),
                Message::Reply { error: None } => return Ok(client),
                _ => (),
            }
        }
    }

    fn await_led(&self, client: &mut Client, deadline: Instant) -> Result<Led, Error> {
        loop {
            match self.heard(client, deadline)? {
                Message::Led { refused: Some(reason), .. } => return Err(self.unled(&reason)),
                Message::Led { receipt, .. } => return Ok(Led { receipt }),
                _ => (),
            }
        }
    }

    fn heard(&self, client: &mut Client, deadline: Instant) -> Result<Message, Error> {
        let heard = client.next(deadline).map_err(|error| self.unreachable(&error.to_string()))?;
        heard.ok_or_else(|| {
            self.unled(&format!("its supervisor has not confirmed that within {} s", PATIENCE.as_secs()))
        })
    }

    fn unled(&self, reason: &str) -> Error {
        backend(format!("send the clients of {} to its instances", self.app), &reason)
    }
}

/// Repeats the request until a supervisor lives long enough to answer, or [`PATIENCE`] is over.
fn until_answered<T>(ask: impl Fn(Instant) -> Result<T, Error>) -> Result<T, Error> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask(deadline) {
            Err(Error::Unreachable { .. }) if Instant::now() < deadline => thread::sleep(AGAIN),
            answered => return answered,
        }
    }
}
