//! Follows a change until it is complete or has failed: a started instance must stay up for a second, a stopped one must end.

mod fill;

pub(crate) use fill::is_begun;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use formation::{Exit, Slot, State};
use os_process::Stat;
use ps_scheduler::{Error, Progress, Requester};
use ps_service::{Service, backend};
use ps_supervisor::{Client, Message, Report, Request, Status};
use type_settings::Order;

use crate::logs;

/// An instance that dies within this time fails the deploy.
const LEAST_LIFE: Duration = Duration::from_secs(1);
/// How long to wait for an answer, unless the supervisor uses CPU time meanwhile. It answers when it has started everything that it
/// was told to start, and on a busy machine 300 instances take longer than this.
const ANSWER: Duration = Duration::from_secs(10);
/// How long to wait for an answer at most.
const LONGEST_ANSWER: Duration = Duration::from_secs(300);
const TURN: Duration = Duration::from_millis(100);

/// A connection to a supervisor that watches all changes.
pub(crate) struct Follower<'a> {
    pub(crate) service: &'a Service,
    client: Client,
    known: BTreeMap<Slot, Status>,
    /// The numbers of the runs that were reported with a process.
    runs: BTreeSet<u64>,
    /// The slots whose new runs were reported since this follower began.
    told: BTreeSet<Slot>,
    /// The last reported state of each run, with its note.
    seen: BTreeMap<(Slot, u64), (State, Option<String>)>,
    /// The last report of a rollout.
    pub(crate) rollout: Option<Report>,
}

impl<'a> Follower<'a> {
    /// Connects, starting the supervisor if necessary, and reads the current state.
    pub(crate) fn begin(service: &'a Service, client: Client) -> Result<Self, Error> {
        let mut client = service.awake(client)?;
        client.send(&Request::Watch).map_err(|error| service.unreachable(&error.to_string()))?;
        let (known, runs, told, seen) = Default::default();
        let mut follower = Self { service, client, known, runs, told, seen, rollout: None };
        for message in follower.await_reply()? {
            follower.learn(message);
        }
        follower.told.clear();
        // An instance that is starting already may be the one that this verb waits for.
        follower.seen.retain(|_, (state, _)| !matches!(state, State::Waiting | State::Starting));
        Ok(follower)
    }

    /// Messages about instances that run already or are being started: a supervisor that was just started has read the spec
    /// by itself.
    pub(crate) fn running(&self) -> Vec<Message> {
        let is_running = |status: &&Status| matches!(status.state, State::Starting | State::Running);
        self.known.values().filter(is_running).cloned().map(Message::Instance).collect()
    }

    /// The last reported status of the instance in a slot.
    pub(crate) fn known(&self, slot: &Slot) -> Option<&Status> {
        self.known.get(slot)
    }

    /// Sends a request and waits for the reply. Returns the messages that came before it.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<Vec<Message>, Error> {
        self.client.send(request).map_err(|error| self.service.unreachable(&error.to_string()))?;
        self.await_reply()
    }

    /// Tests whether the supervisor still answers. Returns the changes that were reported meanwhile.
    pub(crate) fn hear_whether_it_lives(&mut self) -> Result<Vec<Progress>, Error> {
        let told = self.ask(&Request::Hello)?;
        Ok(told.into_iter().flat_map(|message| self.learn(message)).collect())
    }

    /// Whether a slot is in backoff after the death of its run `before`, the one that an earlier look at the files had shown.
    pub(crate) fn is_in_backoff_since(&self, slot: &Slot, before: Option<u64>) -> bool {
        let is_it = |status: &Status| status.state == State::Backoff && Some(status.run) == before;
        self.known.get(slot).is_some_and(is_it)
    }

    /// Whether one of these slots has a living process, which may still fail.
    pub(crate) fn has_up<'s>(&self, mut slots: impl Iterator<Item = &'s Slot>) -> bool {
        slots.any(|slot| self.known.get(slot).is_some_and(|status| status.state.is_alive()))
    }

    /// The slots that are not at rest.
    pub(crate) fn busy(&self) -> BTreeSet<Slot> {
        let is_at_rest = |state| matches!(state, State::Stopped | State::Crashed | State::Missing);
        let busy = self.known.values().filter(|status| !is_at_rest(status.state));
        busy.map(|status| status.slot.clone()).collect()
    }

    /// Waits until the supervisor exits. `Some`: every process has ended, but that cannot be recorded, and the supervisor stays
    /// until it can; the text is the reason. If the caller is cancelled, only the waiting ends.
    pub(crate) fn until_it_leaves(
        &mut self,
        deadline: Instant,
        requester: &mut Requester<'_>,
    ) -> Result<Option<String>, Error> {
        loop {
            requester.cancel.check()?;
            let now = Instant::now();
            match self.client.next(deadline.min(now + TURN)) {
                Ok(Some(Message::Unwritten { reason })) => return Ok(Some(reason)),
                Ok(None) if now < deadline => (),
                Ok(Some(message)) => requester.tell_all(self.learn(message)),
                Ok(None) | Err(_) => return Ok(None),
            }
        }
    }

    /// Waits until every slot of `fresh` has been up for a second, and every slot of `leaving` has ended. A slot of a type that is
    /// not restarted, or whose end other types wait for, may also be done. `early` are messages that came before the reply.
    pub(crate) fn wait_for(
        &mut self,
        fresh: &BTreeSet<Slot>,
        leaving: &BTreeSet<Slot>,
        order: &Order,
        early: Vec<Message>,
        deadline: Instant,
        requester: &mut Requester<'_>,
    ) -> Result<(), Error> {
        let (up, ready) = Default::default();
        let noted = |slot: &Slot| Some((slot.clone(), self.known.get(slot)?.note.clone()?));
        let notes = leaving.iter().filter_map(noted).collect();
        let mut awaited = Awaited { fresh, order, up, ready, leaving: leaving.clone(), notes };
        for message in early {
            self.take(&mut awaited, message, requester)?;
        }
        loop {
            requester.cancel.check()?;
            let now = Instant::now();
            let has_lived = |since: &Instant| now.duration_since(*since) >= LEAST_LIFE;
            let is_up = awaited.ready.len() == fresh.len() && awaited.up.values().all(has_lived);
            if is_up && awaited.leaving.is_empty() {
                return Ok(());
            }
            if now >= deadline {
                let obstacle = awaited.leaving.iter().find_map(|slot| {
                    let reason = self.known.get(slot)?.reason.as_ref()?;
                    Some(backend(format!("end {slot} of {}", self.service.app), reason))
                });
                return Err(obstacle.or_else(|| self.waits_in_vain(fresh, |_| true)).unwrap_or_else(|| {
                    self.service
                        .unreachable("the change did not end in time: see the status and the logs of the app")
                }));
            }
            if let Some(message) = self.next(now + TURN)? {
                self.take(&mut awaited, message, requester)?;
            } else {
                // No message came, so no change is under way: an instance that depends on one that was given up will never start.
                let is_hopeless = |slot: &Slot| self.depends_on_what_was_given_up(order, slot);
                self.waits_in_vain(fresh, is_hopeless).map_or(Ok(()), Err)?;
            }
        }
    }

    /// The error for the first of these slots that `which` selects and that waits for others.
    fn waits_in_vain(&self, fresh: &BTreeSet<Slot>, which: impl Fn(&Slot) -> bool) -> Option<Error> {
        let waiting = |slot: &Slot| self.known.get(slot).filter(|status| status.state == State::Waiting);
        let status = fresh.iter().filter(|slot| which(slot)).find_map(waiting)?;
        let reason = status.reason.clone().unwrap_or_else(|| "waits for others".to_owned());
        Some(Error::deploy_failed(&self.service.app, &status.slot, reason))
    }

    fn depends_on_what_was_given_up(&self, order: &Order, slot: &Slot) -> bool {
        order.waits(&slot.process_type).iter().any(|wait| {
            let of_type = self.known.values().filter(|status| status.slot.process_type == wait.process_type);
            of_type.map(|status| status.state).any(|state| state == State::Crashed)
        })
    }

    fn take(
        &mut self,
        awaited: &mut Awaited<'_>,
        message: Message,
        requester: &mut Requester<'_>,
    ) -> Result<(), Error> {
        match message {
            Message::Instance(status) => {
                requester.tell_all(self.look_at(&status));
                let is_news = self.known.get(&status.slot) != Some(&status);
                if status.process.is_some() {
                    self.runs.insert(status.run);
                }
                let end = self.end_of(&status.slot, status.last_exit);
                let news = awaited.news_at_the_end(&status);
                let has_failed = if status.state == State::Scheduled {
                    let is_next = self.known.get(&status.slot).is_none_or(|known| known.run != status.run);
                    awaited.has_failed_by_schedule(&status, is_next)
                } else {
                    awaited.has_failed_with(&status, is_news, end, requester)
                };
                requester.tell_all(news.map(Progress::Note));
                self.known.insert(status.slot.clone(), status.clone());
                if has_failed {
                    return Err(self.failure(&status));
                }
            }
            Message::Gone { slot } => {
                // Its end has been announced already.
                if awaited.leaving.remove(&slot) {
                    (requester.tell)(self.end_of(&slot, None));
                }
            }
            Message::Hello { .. }
            | Message::Stays { .. }
            | Message::Run(_)
            | Message::Reply { .. }
            | Message::Spec { .. }
            | Message::Rollout(_)
            | Message::Led { .. }
            | Message::Logs { .. }
            | Message::Unwritten { .. }
            | Message::Unknown => (),
        }
        Ok(())
    }

    /// Reports that a slot is up, with a note about its start if there is one.
    pub(crate) fn announce(&self, slot: &Slot, requester: &mut Requester<'_>) {
        (requester.tell)(Progress::Ready(slot.clone()));
        if let Some(note) = self.known.get(slot).and_then(|status| status.note.as_ref()) {
            (requester.tell)(Progress::Note(format!("{slot}: {note}")));
        }
    }

    /// Reports that a slot has ended, how it ended, and which processes may be left.
    pub(crate) fn tell_end(&self, slot: &Slot, requester: &mut Requester<'_>) {
        let known = self.known.get(slot);
        (requester.tell)(self.end_of(slot, known.and_then(|status| status.last_exit)));
        if let Some(reason) = known.and_then(|status| status.reason.as_ref()) {
            (requester.tell)(Progress::Note(format!("{slot}: {reason}")));
        }
    }

    /// The end of what a slot had: that of its process, or, if it had none since this follower began, that it gets none any more.
    fn end_of(&self, slot: &Slot, exit: Option<Exit>) -> Progress {
        let has_run = self.known.get(slot).is_none_or(|status| self.runs.contains(&status.run));
        if has_run { Progress::Ended(slot.clone(), exit) } else { Progress::CalledOff(slot.clone()) }
    }

    fn failure(&self, status: &Status) -> Error {
        let ended = || match status.how_it_ended() {
            Some(exit) => format!("ended within its first second ({exit})"),
            None => "ended within its first second".to_owned(),
        };
        let hint = status.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        let reason = status.reason.clone().unwrap_or_else(|| ended() + &hint);
        self.failed(&status.slot, &reason)
    }

    fn failed(&self, slot: &Slot, reason: &str) -> Error {
        let words = self.known.get(slot).map(|status| logs::last_words(self.service, status));
        let words = words.unwrap_or_default();
        let reason =
            if words.is_empty() { reason.to_owned() } else { format!("{reason}; its last lines:\n{words}") };
        Error::deploy_failed(&self.service.app, slot, reason)
    }

    fn await_reply(&mut self) -> Result<Vec<Message>, Error> {
        let last = Instant::now() + LONGEST_ANSWER;
        let (mut deadline, mut worked) = (Instant::now() + ANSWER, self.cpu_ticks());
        let mut early = Vec::new();
        loop {
            match self.next(deadline)? {
                Some(Message::Reply { error: None }) => return Ok(early),
                Some(Message::Reply { error: Some(reason) }) => {
                    return Err(backend(format!("tell the supervisor of {}", self.service.app), &reason));
                }
                Some(message) => early.push(message),
                None => {
                    let before = std::mem::replace(&mut worked, self.cpu_ticks());
                    if worked == before || Instant::now() >= last {
                        let waited = if worked == before { ANSWER } else { LONGEST_ANSWER };
                        let reason = format!("it gave no answer within {} s", waited.as_secs());
                        return Err(self.service.unreachable(&reason));
                    }
                    deadline = Instant::now() + ANSWER;
                }
            }
        }
    }

    /// The CPU time that the supervisor has used; `None`: it is not known.
    fn cpu_ticks(&self) -> Option<u64> {
        let stat = self.client.supervisor().and_then(Stat::of_living);
        stat.map(|stat| stat.cpu_ticks)
    }

    fn next(&mut self, deadline: Instant) -> Result<Option<Message>, Error> {
        let next = self.client.next(deadline);
        let next = next.map_err(|error| self.service.unreachable(&error.to_string()))?;
        if let Some(Message::Rollout(report)) = &next {
            self.rollout = Some((**report).clone());
        }
        Ok(next)
    }

    /// Handles the next message, if one comes before `deadline`. Returns the changes that it reports.
    pub(crate) fn listen(&mut self, deadline: Instant) -> Result<Vec<Progress>, Error> {
        Ok(self.next(deadline)?.map(|message| self.learn(message)).unwrap_or_default())
    }

    /// Handles a message. Returns the changes that it reports, with [`Progress::Started`] once for each slot in which a rollout has
    /// started a new run.
    pub(crate) fn learn(&mut self, message: Message) -> Vec<Progress> {
        let (status, fills) = match message {
            Message::Instance(status) => (status, true),
            Message::Run(status) => (status, false),
            Message::Hello { .. }
            | Message::Stays { .. }
            | Message::Gone { .. }
            | Message::Reply { .. }
            | Message::Spec { .. }
            | Message::Rollout(_)
            | Message::Led { .. }
            | Message::Logs { .. }
            | Message::Unwritten { .. }
            | Message::Unknown => return Vec::new(),
        };
        let seen = self.look_at(&status);
        let is_unknown = status.process.is_some() && self.runs.insert(status.run);
        // A new run that fills its slot at once was started by the restart policy, not by the rollout.
        let is_new = is_unknown && !fills;
        let slot = status.slot.clone();
        if fills {
            self.known.insert(slot.clone(), status);
        }
        let started = (is_new && self.told.insert(slot.clone())).then_some(Progress::Started(slot));
        seen.into_iter().chain(started).collect()
    }

    /// The state and note of a run, if they differ from the last reported ones.
    fn look_at(&mut self, status: &Status) -> Option<Progress> {
        let how = || status.last_exit.filter(|_| status.state == State::Stopped).map(|exit| exit.to_string());
        let note = status.note.clone().or_else(|| status.reason.clone()).or_else(how);
        let now = (status.state, note.clone());
        let before = self.seen.insert((status.slot.clone(), status.run), now.clone());
        let (slot, run, state) = (status.slot.clone(), Some(status.run), status.state);
        (before.as_ref() != Some(&now)).then_some(Progress::Now { slot, run, state, note })
    }
}

/// The changes that are still waited for.
struct Awaited<'a> {
    /// The slots that are being started.
    fresh: &'a BTreeSet<Slot>,
    /// The types that wait for each other.
    order: &'a Order,
    /// The slots whose process lives, and since when.
    up: BTreeMap<Slot, Instant>,
    /// The slots that are ready.
    ready: BTreeSet<Slot>,
    leaving: BTreeSet<Slot>,
    /// The notes that those had before.
    notes: BTreeMap<Slot, String>,
}

impl Awaited<'_> {
    /// What came up at the end of a slot that is leaving, such as a stop command that failed.
    fn news_at_the_end(&self, status: &Status) -> Option<String> {
        let is_over = status.state == State::Stopped && self.leaving.contains(&status.slot);
        let note =
            status.note.as_ref().filter(|note| is_over && self.notes.get(&status.slot) != Some(*note))?;
        Some(format!("{}: {note}", status.slot))
    }

    /// Handles the status of a slot; whether the change has failed because of it.
    fn has_failed_with(
        &mut self,
        status: &Status,
        is_news: bool,
        end: Progress,
        requester: &mut Requester<'_>,
    ) -> bool {
        let slot = &status.slot;
        if status.state == State::Stopped && self.leaving.remove(slot) {
            (requester.tell)(end);
            if let Some(reason) = &status.reason {
                (requester.tell)(Progress::Note(format!("{slot}: {reason}")));
            }
        }
        if !self.fresh.contains(slot) {
            return false;
        }
        // A job may end at once. If it has a note, its main process ended because it put itself into the background.
        let may_end = || {
            let is_left = status.job && status.note.is_none();
            is_left || self.order.is_awaited_to_be_done(&slot.process_type)
        };
        match status.state {
            State::Stopped if status.done && is_news && may_end() => {
                self.up.remove(slot);
                self.ready.insert(slot.clone());
                false
            }
            State::Starting | State::Running if status.process.is_some() => {
                self.up.entry(slot.clone()).or_insert_with(Instant::now);
                if status.state == State::Running {
                    self.ready.insert(slot.clone());
                }
                false
            }
            State::Backoff | State::Crashed => true,
            // A process that exits with success within its first second has ended all the same. It may have finished before
            // anybody reported it running.
            State::Stopped => self.up.contains_key(slot) || (status.done && is_news),
            _ => false,
        }
    }

    /// Handles the end of a run of a scheduled type, or that it could not start: the slot counts as settled if its run was asked
    /// for. Returns whether the run failed. `is_next`: the slot had another run before.
    fn has_failed_by_schedule(&mut self, status: &Status, is_next: bool) -> bool {
        let slot = &status.slot;
        let was_up = self.up.remove(slot).is_some();
        if !self.fresh.contains(slot) || !(was_up || is_next) {
            return false;
        }
        self.ready.insert(slot.clone());
        !status.last_exit.is_some_and(formation::Exit::is_success)
    }
}
