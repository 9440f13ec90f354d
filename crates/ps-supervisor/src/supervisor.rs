//! One supervisor: it hands events to seats and runs, and records the results. What to do is decided in `seat_table` and
//! `run_table`, never here.

mod address;
mod adoption;
mod attached;
mod certificates;
mod checks;
mod compare;
mod counted;
mod due;
mod event_loop;
mod flow;
mod handed_on;
mod happened;
mod led;
mod lock;
mod memory;
mod notify;
mod open;
mod order;
mod reexec;
mod renewal;
mod rollout;
mod runs;
mod schedule;
mod strays;
mod unseen;
mod upkeep;
mod watched;

pub use event_loop::Until;
pub use open::{Begin, NOTHING_LIVES};

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use formation::Slot;
use rustix::process::WaitOptions;
use signal_hook::consts::{SIGINT, SIGTERM};

use self::handed_on::HandedOn;
use crate::Error;
use crate::address::Address;
use crate::attachment::{Attached, Change};
use crate::candidate::Candidate;
use crate::clock::Clock;
use crate::control::Message;
use crate::descriptors::Descriptors;
use crate::diary::Writer;
use crate::errand::Errand;
use crate::holder;
use crate::means::Means;
use crate::pace::Flow;
use crate::poll::Poll;
use crate::process::{Process, exit_of};
use crate::rollout::Carried;
use crate::run::Run;
use crate::seat::Seat;
use crate::seat_table::Event;
use crate::server::Server;
use crate::signals::{Heard, Signals};
use crate::spec::Spec;
use crate::spec_file::SpecFile;
use crate::state::{State, Statuses};
use crate::tidier::Tidier;
use crate::wakeup::Wakeup;
use crate::watched::{Refresh, WatchedPaths};

/// The signals that end a supervisor.
const END_SIGNALS: [i32; 2] = [SIGTERM, SIGINT];
/// How often a tree that is meant to become empty is looked at, and sending an unsent answer is tried again.
const LOOK: Duration = Duration::from_millis(10);
/// The pause after something failed.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);

/// The supervisor of one service directory.
#[derive(Debug)]
pub struct Supervisor {
    pub(crate) service: PathBuf,
    pub(crate) means: Means,
    pub(crate) seats: BTreeMap<Slot, Seat>,
    pub(crate) spec_file: SpecFile,
    pub(crate) server: Server,
    pub(crate) poll: Poll<Wakeup>,
    /// The rollout that is in progress, or whose outcome no client has been told yet.
    pub(crate) rollout: Option<Carried>,
    /// Where the app is reached, if it has an address.
    address: Option<Box<Address>>,
    /// Until when the numbers of a rollout that is decided are waited for.
    counts_until: Option<Instant>,
    /// The files that are watched for changes.
    watched: Vec<WatchedPaths>,
    /// The restart in progress because watched files have changed.
    refresh: Option<Refresh>,
    /// The schedules, if a type has one.
    clock: Option<Box<Clock>>,
    children: Signals,
    signals: Signals,
    pub(crate) attached: Option<Attached>,
    /// Why the output of an instance could not be handed to the foreground program.
    unattached: Option<Error>,
    /// The slots that are to end one type after the other, and whether they were told so.
    pub(crate) leaving: BTreeMap<Slot, bool>,
    pub(crate) is_ending: bool,
    /// Whether a client asked to stop everything for good. A signal only ends this supervisor.
    pub(crate) is_told_to_rest: bool,
    pub(crate) told_unwritten: Option<String>,
    /// Since when processes of unknown instances are being killed.
    pub(crate) clears_since: Option<Instant>,
    pub(crate) paused: BTreeMap<Wakeup, Instant>,
    /// Adopted processes that have ended, and since when their exit status is waited for.
    unseen: BTreeMap<Wakeup, Instant>,
    flow: Flow,
    tidier: Tidier,
    errand: Errand,
    pub(crate) lock: File,
    /// The program that was asked whether it can replace this one.
    candidate: Option<Candidate>,
    /// When something was last under way, if this process has carried out a rollout.
    worn_since: Option<Instant>,
}

impl Supervisor {
    /// A file that was ignored because it cannot be read, for people.
    pub fn passed_over(&self) -> Option<Error> {
        self.means.spec.list_passed_over(&self.service)
    }

    /// Passes events that no person asked for to this writer.
    pub fn write_to(&mut self, writer: Writer) {
        self.means.diary.writer = Some(writer);
    }

    /// In a box: each caller would have one on its stack, which keeps its largest size for as long as the process lives.
    #[inline(never)]
    fn take_charge(
        service: &Path,
        spec: Spec,
        held: HandedOn,
        attached: Option<Attached>,
        Heard { children, signals }: Heard,
    ) -> Result<Box<Self>, Error> {
        let fail = |error: std::io::Error| Error::io("watch", service, error);
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|errno| fail(errno.into()))?;
        let descriptors = Descriptors::raise();
        // Read before the new socket is made, because the statuses count as up to date only beside the socket of their
        // writer.
        let left = Statuses::of(service);
        let HandedOn { lock, listener } = held;
        let server = match listener {
            Some(listener) => Server::on(listener, descriptors.clients()),
            None => Server::listen(service, descriptors.clients())?,
        };
        let state = State::begin(service, left);
        let mut poll = Poll::new().map_err(|errno| fail(errno.into()))?;
        for (fd, wakeup) in [
            (children.fd(), Wakeup::ChildSignal),
            (signals.fd(), Wakeup::Signal),
            (server.fd(), Wakeup::Listener),
        ] {
            poll.watch(fd, wakeup).map_err(|errno| fail(errno.into()))?;
        }
        Ok(Box::new(Self {
            service: service.to_owned(),
            means: Means::new(service, spec, state, descriptors),
            seats: BTreeMap::new(),
            spec_file: SpecFile::default(),
            server,
            poll,
            rollout: None,
            address: None,
            counts_until: None,
            watched: Vec::new(),
            refresh: None,
            clock: None,
            children,
            signals,
            attached,
            unattached: None,
            leaving: BTreeMap::new(),
            is_ending: false,
            is_told_to_rest: false,
            told_unwritten: None,
            clears_since: None,
            paused: BTreeMap::new(),
            unseen: BTreeMap::new(),
            flow: Flow::default(),
            tidier: Tidier::default(),
            errand: Errand::default(),
            lock,
            candidate: None,
            worn_since: None,
        }))
    }

    /// Begins to end everything; [`Supervisor::run`] returns when that is done. Instances that have finished keep their
    /// state.
    pub(crate) fn begin_end(&mut self) {
        self.is_ending = true;
        self.give_up_rollout();
        let live = self.seats.values().filter(|seat| !seat.is_at_rest());
        let live: Vec<Slot> = live.map(|seat| seat.slot().clone()).collect();
        self.end_in_order(live);
    }

    /// Ends the runs beside those that fill the seats, when no rollout continues.
    fn dismiss_all(&mut self) {
        for seat in self.seats.values_mut() {
            seat.handle(Event::Dismiss, &mut self.means);
        }
    }

    /// Makes the seats follow the spec.
    #[inline(never)]
    pub(crate) fn apply(&mut self) {
        let wanted = self.means.spec.wanted();
        for slot in &wanted {
            self.open_seat(slot, &BTreeSet::new());
        }
        self.listen_for_instances();
        self.open_outputs();
        self.limit_logs();
        self.wind_clock();
        self.let_stay(&wanted);
        let is_ordered = !self.means.spec.order().is_empty();
        let mut leaving = Vec::new();
        let is_of = |slot: &Slot| wanted.iter().any(|wanted| wanted.process_type == slot.process_type);
        for seat in self.seats.values_mut() {
            let rule = self.clock.as_ref().and_then(|clock| clock.rule(&seat.slot().process_type));
            let event = match (wanted.contains(seat.slot()), rule) {
                // A run beside those of the formation, which runs to its end.
                (false, Some(rule)) if seat.is_extra(rule.overlap) && is_of(seat.slot()) => continue,
                (false, _) if is_ordered => {
                    leaving.push(seat.slot().clone());
                    continue;
                }
                (false, _) => Event::Stop,
                (true, Some(rule)) => {
                    seat.go_by(&rule.timetable, &mut self.means);
                    continue;
                }
                // Also a seat in backoff: the failures of the earlier revision do not count against the new one.
                (true, None) if !self.means.spec.is_of_now(&seat.slot().process_type, seat.revision()) => {
                    Event::Restart
                }
                (true, None) => Event::Want,
            };
            seat.leave_schedule();
            seat.handle(event, &mut self.means);
        }
        self.end_in_order(leaving);
        self.listen_as_wanted();
        self.watch_files();
    }

    fn open_outputs(&mut self) {
        // The outputs of a run that is not started yet are opened at its start, and a run that has ended writes nothing
        // more.
        let is_closed = |run: &&mut Run| run.state().is_live() && !run.has_outputs();
        for run in self.seats.values_mut().flat_map(Seat::runs_mut).filter(is_closed) {
            run.mend();
        }
        self.watch_outputs();
    }

    #[inline(never)]
    fn serve(&mut self, wakeup: &Wakeup) {
        match wakeup {
            Wakeup::ChildSignal => {
                self.children.take();
                self.reap();
            }
            Wakeup::Signal => self.hear_signals(),
            Wakeup::End(index) => self.reach_end(*index),
            Wakeup::Listener => self.welcome(),
            Wakeup::Client(id) => self.listen_to(*id),
            // The runs look at their checks in every turn.
            Wakeup::Check(..) => (),
            Wakeup::Notify => self.hear_notices(),
            Wakeup::Files(index) => self.hear_files(*index),
            Wakeup::Memory(slot, is_second, _) => self.hear_memory(slot, *is_second),
            Wakeup::Clock => self.hear_clock(),
            Wakeup::Output { .. } => self.capture(wakeup),
            Wakeup::Address(_) => self.receive(),
            Wakeup::Balance => self.hear_balance(),
            Wakeup::Adopted(..) => {
                self.poll.forget(wakeup);
                self.lose_sight(wakeup);
            }
        }
    }

    /// Reaps every child that has ended. The end of a main process is reported to its seat; other processes are only
    /// reaped.
    #[inline(never)]
    fn reap(&mut self) {
        self.count_mains();
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            let pid = pid.as_raw_nonzero().get().unsigned_abs();
            if self.tidier.has_ended(pid) || self.errand.has_ended(pid) {
                continue;
            }
            if let Some(seat) = self.seats.values_mut().find(|seat| seat.has_main(pid)) {
                seat.reap(pid, exit_of(status), &mut self.means);
            } else {
                self.reap_check(pid, exit_of(status));
                self.hear_candidate(pid, status);
            }
        }
    }

    /// Records the main processes. Any other child of this process is one whose parent has died before it.
    fn count_mains(&mut self) {
        let runs = self.seats.values().flat_map(Seat::runs);
        self.means.mains =
            runs.filter_map(|run| run.process().map(Process::pid)).chain(self.errand.pid()).collect();
    }

    #[inline(never)]
    fn look(&mut self) {
        let now = Instant::now();
        self.look_for_ends();
        let replaced =
            |seats: &BTreeMap<Slot, Seat>| seats.values().filter(|seat| seat.is_replaced()).count();
        let before = replaced(&self.seats);
        if self.seats.values().flat_map(Seat::runs).any(Run::is_clearing) {
            self.count_mains();
        }
        for seat in self.seats.values_mut() {
            seat.look(now, &mut self.means);
        }
        self.end_next();
        self.look_at_clock();
        self.look_at_checks(now);
        self.watch_notify_socket();
        self.lead_clients();
        self.carry_on();
        self.conclude_refresh();
        self.refresh(now);
        self.replace_large(now);
        if replaced(&self.seats) < before && !self.means.news.is_heard() && !self.is_ending {
            // A seat ignores the spec while a rollout's run is beside, so it has to hear of the spec again now.
            self.apply();
        }
        self.lose_patience(now);
        self.note_stopped_later(now);
        self.end_pauses(now);
        self.give_back(now);
        self.tidy_logs(now);
        self.renew(now);
    }

    /// Records and tells what has changed, and removes seats that no longer belong to the formation.
    #[inline(never)]
    pub(crate) fn publish(&mut self) {
        self.start_held();
        self.bring_inside();
        let wanted = self.means.spec.wanted();
        let mut gone = Vec::new();
        let unsure = self.seats.values().any(|seat| seat.has_changed() && seat.is_unsure());
        self.means.state.reserve(self.seats.len());
        let strays = if unsure { self.strays() } else { Vec::new() };
        for (slot, seat) in &mut self.seats {
            if seat.has_changed() && seat.is_unsure() {
                seat.remark(Self::may_be_left(&strays));
            }
            if let Some(status) = seat.take_change(&mut self.means) {
                if let Some(attached) = &mut self.attached {
                    let (status, starts_in) = (Box::new(status.clone()), seat.starts_in());
                    attached.news.push(Change::Instance { status, starts_in });
                }
                self.server.tell(&Message::Instance(status));
            }
            if let Some(status) = seat.take_change_beside() {
                self.server.tell(&Message::Run(status));
            }
            // A slot that only the next revision has may be stopped already: what says so is its seat.
            let carried = self.rollout.as_ref().filter(|carried| !carried.is_concluded);
            let stays = self.means.spec.stopped.contains(slot)
                || carried.is_some_and(|carried| carried.leaves_empty(slot));
            if seat.is_at_rest() && !wanted.contains(slot) && !stays {
                gone.push(slot.clone());
            }
        }
        if self.means.begun.is_due() && self.seats.values().all(Seat::is_written) {
            self.means.begun.forget();
        }
        let has_gone = !gone.is_empty();
        for slot in gone {
            if let Some(mut seat) = self.seats.remove(&slot) {
                seat.forget(&mut self.means);
            }
            self.poll.forget_all(|wakeup| wakeup.is_of(&slot));
            self.server.tell(&Message::Gone { slot });
        }
        if has_gone {
            holder::remind(&self.service);
        }
        self.errand.ask(self.means.diary.write(&self.service));
    }
}
