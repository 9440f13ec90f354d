//! Sends the clients of an app's address to instances that are not processes of its supervisor
//! (docs/supervisor.md#the-address).

use std::thread;
use std::time::{Duration, Instant};

use balance::Receipt;
use ps_scheduler::Error;
use ps_supervisor::{Backend, Message, Request};

use crate::service::{Service, backend};

/// How long that may take in all: longer than what goes out may keep its connections.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause before another supervisor is asked, where one has died.
const AGAIN: Duration = Duration::from_millis(50);

/// Clients are led as was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Led {
    /// What it has meant for clients, since the rollout began; `None`: the supervisor that has counted from there on is gone.
    pub receipt: Option<Receipt>,
}

impl Service {
    /// Leads clients to these instances, and away from those that were named before and are not any more. Returns when no new connection
    /// goes to the latter, and they have none left or had the time for that. A supervisor is started where none lives, also where one
    /// dies meanwhile. `begins`: what is counted from here on is of a rollout.
    ///
    /// # Errors
    /// There is no supervisor, it does not listen for the app or cannot write that down, or `ps-balance` refuses it.
    pub fn lead(&self, backends: &[Backend], begins: bool) -> Result<Led, Error> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.ask_to_lead(backends, begins, deadline) {
                Err(Error::Unreachable { .. }) if Instant::now() < deadline => thread::sleep(AGAIN),
                led => return led,
            }
        }
    }

    fn ask_to_lead(&self, backends: &[Backend], begins: bool, deadline: Instant) -> Result<Led, Error> {
        let died = |error: ps_supervisor::Error| self.unreachable(&error.to_string());
        let fail = |reason: String| backend(format!("lead the clients of {}", self.app), &reason);
        let mut client = self.supervised()?;
        client.send(&Request::Lead { backends: backends.to_vec(), begins }).map_err(died)?;
        loop {
            match client.next(deadline).map_err(died)? {
                Some(Message::Reply { error: Some(reason) } | Message::Led { refused: Some(reason), .. }) => {
                    return Err(fail(reason));
                }
                Some(Message::Led { receipt, .. }) => return Ok(Led { receipt }),
                Some(_) => (),
                None => {
                    return Err(fail(format!("its supervisor has not said so in {} s", PATIENCE.as_secs())));
                }
            }
        }
    }
}
