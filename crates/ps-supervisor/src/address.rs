//! The address of an app, which stays the same while its instances change: listening sockets that the supervisor holds,
//! and `ps-balance`, which hands the connections of these sockets to the instances.
//!
//! The supervisor listens, and starts `ps-balance` at the first connection. From then on it no longer watches the
//! sockets. It sends `ps-balance` the list of instances, and is told when the last connection of one has ended.
//! `ps-balance` leaves when it has had no connection for a while; then the supervisor watches the sockets again. The
//! sockets never close meanwhile, so no client is refused.

mod asked;
mod balance;
mod led;
mod numbers;
mod runner;
mod sockets;
mod table;

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use asked::{OpenConnections, numbers as balance_numbers, open as open_connections};
pub use balance::SOCKET as BALANCE_SOCKET;
pub(crate) use balance::{Balance, Heard, Reached, Read};
pub use led::{Backend, leads_elsewhere, led};
pub(crate) use led::{Led, is_kept as has_led};
pub(crate) use numbers::Count;
pub(crate) use runner::Runner;
pub(crate) use sockets::Listening as Socket;
use sockets::Sockets;
pub use sockets::{can_listen, refusal};
pub(crate) use table::{Settled, Table, Who, id as backend_id};

use ::balance::wire::{Listening, Reach, Request};
use ::balance::{Frontend, Options, Unit};

use crate::holder;
use crate::spec::Spec;

/// The note of the instances while `ps-balance` ends before it serves anybody.
pub const CANNOT_SERVE: &str =
    "clients of the address wait, because ps-balance ends as soon as it is started: supervisor.log says why";

/// The pause after `ps-balance` could not be started, or ended soon after it was. It is doubled each time that this happens in a row.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest of these pauses.
const LONGEST_REST: Duration = Duration::from_secs(4);
/// The longest pause between two looks for a `ps-balance` that was just being started when its supervisor died.
const LAST_PAUSE: Duration = Duration::from_secs(16);

/// The address of one app.
#[derive(Debug)]
pub(crate) struct Address {
    /// What is listened on.
    pub(crate) sockets: Sockets,
    /// `ps-balance`, while it lives.
    pub(crate) balance: Option<Balance>,
    /// The table of instances for `ps-balance`.
    pub(crate) table: Table,
    /// What it counted.
    pub(crate) count: Count,
    /// The instances of another scheduler, to which clients are directed too.
    pub(crate) led: Led,
    /// Whether the event loop looks at the sockets.
    pub(crate) is_watched: bool,
    /// Whether the instances alone accept clients: they were given the sockets, and none of them has to be led clients to.
    pub(crate) is_left: bool,
    /// Whether instances accept clients themselves, before or after the rollout, so that a receipt of `ps-balance` would not be the whole.
    pub(crate) is_uncounted: bool,
    /// Until when no `ps-balance` is started.
    pub(crate) rests_until: Option<Instant>,
    /// The pause after the next `ps-balance` that ends soon.
    rest: Duration,
    /// The note about a `ps-balance` that could not be started or ended at once, until one has spoken.
    pub(crate) complaint: Option<String>,
    /// The TLS and connection settings of the address.
    manner: Manner,
    /// When one is looked for that an earlier supervisor has started, and the pause before that.
    seeks: Option<(Instant, Duration)>,
}

/// The TLS and connection settings of an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manner {
    pub(crate) frontend: Frontend,
    /// The directory of the app's certificate; empty if there is none.
    pub(crate) certificates: PathBuf,
}

impl Address {
    /// The sockets and the `ps-balance` that an earlier supervisor of this service directory has left, if they still
    /// exist.
    pub(crate) fn left(service: &Path) -> Self {
        let (mut table, count, manner) = <(Table, Count, Manner)>::default();
        let led = Led::left(service);
        led.leaving().into_iter().for_each(|id| table.withdraw_led(id, Instant::now()));
        let balance = Balance::left(service);
        let mut sockets = Sockets::of(holder::copies(service));
        if sockets.is_empty()
            && let Some(balance) = &balance
        {
            sockets = Sockets::of(balance.listeners());
        }
        let had_one = balance.is_none() && !sockets.is_empty();
        let seeks = had_one.then(|| (Instant::now() + PAUSE, PAUSE));
        let (is_watched, is_left, is_uncounted) = (false, false, false);
        let (rests_until, rest, complaint) = (None, PAUSE, None);
        Self {
            sockets,
            balance,
            table,
            count,
            led,
            is_watched,
            is_left,
            is_uncounted,
            rests_until,
            rest,
            complaint,
            manner,
            seeks,
        }
    }

    /// The sockets, in the order of their addresses.
    pub(crate) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sockets.iter().map(|(_, socket)| socket.as_fd())
    }

    /// Has the holder keep copies of the sockets. Without a holder, the next supervisor asks `ps-balance` for them, and listens again if
    /// that has ended as well.
    pub(crate) fn keep(&self, service: &Path) {
        let sockets: Vec<_> =
            self.sockets.iter().map(|(address, socket)| (*address, socket.as_fd())).collect();
        let _ = holder::keep(service, &sockets);
    }

    /// Starts `ps-balance`, unless it lives.
    ///
    /// # Errors
    /// Why it cannot be started, for people. It is tried again after a pause.
    pub(crate) fn start(&mut self, service: &Path, spec: &Spec) -> Result<(), String> {
        if self.balance.is_some() {
            return Ok(());
        }
        self.table.begin();
        let first = self.table.untold(Instant::now());
        let runner = Runner::of(spec);
        match Balance::start(service, (&spec.app, &runner), &self.reached(), first) {
            Ok(balance) => {
                self.balance = Some(balance);
                self.count.begin();
                Ok(())
            }
            Err(reason) => {
                self.rest_from(Instant::now());
                Err(reason)
            }
        }
    }

    fn rest_from(&mut self, now: Instant) {
        self.rests_until = Some(now + self.rest);
        self.rest = (2 * self.rest).min(LONGEST_REST);
    }

    /// Uses these settings from now on; whether they differ from those before.
    pub(crate) fn go_by(&mut self, manner: Manner) -> bool {
        let drain = manner.frontend.options.drain_limit;
        self.table.drains_within(drain.map(|seconds| Duration::from_secs(seconds.into())));
        let is_other = self.manner != manner;
        self.manner = manner;
        is_other
    }

    /// What is counted of its clients.
    pub(crate) fn unit(&self) -> Unit {
        if self.manner.frontend.options.http { Unit::Requests } else { Unit::Connections }
    }

    /// On what `ps-balance` is to listen, and how it is to hand on.
    fn reached(&self) -> Reached<'_> {
        // One that is not to accept any more goes on with the connections that it has.
        let mut sockets: Vec<_> = self.sockets.iter().filter(|_| !self.is_left).collect();
        sockets.sort_by_key(|(address, _)| *address);
        let Manner { frontend, certificates } = &self.manner;
        let listening = |address: SocketAddr| Listening { address, tls: frontend.tls.contains(&address) };
        let listeners = sockets.iter().map(|(address, _)| listening(*address)).collect();
        let options = Options { pass_socket: false, ..frontend.options.clone() };
        let reach = Reach { listeners, options };
        let fds = sockets.into_iter().map(|(_, socket)| socket.as_fd()).collect();
        Reached { reach, fds, certificates }
    }

    /// Tells `ps-balance` where to listen; false if it has to be replaced by another one.
    fn reach(&mut self) -> bool {
        let Some(mut balance) = self.balance.take() else { return true };
        let is_told = balance.reach(&self.reached());
        self.balance = Some(balance);
        is_told
    }

    /// Notes that `ps-balance` has ended, and its connections with it. If it has not lived for long, there is a pause
    /// before it is started again. Whether it ended before it had said anything.
    pub(crate) fn lose(&mut self) -> bool {
        let Some(balance) = self.balance.take() else { return false };
        self.count.lost();
        let now = Instant::now();
        if now < balance.since + PAUSE {
            self.rest_from(now);
            // It may have ended because another one has its place.
            self.seeks = Some((now + PAUSE, PAUSE));
        }
        !balance.has_spoken
    }

    /// `ps-balance` has spoken, so it serves clients: the note about the one before it, which did not.
    pub(crate) fn settle_complaint(&mut self) -> Option<String> {
        self.balance.as_ref().filter(|balance| balance.has_spoken)?;
        self.rest = PAUSE;
        self.complaint.take()
    }

    /// Looks for a `ps-balance` that an earlier supervisor has started, if it is time for that; whether one was found.
    pub(crate) fn seek(&mut self, service: &Path, now: Instant) -> bool {
        let Some((_, pause)) = self.seeks.take_if(|(at, _)| *at <= now) else { return false };
        if self.balance.is_some() {
            return false;
        }
        self.balance = Balance::left(service);
        let is_found = self.balance.is_some();
        if is_found {
            self.table.begin();
        } else if pause < LAST_PAUSE {
            self.seeks = Some((now + 2 * pause, 2 * pause));
        }
        is_found
    }

    /// It is looked for now, if it is still to be looked for.
    pub(crate) fn seek_now(&mut self, service: &Path) -> bool {
        let now = Instant::now();
        self.seeks = self.seeks.map(|(_, pause)| (now, pause));
        self.seek(service, now)
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
        let seeks = self.seeks.map(|(at, _)| at);
        again.into_iter().chain(seeks).chain(self.table.due()).min()
    }

    /// Sends what `ps-balance` was not told yet.
    pub(crate) fn tell(&mut self) {
        let is_reached = self.reach();
        let Some(balance) = &mut self.balance else { return };
        // Its last instances are taken from it only once it accepts nobody any more: whom it has accepted before, it leads to them.
        let is_early = self.is_left && balance.accepts();
        let set = if is_early { None } else { self.table.untold(Instant::now()) };
        let is_told = is_reached && set.is_none_or(|set| balance.say(&Request::Set(set)));
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
        led::forget(service);
    }
}

#[cfg(test)]
mod tests;
