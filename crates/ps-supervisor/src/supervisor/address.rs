//! The address of the app, in the event loop: when it is listened on, when `ps-balance` is started, which list of
//! instances it gets, and the events for which a rollout waits.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Instant;

use balance::wire::{Share, State, Wanted};
use ps_rollout::{Event, Role, Run as RunOf};

use super::Supervisor;
use crate::address::{Address, Balance, CANNOT_SERVE, Heard, Manner, Runner, Settled, Who, backend_id};
use crate::process::Process;
use crate::rollout::Comparison;
use crate::run::Run;
use crate::run_table::RunState;
use crate::seat::Seat;
use crate::wakeup::Wakeup;

/// The share of each instance.
const WEIGHT: u32 = 100;

impl Supervisor {
    /// Takes over the sockets and the `ps-balance` of an earlier supervisor.
    pub(super) fn take_over_address(&mut self) {
        if !self.means.spec.listen.is_empty() {
            let mut address = Box::new(Address::left(&self.service));
            address.go_by(self.manner());
            if let Some(balance) = &address.balance {
                let _ = self.poll.watch(balance.fd(), Wakeup::Balance);
            }
            if !address.sockets.is_empty() {
                address.keep(&self.service);
            }
            self.address = Some(address);
            self.lend_sockets();
        }
    }

    /// The sockets that instances are given from now on, where they accept their clients themselves.
    fn lend_sockets(&mut self) {
        let shared = |address: &Address| address.sockets.shared();
        self.means.sockets = self.address.as_deref().map(shared).unwrap_or_default();
    }

    /// Listens on the addresses of a revision, beside those that the app has. Before anything else of a rollout is done.
    ///
    /// # Errors
    /// Why one cannot be listened on, for people. Then nothing has changed.
    pub(crate) fn listen_beside(&mut self, wanted: &[SocketAddr]) -> Result<(), String> {
        if wanted.is_empty() {
            return Ok(());
        }
        let mut address = self.address.take().unwrap_or_else(|| Box::new(Address::left(&self.service)));
        let added = address.sockets.add(wanted, |wanted| self.copied_from_instance(wanted));
        if matches!(added, Ok(true)) {
            self.unwatch_sockets(&mut address);
            address.keep(&self.service);
        }
        if !address.sockets.is_empty() {
            self.address = Some(address);
        }
        self.lend_sockets();
        added.map(drop)
    }

    /// Listens before instances are started that are given the sockets. What cannot be listened on is told once they were.
    pub(super) fn listen_for_instances(&mut self) {
        if self.means.spec.leaves_clients_to_instances() {
            let wanted = self.means.spec.listen.clone();
            let _ = self.listen_beside(&wanted);
        }
    }

    /// A copy of the socket on which an instance itself listens at this address, or that it was given. The instance accepts connections until
    /// it is ended; later ones wait for `ps-balance`, or for the next instance.
    fn copied_from_instance(&mut self, wanted: SocketAddr) -> Option<OwnedFd> {
        let census = &mut self.means.census;
        let seats = self.seats.values().filter(|seat| Self::has_address(seat.slot()));
        let has_it = |run: &&Run| run.status.has_socket || run.status.port == Some(wanted.port());
        let runs = seats.flat_map(Seat::runs).filter(has_it);
        let pids = runs.flat_map(|run| run.tree().pids(run.process().map(Process::pid), census));
        os_process::copy_listener(wanted, pids)
    }

    /// Whether an instance itself still accepts connections at one of these sockets.
    fn is_shared(&self, address: &Address) -> bool {
        let takes = |run: &Run| {
            run.status.port.is_some_and(|port| address.sockets.have_port(port))
                && !address.table.is_withdrawn(run.number())
                && matches!(
                    run.state(),
                    RunState::Preparing | RunState::Starting | RunState::Ready | RunState::Unready
                )
        };
        let seats = self.seats.values().filter(|seat| Self::has_address(seat.slot()));
        seats.flat_map(Seat::runs).any(takes)
    }

    /// Listens where the spec says, and nowhere else. If one of its addresses cannot be listened on, the app stays
    /// reached where it is now, and a note says why.
    pub(super) fn listen_as_wanted(&mut self) {
        let wanted = self.means.spec.listen.clone();
        let added = self.listen_beside(&wanted);
        if let Err(reason) = &added {
            self.remark(Self::has_address, &format!("the app is not reached at {reason}"));
        }
        let Some(mut address) = self.address.take() else { return };
        if wanted.is_empty() {
            address.let_leave();
            self.close(address);
            return;
        }
        let is_other = address.go_by(self.manner());
        // A socket that is not watched any more has another number among those that are.
        let is_less = added.is_ok() && address.sockets.keep_only(&wanted);
        if is_less {
            self.unwatch_sockets(&mut address);
            address.keep(&self.service);
            self.means.sockets = address.sockets.shared();
        }
        let is_of_today = address.balance.as_ref().is_none_or(Balance::can_be_told);
        let runs_as_another = |balance: &Balance| balance.runs_as_another(&Runner::of(&self.means.spec));
        let is_another = address.balance.as_ref().is_some_and(runs_as_another);
        if is_another || (is_less || is_other) && !is_of_today {
            // One of an earlier version goes on listening on what it was given; another one is given what is left. One that may not read the
            // certificate, or need not any more, makes way for one that runs as somebody else.
            address.let_leave();
            self.poll.forget(&Wakeup::Balance);
        }
        self.address = Some(address);
    }

    /// The TLS and connection settings of the address. While a rollout is in progress, they cover the new addresses
    /// too.
    fn manner(&self) -> Manner {
        let spec = &self.means.spec;
        let mut frontend = spec.frontend.clone();
        if let Some(carried) = self.rollout.as_ref().filter(|carried| !carried.is_concluded) {
            let next = &carried.next.spec.frontend.tls;
            let beside = next.iter().filter(|address| !spec.listen.contains(address));
            frontend.tls.extend(beside);
        }
        Manner { frontend, certificates: spec.certificates.clone() }
    }

    /// There is another holder, which has no copies.
    pub(crate) fn keep_address_again(&self) {
        if let Some(address) = &self.address {
            address.keep(&self.service);
        }
    }

    /// Everything has ended: the app is reached nowhere any more.
    pub(super) fn close_address(&mut self) {
        if let Some(address) = self.address.take() {
            self.close(address);
        }
    }

    fn close(&mut self, mut address: Box<Address>) {
        self.unwatch_sockets(&mut address);
        self.poll.forget(&Wakeup::Balance);
        self.means.sockets.clear();
        address.close(&self.service);
    }

    pub(super) fn has_address(slot: &formation::Slot) -> bool {
        slot.process_type.as_str() == formation::FIRST_TYPE
    }

    /// A client connects, and no `ps-balance` takes it in.
    #[inline(never)]
    pub(super) fn receive(&mut self) {
        let Some(mut address) = self.address.take() else { return };
        self.unwatch_sockets(&mut address);
        self.list(&mut address);
        address.go_by(self.manner());
        if !address.is_left {
            match address.start(&self.service, &self.means.spec) {
                Ok(()) => self.watch_balance(&mut address),
                Err(reason) => self.complain(&mut address, reason),
            }
        }
        self.address = Some(address);
    }

    /// `ps-balance` has said something, or has ended.
    #[inline(never)]
    pub(super) fn hear_balance(&mut self) {
        let is_rolling = self.is_rolling();
        let Some(address) = &mut self.address else { return };
        let heard = address.hear();
        let certificates = address.balance.as_mut().map(Balance::take_certificates).unwrap_or_default();
        let is_refused = certificates.iter().any(|certificate| !certificate.is_taken);
        for certificate in certificates {
            self.note_certificate(certificate);
        }
        // A renewed key may be root's alone, so that only another one can read it.
        if is_refused && !is_rolling && heard == Heard::Nothing {
            self.listen_as_wanted();
        }
        let Some(mut address) = self.address.take() else { return };
        if let Some(settled) = address.settle_complaint() {
            self.forget_notes(Self::has_address, |note| note == settled);
        }
        let is_over = match heard {
            Heard::Nothing => false,
            Heard::Idle if is_rolling => false,
            Heard::Idle | Heard::Stuck => {
                address.let_leave();
                true
            }
            Heard::End => {
                if address.lose() {
                    self.complain(&mut address, CANNOT_SERVE.to_owned());
                }
                true
            }
        };
        self.address = Some(address);
        if is_over {
            self.poll.forget(&Wakeup::Balance);
        }
    }

    /// Says in the status of the instances why clients of the address wait.
    fn complain(&mut self, address: &mut Address, reason: String) {
        if address.complaint.as_ref() != Some(&reason) {
            self.remark(Self::has_address, &reason);
            address.complaint = Some(reason);
        }
    }

    /// Directs clients to the instances that exist now, and reports to the rollout those changes for which it has
    /// waited.
    pub(super) fn lead_clients(&mut self) {
        for event in self.lead() {
            match event {
                Event::Withdrawn(run) if self.is_drained(&run) => self.end_run(&run),
                event => self.hear(event),
            }
        }
    }

    /// A run that comes in is to get connections.
    pub(super) fn admit(&mut self, run: RunOf) {
        let accepts_itself = self.has_socket(&run);
        match self.address.as_mut().filter(|_| Self::has_address(&run.slot)) {
            Some(address) if accepts_itself => {
                address.table.was_admitted(&run);
                self.hear(Event::Admitted(run));
            }
            Some(address) => address.table.admit(run),
            // Clients reach it by its port, so there is nothing to switch over.
            None => self.hear(Event::Admitted(run)),
        }
    }

    /// A run that goes out is to get no more connections, and has a time to end those that it has.
    pub(super) fn withdraw(&mut self, run: RunOf) {
        let accepts_itself = self.has_socket(&run);
        match self.address.as_mut().filter(|_| Self::has_address(&run.slot)) {
            Some(address) if accepts_itself => {
                address.table.was_withdrawn(&run);
                // It stops to accept when it is told to end, and ends its connections by itself.
                self.hear(Event::Withdrawn(run));
            }
            Some(address) => address.table.withdraw(run, Instant::now()),
            None => self.hear(Event::Withdrawn(run)),
        }
    }

    /// Whether a run was given the sockets of the address, and accepts its clients itself.
    fn has_socket(&self, run: &RunOf) -> bool {
        let runs = self.seats.get(&run.slot).into_iter().flat_map(Seat::runs);
        runs.into_iter().any(|known| known.number() == run.number && known.status.has_socket)
    }

    /// Whether the instances alone accept clients from now on. While an instance is left to which `ps-balance` leads clients, or one of
    /// another scheduler, it accepts beside those that have the sockets.
    fn is_left_to_instances(&self, address: &Address) -> bool {
        let next = self.rollout.as_ref().filter(|carried| !carried.is_concluded);
        let is_wanted = self.means.spec.leaves_clients_to_instances()
            || next.is_some_and(|carried| carried.next.spec.leaves_clients_to_instances());
        is_wanted && !address.table.leads_to_any()
    }

    /// Runs of the rollout that was taken over get connections already.
    pub(super) fn note_admitted(&mut self) {
        let (Some(address), Some(carried)) = (&mut self.address, &self.rollout) else { return };
        for (slot, run) in self.seats.iter().flat_map(|(slot, seat)| seat.runs().map(move |run| (slot, run)))
        {
            let run = RunOf { slot: slot.clone(), number: run.number() };
            let is_let_in = |comparison: &Comparison| comparison.let_in().any(|known| *known == run);
            if carried.is_served(&run) || carried.comparison.as_ref().is_some_and(is_let_in) {
                address.table.was_admitted(&run);
            }
        }
    }

    /// Tells `ps-balance` of the instances that there are, and looks at the sockets while none lives. What the rollout has waited for.
    fn lead(&mut self) -> Vec<Event> {
        let now = Instant::now();
        let Some(mut address) = self.address.take() else { return Vec::new() };
        if address.seek(&self.service, now) {
            self.watch_balance(&mut address);
        }
        self.list(&mut address);
        address.go_by(self.manner());
        if address.is_left && !self.is_rolling() && !address.table.awaits_any() && address.balance.is_some() {
            address.let_leave();
            self.poll.forget(&Wakeup::Balance);
        }
        address.tell();
        let settled = address.table.settle(now, address.balance.is_some());
        let numbers: BTreeSet<u64> = self.seats.values().flat_map(Seat::runs).map(Run::number).collect();
        if !self.is_rolling() {
            address.table.retain(|number| numbers.contains(&number));
        }
        self.watch_sockets(&mut address, now);
        let settled = settled.into_iter().filter_map(|settled| self.conclude(&mut address, settled));
        let events = settled.collect();
        self.address = Some(address);
        self.answer_led();
        events
    }

    /// What a rollout hears of what has settled.
    fn conclude(&self, address: &mut Address, settled: Settled) -> Option<Event> {
        match settled {
            Settled::Admitted(Who::Run(run)) => Some(Event::Admitted(run)),
            Settled::NotAdmitted { who: Who::Run(run), reason } => Some(Event::NotAdmitted { run, reason }),
            Settled::Withdrawn { who: Who::Run(run), is_late } => {
                if is_late {
                    address.count.lost();
                }
                Some(Event::Withdrawn(run))
            }
            Settled::Admitted(Who::Led(_)) => None,
            Settled::NotAdmitted { who: Who::Led(_), reason } => {
                address.led.refused = Some(reason);
                None
            }
            Settled::Withdrawn { who: Who::Led(id), is_late } => {
                if is_late {
                    address.count.lost();
                    address.led.late.push(id.clone());
                }
                address.led.has_gone(&self.service, &id);
                None
            }
        }
    }

    /// Puts the instances that exist now into the table. While releases are compared, each side gets its share by number of
    /// connections, also if it keeps them for longer than the other.
    fn list(&self, address: &mut Address) {
        let compares = self.comparison().is_some_and(Comparison::shares_out);
        address.table.share_by(if compares { Share::Count } else { Share::Load });
        let backends = self.backends(address);
        address.table.update(backends);
        address.is_left = self.is_left_to_instances(address);
    }

    fn comparison(&self) -> Option<&Comparison> {
        self.rollout.as_ref().and_then(|carried| carried.comparison.as_ref())
    }

    /// The instances that clients are led to, and those that they are led away from.
    fn backends(&self, address: &Address) -> Vec<Wanted> {
        let seats = self.seats.values().filter(|seat| Self::has_address(seat.slot()));
        let backend = |run: &Run| {
            let table = &address.table;
            let is_let_in = run.status.role != Some(Role::Incoming) || table.is_admitted(run.number());
            let (state, weight) = match run.state() {
                RunState::Ready if table.is_withdrawn(run.number()) => (State::Drain, WEIGHT),
                RunState::Ready if is_let_in => (State::Ready, WEIGHT),
                // It keeps the connections that it has, and gets no new ones.
                RunState::Unready if is_let_in => (State::Ready, 0),
                RunState::Ready
                | RunState::Unready
                | RunState::Preparing
                | RunState::Starting
                | RunState::StopCommand
                | RunState::Terminating
                | RunState::Killing
                | RunState::Clearing
                | RunState::Ended => return None,
            };
            let run_of = RunOf { slot: run.status.slot.clone(), number: run.number() };
            // An instance cannot be a backend at a port of the app's own address: its connections would be handed to it again
            // and again.
            let port = run.status.port.filter(|port| !address.sockets.have_port(*port))?;
            let address = (Ipv4Addr::LOCALHOST, port).into();
            let release = Some(run.status.revision);
            Some(Wanted { id: backend_id(&run_of), address, weight, state, release })
        };
        let backends = seats.flat_map(Seat::runs).filter_map(backend).chain(address.led.wanted());
        let mut backends: Vec<Wanted> = backends.collect();
        if let Some(comparison) = self.comparison() {
            comparison.weigh(&mut backends);
        }
        backends
    }

    pub(super) fn watch_balance(&mut self, address: &mut Address) {
        self.unwatch_sockets(address);
        if let Some(balance) = &address.balance {
            let _ = self.poll.watch(balance.fd(), Wakeup::Balance);
        }
    }

    fn watch_sockets(&mut self, address: &mut Address, now: Instant) {
        let rests = address.rests_until.is_some_and(|until| until > now);
        if address.is_left {
            return self.unwatch_sockets(address);
        }
        if address.balance.is_some() || address.is_watched || rests || self.is_shared(address) {
            return;
        }
        address.rests_until = None;
        address.is_watched = true;
        for (index, socket) in address.fds().enumerate() {
            let _ = self.poll.watch(socket, Wakeup::Address(index));
        }
    }

    fn unwatch_sockets(&mut self, address: &mut Address) {
        if std::mem::take(&mut address.is_watched) {
            for socket in address.fds() {
                let _ = self.poll.unwatch(socket);
            }
            self.poll.forget_all(|wakeup| matches!(wakeup, Wakeup::Address(_)));
        }
    }

    /// When something about the address is due.
    pub(super) fn address_due(&self) -> Option<Instant> {
        let counting = self.counts_until.filter(|_| self.is_counting());
        self.address.as_ref().and_then(|address| address.due()).into_iter().chain(counting).min()
    }
}
