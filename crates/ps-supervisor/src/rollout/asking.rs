//! The checks of one run, asked one after the other, each as often as it says. Nothing is waited for: the supervisor's loop
//! looks again when the descriptor has news, or when it is time.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::BorrowedFd;
use std::time::Instant;

use ps_probe::{Check, Probe, Standing};

/// Checks that are being asked.
#[derive(Debug)]
pub(crate) struct Asking {
    address: SocketAddr,
    /// The first of these is being asked.
    checks: VecDeque<Check>,
    /// How often the first of them has been asked.
    attempts: u32,
    now: Try,
}

/// What is going on.
#[derive(Debug)]
enum Try {
    /// It is being asked.
    Asked { probe: Probe, is_watched: bool },
    /// It is asked again then.
    Again(Instant),
}

impl Asking {
    /// Asks these of what listens on `port` of this machine, from `begin` on: who was just started does not listen yet.
    /// `None`: there is nothing to ask.
    pub(crate) fn of(checks: Vec<Check>, port: u16, begin: Instant) -> Option<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let is_something = !checks.is_empty();
        is_something.then(|| Self { address, checks: checks.into(), attempts: 0, now: Try::Again(begin) })
    }

    /// Goes on as far as it can. `Some`: all of them hold, or why one does not, as a fragment for people.
    pub(crate) fn look(&mut self, now: Instant) -> Option<Result<(), String>> {
        loop {
            let check = self.checks.front()?;
            match &mut self.now {
                Try::Again(due) if *due > now => return None,
                Try::Again(_) => {
                    self.attempts += 1;
                    self.now = asked(check, self.address, now);
                }
                Try::Asked { probe, .. } => match probe.advance(now) {
                    Standing::Pending => return None,
                    Standing::Holds => {
                        self.checks.pop_front();
                        let Some(next) = self.checks.front() else { return Some(Ok(())) };
                        (self.attempts, self.now) = (1, asked(next, self.address, now));
                    }
                    Standing::DoesNotHold(why) if self.attempts >= check.attempts => {
                        let (address, attempts) = (self.address, self.attempts);
                        return Some(Err(format!(
                            "did not {check} on {address} in {attempts} attempts ({why})"
                        )));
                    }
                    Standing::DoesNotHold(_) => {
                        let due = now.checked_add(check.wait).unwrap_or(now);
                        self.now = Try::Again(due);
                    }
                },
            }
        }
    }

    /// What is to be watched from now on, if it is not watched yet.
    pub(crate) fn unwatched(&mut self) -> Option<BorrowedFd<'_>> {
        let Try::Asked { probe, is_watched } = &mut self.now else { return None };
        let was_watched = std::mem::replace(is_watched, true);
        probe.waits_for().map(|(descriptor, _)| descriptor).filter(|_| !was_watched)
    }

    /// When it is to be looked at again, at the latest.
    pub(crate) fn due(&self) -> Instant {
        match &self.now {
            Try::Asked { probe, .. } => probe.deadline(),
            Try::Again(due) => *due,
        }
    }
}

fn asked(check: &Check, address: SocketAddr, now: Instant) -> Try {
    Try::Asked { probe: Probe::begin(check, address, now), is_watched: false }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use super::*;

    fn accepts(attempts: u32) -> Check {
        Check { path: None, attempts, timeout: Duration::from_secs(30), wait: Duration::from_secs(5) }
    }

    fn looked(asking: &mut Asking, now: Instant) -> Option<Result<(), String>> {
        for _ in 0..100 {
            let before = asking.attempts;
            let answer = asking.look(now);
            if answer.is_some() || asking.attempts != before || matches!(asking.now, Try::Again(..)) {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }

    #[test]
    fn a_check_is_asked_as_often_as_it_says_with_its_pause_between_and_then_told() {
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
        let now = Instant::now();
        let mut asking = Asking::of(vec![accepts(2)], port, now).expect("a check");
        assert_eq!(looked(&mut asking, now), None);
        assert_eq!(asking.due(), now + Duration::from_secs(5));
        assert_eq!(asking.look(now + Duration::from_secs(4)), None);
        let reason = loop {
            if let Some(answer) = looked(&mut asking, now + Duration::from_secs(5)) {
                break answer.expect_err("nobody listens");
            }
        };
        assert!(
            reason.starts_with(&format!("did not accept on 127.0.0.1:{port} in 2 attempts (")),
            "{reason}"
        );
    }

    #[test]
    fn all_of_them_must_hold_and_nothing_to_ask_needs_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let now = Instant::now();
        let mut asking = Asking::of(vec![accepts(1), accepts(1)], port, now).expect("checks");
        assert_eq!(looked(&mut asking, now), Some(Ok(())));
        assert!(asking.checks.is_empty());
        assert!(Asking::of(Vec::new(), port, now).is_none());
    }
}
