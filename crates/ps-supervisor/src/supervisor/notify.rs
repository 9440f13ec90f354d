//! What processes say of themselves, and of which run they are.

use super::Supervisor;
use crate::health::notices;
use crate::notify_socket::Said;
use crate::seat::Seat;
use crate::source::Source;

/// How many datagrams are heard in a row: there are others to see to.
const ROW: usize = 64;

impl Supervisor {
    /// Hears what was said, one after the other: who says `BARRIER=1` goes on, and may be gone, once that has been taken.
    pub(super) fn hear_notices(&mut self) {
        let mut most = ROW;
        while let Some(said) = self.means.notify.as_ref().and_then(|socket| socket.next(&mut most)) {
            self.heed(&said);
        }
        self.watch_main_processes();
    }

    /// Who is of no run that asked for it is not heard.
    fn heed(&mut self, said: &Said) {
        let runs = self.seats.values_mut().flat_map(Seat::runs_mut);
        let mut told = runs.filter(|run| run.is_told());
        let Some(run) = told.find(|run| run.has_process(said.pid, &mut self.means.census)) else { return };
        for notice in notices(&said.datagram) {
            run.hear(notice, &mut self.means);
        }
    }

    /// Watches the socket once it is there.
    pub(super) fn watch_notify_socket(&mut self) {
        let Some(socket) = self.means.notify.as_mut().filter(|socket| !socket.is_watched) else { return };
        socket.is_watched = self.poll.watch(socket.fd(), Source::Notify).is_ok();
    }

    /// A process that became the main process of its run may be nobody's child of ours.
    fn watch_main_processes(&mut self) {
        for run in self.seats.values_mut().flat_map(Seat::runs_mut) {
            let source = Source::Adopted(run.status.slot.clone(), run.number());
            if let Some(pidfd) = run.take_new_main() {
                let _ = self.poll.watch(pidfd, source);
            }
        }
    }
}
