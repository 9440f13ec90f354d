//! The requests of clients on the control socket, and what the supervisor does for each. A stop first signals the processes
//! and then records it, so a full disk cannot keep a process alive.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Instant;

use formation::{RestartReason, Slot};
use log_store::Upkeep;

use crate::Error;
use crate::attachment::Cause;
use crate::build::Build;
use crate::control::{Message, PROTOCOL, Request};
use crate::seat::Seat;
use crate::seat_table::Event;
use crate::spec::{SPEC_FILE, Spec};
use crate::spec_file::SpecFile;
use crate::state::{State, Statuses};
use crate::status::Status;
use crate::supervisor::{PAUSE, Supervisor};
use crate::wakeup::Wakeup;

impl Supervisor {
    /// Accepts the clients that wait on the control socket.
    #[inline(never)]
    pub(crate) fn welcome(&mut self) {
        loop {
            // `accept` may disconnect the oldest client that has not sent a request. Requests that have arrived are
            // read first, so that no client with an unread request counts as silent.
            for id in self.server.unread_if_full() {
                self.listen_to(id);
            }
            let Some(accepted) = self.server.accept() else { return };
            match accepted {
                Ok(Some(id)) => {
                    if let Some(fd) = self.server.client_fd(id) {
                        let _ = self.poll.watch(fd, Wakeup::Client(id));
                    }
                }
                Ok(None) => (),
                // No descriptor is left for the connection, and the socket stays readable. We pause, because otherwise the
                // event loop would do nothing but try again.
                Err(_) => {
                    let _ = self.poll.unwatch(self.server.fd());
                    self.poll.forget(&Wakeup::Listener);
                    self.paused.insert(Wakeup::Listener, Instant::now() + PAUSE);
                    return;
                }
            }
        }
    }

    /// Reads the requests of one client and answers them.
    #[inline(never)]
    pub(crate) fn listen_to(&mut self, id: u64) {
        for request in self.server.read(id).unwrap_or_default() {
            let answer = request.and_then(|request| self.answer(id, request));
            self.server.say(id, &Message::Reply { error: answer.err() });
        }
        if !self.server.has(id) {
            self.poll.forget(&Wakeup::Client(id));
        }
    }

    /// Reads the spec. If it brings other addresses, these are listened on before anything is changed.
    ///
    /// # Errors
    /// It cannot be read, or one of its new addresses cannot be listened on. The spec of before stays in force.
    fn read_spec_and_listen(&mut self) -> Result<(), String> {
        let before = self.means.spec.clone();
        self.read_spec().map_err(|error| error.to_string())?;
        let wanted = self.means.spec.listen.clone();
        if wanted != before.listen
            && let Err(reason) = self.listen_beside(&wanted)
        {
            self.means.spec = before;
            return Err(reason);
        }
        Ok(())
    }

    fn answer(&mut self, id: u64, request: Request) -> Result<(), String> {
        match request {
            Request::Hello => {
                self.server.say(id, &Message::Hello { protocol: PROTOCOL, build: Build::own() });
            }
            Request::Reexec { program } => self.ask_candidate(program, id)?,
            Request::Apply => {
                self.refuse_while_rolling()?;
                self.read_spec_and_listen()?;
                self.check_files();
                self.apply();
            }
            Request::Start { slots } => self.handle_wanted(&slots, Event::Start)?,
            Request::Restart { slots } => self.handle_wanted(&slots, Event::Restart)?,
            Request::Reset { slots } => {
                let is_meant = |seat: &&mut Seat| slots.contains(seat.slot());
                self.seats.values_mut().filter(is_meant).for_each(Seat::forget_deaths);
            }
            Request::Stop { slots, grace_seconds } => self.stop(&slots, grace_seconds),
            Request::Watch => self.let_watch(id),
            Request::Spec => {
                let spec = Box::new(self.means.spec.clone());
                self.server.say(id, &Message::Spec { spec });
            }
            Request::RotateLogs { slots } => self.keep_up_logs(id, &slots, Upkeep::Rotate),
            Request::FlushLogs { slots } => self.keep_up_logs(id, &slots, Upkeep::Flush),
            Request::Limit => self.limit_again(),
            Request::Hold => self.tell_holder_again(),
            Request::Roll { slots } => {
                let reason = self.is_of_schedule(id).then_some(RestartReason::Schedule);
                self.roll(slots, reason)?;
            }
            Request::Lead { backends, begins } => self.lead_to(id, backends, begins)?,
            Request::Cancel => self.cancel_rollout(),
            Request::End { grace_seconds } => {
                if !self.means.spec.order().is_empty() {
                    // It would end old and new all at once.
                    self.give_up_rollout();
                }
                let all: Vec<Slot> = self.seats.keys().cloned().chain(self.means.spec.wanted()).collect();
                self.stop(&all, grace_seconds);
                self.end_for(Cause::Client);
                self.is_told_to_rest = true;
            }
        }
        self.publish();
        Ok(())
    }

    /// Whether a client is a process of a run by schedule: a scheduled task of the app asks, and no person.
    fn is_of_schedule(&mut self, id: u64) -> bool {
        let Some(pid) = self.server.client_pid(id) else { return false };
        let scheduled = self.seats.values().filter(|seat| seat.runs_by_schedule(&self.means.spec));
        scheduled.flat_map(Seat::runs).any(|run| run.has_process(pid, &mut self.means.census))
    }

    #[inline(never)]
    fn let_watch(&mut self, id: u64) {
        self.check_files();
        // The changes so far go to the clients that watch already. The new one gets the full status next, and would
        // hear of them twice otherwise.
        self.publish();
        self.server.let_watch(id);
        for seat in self.seats.values() {
            self.server.say(id, &Message::Instance(seat.status()));
            if let Some(beside) = seat.beside() {
                self.server.say(id, &Message::Run(Status::clone(&beside.status)));
            }
        }
        self.tell_rollout(id);
    }

    #[inline(never)]
    fn handle_wanted(&mut self, slots: &[Slot], event: Event) -> Result<(), String> {
        self.refuse_while_rolling()?;
        let wanted = self.means.spec.wanted();
        self.let_stay(slots);
        for slot in slots.iter().filter(|slot| wanted.contains(slot)) {
            if let Some(seat) = self.seats.get_mut(slot) {
                seat.handle(event, &mut self.means);
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn stop(&mut self, slots: &[Slot], grace_seconds: Option<u64>) {
        let spec = &mut self.means.spec;
        spec.stop_timeout_seconds = grace_seconds.unwrap_or(spec.stop_timeout_seconds);
        let meant: Vec<Slot> = spec.wanted().into_iter().filter(|slot| slots.contains(slot)).collect();
        let is_new = !meant.is_empty();
        spec.stopped.extend(meant);
        self.end_in_order(slots.iter().cloned());
        if self.is_rolling() {
            // The rollout is told of each of them at once.
            self.end_the_rest();
        }
        // A list of stopped slots that was damaged is written anew, also where this revision changes nothing.
        let is_damaged = |spec: &Spec| spec.list_passed_over(&self.service).is_some();
        if is_new || Spec::read(&self.service).map_or(true, |spec| is_damaged(&spec)) {
            self.note_stopped();
        }
        self.stop_in_rollout(slots);
    }

    /// Reads the spec again. A list of stopped slots that could not be written yet belonged to the old spec and is
    /// dropped.
    #[inline(never)]
    fn read_spec(&mut self) -> Result<(), Error> {
        let stamp = self.stamp_of_spec();
        let mut spec = Spec::read(&self.service)?;
        let known = &self.means.spec;
        if Spec::is_of_first_format(&self.service) && spec.revision <= known.revision && spec != *known {
            // A program of the first format counts revisions from the spec that it knows, so its number may be one that we
            // have had. What it has deployed gets the number after ours.
            spec.revision = known.revision + 1;
            spec.write(&self.service)?;
        }
        if spec.revision == known.revision && spec.list_passed_over(&self.service).is_some() {
            // The file's own list is damaged; we still know which slots were stopped.
            spec.stopped.clone_from(&known.stopped);
        }
        self.means.spec = spec;
        self.spec_file = SpecFile { stamp, unwritten: None };
        if !self.means.spec.wanted().is_empty() {
            self.is_ending = false;
            self.is_told_to_rest = false;
            self.clears_since = None;
        }
        Ok(())
    }

    #[inline(never)]
    fn note_stopped(&mut self) {
        if self.attached.is_some() {
            // In the foreground the spec is in memory alone: no value of the environment is ever on disk.
            return;
        }
        let written = self.means.spec.note_stopped(&self.service);
        let unwritten = written.err().map(|error| (Instant::now() + PAUSE, error.to_string()));
        self.spec_file = SpecFile { stamp: self.stamp_of_spec(), unwritten };
    }

    /// Records stopped slots that could not be recorded before, once the retry is due. If another program has written a new
    /// spec meanwhile, ours is not written over it: that program is about to send `apply`.
    pub(crate) fn note_stopped_later(&mut self, now: Instant) {
        if self.spec_file.unwritten.as_ref().is_none_or(|(again, _)| *again > now) {
            return;
        }
        let stamp = self.stamp_of_spec();
        if stamp.is_some() && stamp != self.spec_file.stamp {
            self.spec_file.unwritten = None;
        } else {
            self.note_stopped();
        }
    }

    /// Remembers which file the spec was read from: device, inode and time of change.
    pub(crate) fn note_spec_file(&mut self) {
        self.spec_file.stamp = self.stamp_of_spec();
    }

    fn stamp_of_spec(&self) -> Option<(u64, u64, i64, i64)> {
        let metadata = fs::symlink_metadata(self.service.join(SPEC_FILE)).ok()?;
        Some((metadata.dev(), metadata.ino(), metadata.mtime(), metadata.mtime_nsec()))
    }

    /// Writes a status file again if it was damaged.
    pub(crate) fn check_files(&mut self) {
        let is_state_lost = !self.means.state.is_in_place(&self.service);
        if is_state_lost {
            self.means.state = State::begin(&self.service, Statuses::of(&self.service));
        }
        self.seats.values_mut().for_each(|seat| seat.check_file(is_state_lost));
    }

    /// Whether every ended instance has also been recorded as ended. If the service directory was removed, there is nothing
    /// left to record.
    pub(crate) fn is_written_down(&self) -> bool {
        let is_written = self.spec_file.unwritten.is_none() && self.seats.values().all(Seat::is_written);
        is_written || !self.is_told_to_rest || self.lock.metadata().is_ok_and(|lock| lock.nlink() == 0)
    }

    /// Tells the clients that watch that everything has ended, but cannot be recorded.
    pub(crate) fn tell_unwritten(&mut self) {
        let service = self.service.display();
        let spec = self.spec_file.unwritten.as_ref().map(|(_, reason)| reason.clone());
        let reason = spec.unwrap_or_else(|| format!("write a status in {service}"));
        if self.told_unwritten.replace(reason.clone()).as_ref() != Some(&reason) {
            self.server.tell(&Message::Unwritten { reason });
        }
    }

    /// When the stopped slots are to be recorded, if an earlier attempt failed.
    pub(crate) fn spec_due(&self) -> Option<Instant> {
        self.spec_file.unwritten.as_ref().map(|(again, _)| *again)
    }
}
