//! Receives the messages of the notify socket and finds the run that each belongs to.

use super::Supervisor;
use crate::health::notices;
use crate::notify_socket::Said;
use crate::seat::Seat;
use crate::wakeup::Wakeup;

/// The most datagrams that are handled in one turn, so that other events are handled too.
const ROW: usize = 64;

impl Supervisor {
    /// Handles the datagrams one after the other. The sender of `BARRIER=1` goes on, and may exit, as soon as its datagram
    /// was received.
    #[inline(never)]
    pub(super) fn hear_notices(&mut self) {
        let mut most = ROW;
        while let Some(said) = self.means.notify.as_ref().and_then(|socket| socket.next(&mut most)) {
            self.heed(&said);
        }
        self.watch_main_processes();
    }

    /// A message from a process of no run, or of a type that does not use the socket, is ignored.
    fn heed(&mut self, said: &Said) {
        let runs = self.seats.values_mut().flat_map(Seat::runs_mut);
        let mut told = runs.filter(|run| run.is_told());
        let Some(run) = told.find(|run| run.has_process(said.pid, &mut self.means.census)) else { return };
        for notice in notices(&said.datagram) {
            run.hear(notice, &mut self.means);
        }
    }

    /// Watches the socket once it exists.
    pub(super) fn watch_notify_socket(&mut self) {
        let Some(socket) = self.means.notify.as_mut().filter(|socket| !socket.is_watched) else { return };
        socket.is_watched = self.poll.watch(socket.fd(), Wakeup::Notify).is_ok();
    }

    /// Watches new main processes (`MAINPID`) that are not children of this process.
    fn watch_main_processes(&mut self) {
        for run in self.seats.values_mut().flat_map(Seat::runs_mut) {
            let wakeup = Wakeup::Adopted(run.status.slot.clone(), run.number());
            if let Some(pidfd) = run.take_new_main() {
                let _ = self.poll.watch(pidfd, wakeup);
            }
        }
    }
}
