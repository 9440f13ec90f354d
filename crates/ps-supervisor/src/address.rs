//! The address at which an app is reached, whatever its instances are: listening sockets that the supervisor holds, and
//! `ps-balance`, which hands the connections of these sockets to the instances.
//!
//! The supervisor listens, and starts `ps-balance` at the first connection. From then on it looks at the sockets no more, tells `ps-balance`
//! which instances there are, and is told when the last connection of one has ended. `ps-balance` leaves when it has had nothing to do for a
//! while; then the supervisor looks at the sockets again. The sockets never close meanwhile, so no client is refused.

mod balance;
mod numbers;
mod sockets;
mod table;

use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

pub(crate) use balance::{Balance, Heard};
pub(crate) use numbers::Count;
pub use numbers::Receipt;
use sockets::Sockets;
pub use sockets::refusal;
pub(crate) use table::{Settled, Table, id as backend_id};

use ::balance::wire::Request;

use crate::holder;

/// The pause after `ps-balance` could not be started, or ended soon after it was.
const PAUSE: Duration = Duration::from_millis(250);

/// The address of one app.
#[derive(Debug)]
pub(crate) struct Address {
    /// What is listened on.
    pub(crate) sockets: Sockets,
    /// `ps-balance`, while it lives.
    pub(crate) balance: Option<Balance>,
    /// What it is told.
    pub(crate) table: Table,
    /// What it counted.
    pub(crate) count: Count,
    /// Whether the event loop looks at the sockets.
    pub(crate) is_watched: bool,
    /// Until when no `ps-balance` is started.
    pub(crate) rests_until: Option<Instant>,
}

impl Address {
    /// What an earlier supervisor of this service directory has listened on, if somebody has kept it.
    pub(crate) fn left(service: &Path) -> Self {
        let (table, count) = Default::default();
        let balance = Balance::left(service);
        let mut sockets = Sockets::of(holder::copies(service));
        if sockets.is_empty()
            && let Some(balance) = &balance
        {
            sockets = Sockets::of(balance.listeners());
        }
        Self { sockets, balance, table, count, is_watched: false, rests_until: None }
    }

    /// The sockets, in the order of their addresses.
    pub(crate) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sockets.iter().map(|(_, socket)| socket.as_fd())
    }

    /// Has the holder keep copies of the sockets. Where there is no holder, the next supervisor asks `ps-balance`, and listens anew where
    /// there is none either.
    pub(crate) fn keep(&self, service: &Path) {
        let sockets: Vec<_> =
            self.sockets.iter().map(|(address, socket)| (*address, socket.as_fd())).collect();
        let _ = holder::keep(service, &sockets);
    }

    /// Starts `ps-balance`, unless it lives.
    ///
    /// # Errors
    /// Why it cannot be started, for people. It is tried again after a pause.
    pub(crate) fn start(&mut self, service: &Path, app: &str) -> Result<(), String> {
        if self.balance.is_some() {
            return Ok(());
        }
        let fds: Vec<BorrowedFd<'_>> = self.fds().collect();
        match Balance::start(service, app, &fds) {
            Ok(balance) => {
                self.balance = Some(balance);
                self.table.begin();
                self.count.begin();
                Ok(())
            }
            Err(reason) => {
                self.rests_until = Some(Instant::now() + PAUSE);
                Err(reason)
            }
        }
    }

    /// `ps-balance` has ended, with the connections that it had. Where it has not lived for long, it is not started again at once.
    pub(crate) fn lose(&mut self) {
        let Some(balance) = self.balance.take() else { return };
        self.count.lost();
        let now = Instant::now();
        self.rests_until = (now < balance.since + PAUSE).then_some(now + PAUSE);
    }

    /// Lets `ps-balance` leave, which ends once its connections have ended.
    pub(crate) fn let_leave(&mut self) {
        if let Some(mut balance) = self.balance.take() {
            balance.leave();
        }
    }

    /// When something is to be done, if nothing happens before.
    pub(crate) fn due(&self) -> Option<Instant> {
        let again = self.rests_until.filter(|_| self.balance.is_none());
        again.into_iter().chain(self.table.due()).min()
    }

    /// Sends what `ps-balance` was not told yet.
    pub(crate) fn tell(&mut self) {
        let Some(balance) = &mut self.balance else { return };
        let is_told = self.table.untold(Instant::now()).is_none_or(|set| balance.say(&Request::Set(set)));
        if !is_told || self.table.is_unanswered(Instant::now()) {
            // It hangs: the next one takes the connections.
            self.balance.take().into_iter().for_each(Balance::kill);
        }
    }

    /// Asks `ps-balance` for its numbers; whether there is anybody to answer.
    pub(crate) fn ask_for_numbers(&mut self) -> bool {
        self.balance.as_mut().is_some_and(|balance| balance.say(&Request::Numbers {}))
    }

    /// Takes in what `ps-balance` has said.
    pub(crate) fn hear(&mut self) -> Heard {
        let Some(balance) = &mut self.balance else { return Heard::Nothing };
        balance.hear(&mut self.table, &mut self.count)
    }

    /// Ends `ps-balance` and lets go of the sockets: the app is reached nowhere any more.
    pub(crate) fn close(mut self, service: &Path) {
        if let Some(balance) = self.balance.take() {
            balance.kill();
        }
        self.sockets = Sockets::default();
        self.keep(service);
    }
}
