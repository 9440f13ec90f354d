//! Clients of an address, of each manner at once, at a fixed rate. All of them can be held between two connections, so that what they
//! have counted can be compared with what others have.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::processes::until;
use crate::visit::{Answer, Manner, visit};

/// How many clients of each manner there are, and how often each of them connects: 190 requests a second together.
const CLIENTS: [(Manner, usize, Duration); 4] = [
    (Manner::New, 3, Duration::from_millis(40)),
    (Manner::KeepAlive, 2, Duration::from_millis(500)),
    (Manner::SlowBody, 2, Duration::from_millis(250)),
    (Manner::Websocket, 2, Duration::from_millis(550)),
];
const SOON: Duration = Duration::from_secs(60);

/// The clients.
#[derive(Debug)]
pub struct Crowd {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_open: bool,
    is_over: bool,
    /// Clients with a connection.
    busy: usize,
    seen: Seen,
}

/// What clients have seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Connections that went well from the beginning to the end.
    pub connections: u64,
    /// Requests that were begun.
    pub asked: u64,
    /// Every answer.
    pub answers: Vec<Answer>,
    /// What went wrong, by the number of the client and of the request.
    pub failures: Vec<String>,
}

impl Crowd {
    /// Clients that begin at once.
    pub fn of(address: SocketAddr) -> Self {
        let shared = Arc::new(Shared::default());
        shared.state().is_open = true;
        let all =
            CLIENTS.iter().flat_map(|(manner, count, every)| (0..*count).map(move |_| (*manner, *every)));
        let client = |(number, (manner, every))| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.visits(address, manner, every, number))
        };
        let threads = all.enumerate().map(client).collect();
        Self { shared, threads }
    }

    /// Lets clients end the connections that they have, and begin no others.
    pub fn hold(&self) -> Result<()> {
        self.shared.state().is_open = false;
        until("clients end their connections", 2 * SOON, || (self.shared.state().busy == 0).then_some(()))
    }

    /// Lets them go on.
    pub fn go_on(&self) {
        self.shared.state().is_open = true;
        self.shared.changed.notify_all();
    }

    /// What they have seen so far.
    pub fn seen(&self) -> Seen {
        self.shared.state().seen.clone()
    }

    /// How many connections went well so far.
    pub fn connections(&self) -> u64 {
        self.shared.state().seen.connections
    }

    /// Whether nothing has gone wrong so far.
    pub fn is_content(&self) -> bool {
        self.shared.state().seen.failures.is_empty()
    }

    /// Waits for so many more answers.
    pub fn is_answered(&self, more: usize) -> Result<()> {
        let answers = || self.shared.state().seen.answers.len();
        let wanted = answers() + more;
        until("clients are answered", SOON, || (answers() >= wanted).then_some(()))
            .with_context(|| format!("{:?}", self.shared.state().seen.failures.last()))
    }

    /// Waits for an answer, from now on, of a process that is none of these, or until there can be none any more; whether there was one.
    pub fn is_answered_by_others_than(
        &self,
        pids: &[u32],
        mut is_over: impl FnMut() -> bool,
    ) -> Result<bool> {
        let known = self.shared.state().seen.answers.len();
        until("another process answers", SOON, || {
            let is_other = |answers: &[Answer]| answers.iter().any(|it| !pids.contains(&it.pid));
            if is_other(&self.shared.state().seen.answers[known..]) {
                return Some(true);
            }
            is_over().then_some(false)
        })
    }

    /// Ends them, after the connections that they have.
    pub fn end(self) -> Result<Seen> {
        self.shared.state().is_over = true;
        self.go_on();
        for thread in self.threads {
            ensure!(thread.join().is_ok(), "a client panicked");
        }
        let seen = std::mem::take(&mut self.shared.state().seen);
        Ok(seen)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a connection may begin; whether one may.
    fn begin(&self) -> bool {
        let mut state = self.state();
        while !state.is_open && !state.is_over {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.busy += usize::from(!state.is_over);
        !state.is_over
    }

    fn visits(&self, address: SocketAddr, manner: Manner, every: Duration, client: usize) {
        let (mut number, mut due) = (0, Instant::now());
        while self.begin() {
            let before = number;
            let came = visit(address, manner, &mut number, |answer| self.state().seen.answers.push(answer));
            let mut state = self.state();
            state.seen.asked += number - before;
            state.busy -= 1;
            match came {
                Ok(()) => state.seen.connections += 1,
                Err(error) => {
                    state
                        .seen
                        .failures
                        .push(format!("client {client} ({manner:?}), request {number}: {error}"));
                }
            }
            drop(state);
            // Who is late does not hurry afterwards.
            due = (due + every).max(Instant::now());
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
}

impl Seen {
    /// The time within which 99 of 100 requests were answered that were begun in one of these spans of time.
    pub fn p99(&self, within: impl Fn(Instant) -> bool) -> Option<Duration> {
        let asked = self.answers.iter().filter(|answer| within(answer.asked));
        let mut took: Vec<Duration> = asked.filter_map(|answer| answer.took).collect();
        took.sort_unstable();
        took.get((took.len() * 99).div_ceil(100).checked_sub(1)?).copied()
    }

    /// That every request was answered, with its own number.
    ///
    /// # Errors
    /// How many were not, and what the first of these saw.
    pub fn is_whole(&self) -> Result<()> {
        let answered = u64::try_from(self.answers.len())?;
        ensure!(
            self.failures.is_empty(),
            "{} failed of {}; the first: {}",
            self.failures.len(),
            self.asked,
            self.failures[0]
        );
        ensure!(answered == self.asked && answered > 0, "{} were asked, {answered} answered", self.asked);
        Ok(())
    }
}
