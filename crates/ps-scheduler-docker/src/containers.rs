//! The containers of a rollout, and a function for each of its actions. A new run is a container with an upcoming name and
//! without a restart policy; the commit gives it the policy and the name of an instance. Every action can be repeated: a
//! run is found by its label, whichever executor made it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use balance::Receipt;
use formation::{Exit, RestartPolicy, Slot};
use futures_util::{StreamExt, stream};
use ps_apps::{InstanceFiles, InstanceRecord};
use ps_engine::{Container, ContainerCreateBody, End, Fault};
use ps_rollout::{Event, Lane, Revision, Run};
use ps_scheduler::{Error, Release};
use ps_service::Backend;
use tokio::sync::Semaphore;

use crate::address;
use crate::app::{AT_ONCE, App, WAITING_AT_ONCE};
use crate::blueprint;
use crate::end_in_words;
use crate::entrypoint;
use crate::found::Found;
use crate::label::{self, Identity};
use crate::network::{self, Joined};
use crate::reproduce;
use crate::rollout_file::Terms;
use crate::service;

/// How often a refused restart policy is set again, and the pause between two attempts.
const ARMED_AGAIN: usize = 5;
const REST: Duration = Duration::from_millis(200);

/// The source of new runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fresh<'a> {
    /// The release.
    pub(crate) release: &'a Release,
}

/// The containers of one app during a rollout.
pub(crate) struct Containers<'a> {
    pub(crate) app: &'a App<'a>,
    /// The source of new runs; `None` if an interrupted rollout is only finished or undone.
    pub(crate) fresh: Option<Fresh<'a>>,
    terms: Terms,
    /// The grace period from SIGTERM to SIGKILL.
    grace: Duration,
    /// The grace period of slots that a person has stopped during the rollout. Their recorded containers are kept, as after
    /// any stop.
    pub(crate) stopped: RefCell<BTreeMap<Slot, Duration>>,
    /// The current records.
    pub(crate) records: RefCell<InstanceFiles>,
    /// The ids of the runs' containers.
    pub(crate) ids: RefCell<BTreeMap<Run, String>>,
    /// Runs that are to end although they are still being started.
    pub(crate) unwanted: RefCell<BTreeSet<Run>>,
    /// Runs of the old release that are started again, because the rollout is undone.
    again: RefCell<BTreeSet<Run>>,
    starting: Semaphore,
    ending: Semaphore,
}

/// The result of an action.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// The event for the rollout.
    pub(crate) event: Option<Event>,
    /// The run that this action started.
    pub(crate) started: Option<Run>,
    /// The run that ended, and how.
    pub(crate) ended: Option<(Run, Option<Exit>)>,
    /// A note for people.
    pub(crate) note: Option<String>,
    /// The effect on the clients.
    pub(crate) receipt: Option<Box<Receipt>>,
    /// Set if the engine did not answer.
    pub(crate) silence: Option<Fault>,
    /// Whether the record of the app has changed.
    pub(crate) has_recorded: bool,
}

impl Done {
    pub(crate) fn told(event: Event) -> Self {
        Self { event: Some(event), ..Self::default() }
    }
}

/// Why a run could not be started: a phrase that follows the name of its slot, and the fault of the engine if there was
/// one.
struct Refusal(String, Option<Fault>);

impl Refusal {
    /// A refusal because the engine did not do this.
    fn of(what: &str, fault: Fault) -> Self {
        Self(format!("{what}: {fault}"), Some(fault))
    }
}

impl<'a> Containers<'a> {
    /// The containers of an app with these records; no running container is known yet.
    pub(crate) fn new(app: &'a App<'a>, records: InstanceFiles, terms: Terms, grace: Duration) -> Self {
        Self {
            app,
            fresh: None,
            terms,
            grace,
            stopped: RefCell::default(),
            records: RefCell::new(records),
            ids: RefCell::default(),
            unwanted: RefCell::default(),
            again: RefCell::default(),
            starting: Semaphore::new(AT_ONCE),
            ending: Semaphore::new(WAITING_AT_ONCE),
        }
    }

    /// Adds containers that the engine has listed.
    pub(crate) fn know(&self, runs: &[Found]) {
        self.ids.borrow_mut().extend(runs.iter().map(|found| (found.run.clone(), found.id.clone())));
    }

    /// Whether a run is of the old release.
    pub(crate) fn is_put_back(&self, run: &Run) -> bool {
        self.again.borrow().contains(run)
    }

    fn id(&self, run: &Run) -> Option<String> {
        self.ids.borrow().get(run).cloned()
    }

    /// Creates and starts the container of a run.
    pub(crate) async fn start(&self, run: Run, revision: Revision, lane: Lane) -> Done {
        let _turn = self.starting.acquire().await;
        if revision == Revision::Old {
            self.again.borrow_mut().insert(run.clone());
        }
        let (event, silence) = match self.try_start(&run, revision, lane).await {
            Ok(()) => (Event::Started(run.clone()), None),
            Err(Refusal(reason, fault)) => {
                (Event::StartRefused { run: run.clone(), reason }, fault.filter(Fault::is_silence))
            }
        };
        Done { event: Some(event), started: Some(run), silence, ..Done::default() }
    }

    async fn try_start(&self, run: &Run, revision: Revision, lane: Lane) -> Result<(), Refusal> {
        if self.unwanted.borrow().contains(run) {
            return Err(Refusal("was not started any more".to_owned(), None));
        }
        let id = match self.id(run) {
            Some(id) => id,
            None => self.create(run, revision, lane).await?,
        };
        let started = self.app.engine.start(&id).await;
        started.map_err(|fault| Refusal(format!("cannot be started: {fault}"), Some(fault)))
    }

    async fn create(&self, run: &Run, revision: Revision, lane: Lane) -> Result<String, Refusal> {
        let (mut body, networks) = match revision {
            Revision::New => self.described(run, lane).await?,
            Revision::Old => self.described_again(run, lane).await?,
        };
        network::made_in(&networks, &mut body);
        let name = label::upcoming_name(self.app.name, run);
        let created = self.app.engine.create(&name, body).await;
        let id = created.map_err(|fault| self.not_created(run, fault))?;
        if let Err((what, fault)) = network::join(self.app.engine, &id, &networks).await {
            // The container lacks a network, and must not be taken for one that can be started.
            let _ = self.app.engine.remove(&id).await;
            return Err(Refusal::of(&what, fault));
        }
        self.ids.borrow_mut().insert(run.clone(), id.clone());
        Ok(id)
    }

    async fn described(&self, run: &Run, lane: Lane) -> Result<(ContainerCreateBody, Vec<Joined>), Refusal> {
        let fresh = self.fresh.ok_or_else(|| {
            Refusal("is not started while an interrupted rollout is finished or put back".to_owned(), None)
        })?;
        let identity = Identity { run: run.clone(), release: self.terms.release, lane };
        let image = fresh.release.source.image(&run.slot.process_type).unwrap_or_default();
        let root = self.app.world.root();
        let body = blueprint::container(root, fresh.release, image, &identity);
        let body = service::laid_under(fresh.release, &identity, body)
            .map_err(|reason| Refusal(format!("cannot be created: {reason}"), None))?;
        let networks = network::of_slot(root, fresh.release, &run.slot);
        let process = fresh.release.process(&run.slot.process_type);
        let Some(command) = process.and_then(|process| process.command.as_deref()) else {
            return Ok((body, networks));
        };
        match self.app.engine.image(image).await {
            Ok(image) => Ok((entrypoint::behind(body, command, &image), networks)),
            // If the image cannot be inspected, creating the container fails with the reason.
            Err(_) => Ok((body, networks)),
        }
    }

    /// A description for another container like the recorded one of the slot.
    async fn described_again(
        &self,
        run: &Run,
        lane: Lane,
    ) -> Result<(ContainerCreateBody, Vec<Joined>), Refusal> {
        let recorded = self.records.borrow().slots.get(&run.slot).and_then(|record| record.id.clone());
        let gone = || Refusal("cannot be started again: its container is gone".to_owned(), None);
        let inspected = self.app.engine.inspect(&recorded.ok_or_else(gone)?).await;
        let inspected =
            inspected.map_err(|fault| Refusal(format!("cannot be started again: {fault}"), Some(fault)))?;
        let identity = Identity { run: run.clone(), release: self.terms.old_release, lane };
        reproduce::container(inspected, self.app.world.root(), self.app.name, &identity)
            .map_err(|reason| Refusal(format!("cannot be started again: {reason}"), None))
    }

    fn not_created(&self, run: &Run, fault: Fault) -> Refusal {
        let is_without_image = fault.is_gone() && fault.reason().to_lowercase().contains("image");
        let image = self.fresh.and_then(|fresh| fresh.release.source.image(&run.slot.process_type));
        let reason = match image {
            Some(image) if is_without_image => {
                format!("cannot be created: there is no image {image} here: docker pull {image}, or build it")
            }
            Some(_) | None => format!("cannot be created: {fault}"),
        };
        Refusal(reason, Some(fault))
    }

    /// Ends a run, so that the engine does not restart it either.
    pub(crate) async fn end(&self, run: Run) -> Done {
        let _turn = self.ending.acquire().await;
        let Some(id) = self.id(&run) else { return Done::told(Event::Ended(run)) };
        let grace = self.stopped.borrow().get(&run.slot).copied().unwrap_or(self.grace);
        let end = self.app.engine.end(&id, label::grace(grace)).await;
        if let Some(reason) = end.unfinished() {
            let silence = if let End::Unknown(fault) = end { Some(fault) } else { None };
            return Done {
                silence: silence.filter(Fault::is_silence),
                ..Done::told(Event::Remains { run, reason })
            };
        }
        let ended = if let End::Ended(exit) = end { Some((run.clone(), exit)) } else { None };
        Done { ended, ..Done::told(Event::Ended(run)) }
    }

    /// Removes the container of a run that has ended. A recorded container is kept until the commit, because its slot is
    /// started from it again if the rollout is undone; that of a slot that was stopped is kept in any case.
    pub(crate) async fn forget(&self, run: Run, is_committed: bool) -> Done {
        let Some(id) = self.id(&run) else { return Done::default() };
        let is_recorded = self.records.borrow().contains(&id);
        if is_recorded && (!is_committed || self.stopped.borrow().contains_key(&run.slot)) {
            return Done::default();
        }
        let _turn = self.ending.acquire().await;
        if let Err(fault) = self.app.engine.remove(&id).await {
            let short = id.get(..12).unwrap_or(&id);
            let note = format!("the old {} ({short}) could not be removed: {fault}", run.slot);
            return Done { note: Some(note), ..Done::default() };
        }
        self.ids.borrow_mut().remove(&run);
        let forgotten = if is_recorded { self.records.borrow_mut().remove(&[run.slot]) } else { Ok(()) };
        Done { note: forgotten.err().map(|error| error.to_string()), ..Done::default() }
    }

    /// Commits: gives these runs their restart policies, records them durably, and names them.
    pub(crate) async fn record(&self, runs: Vec<Run>, revision: Revision) -> Done {
        let before = self.recorded_ids();
        match self.try_record(&runs, revision).await {
            Ok(None) => {
                Done { has_recorded: self.recorded_ids() != before, ..Done::told(Event::Recorded(revision)) }
            }
            Ok(Some((slot, reason))) => Done::told(Event::NotRecorded { revision, slot: Some(slot), reason }),
            Err(Refusal(reason, fault)) => {
                let silence = fault.filter(Fault::is_silence);
                Done { silence, ..Done::told(Event::NotRecorded { revision, slot: None, reason }) }
            }
        }
    }

    /// Records these runs, unless one of them is found dead: then that one is returned, with how it died.
    async fn try_record(&self, runs: &[Run], revision: Revision) -> Result<Option<(Slot, String)>, Refusal> {
        let old = self.records.borrow().clone();
        let is_new = |(run, id): &(&Run, String)| {
            old.slots.get(&run.slot).and_then(|record| record.id.as_ref()) != Some(id)
        };
        let new: Vec<(&Run, String)> =
            runs.iter().filter_map(|run| Some((run, self.id(run)?))).filter(is_new).collect();
        self.arm(&new, revision).await?;
        let listed = self.app.engine.list(&self.app.filters()).await;
        let listed = listed.map_err(|fault| Refusal::of("list the containers", fault))?;
        let container = |id: &str| listed.iter().find(|container| container.id == id);
        let new: Vec<(&Run, Option<&Container>, String)> =
            new.into_iter().map(|(run, id)| (run, container(&id), id)).collect();
        let dead =
            new.iter().find(|(run, container, _)| revision == Revision::New && self.is_dead(run, *container));
        if let Some((run, container, id)) = dead {
            return Ok(Some((
                run.slot.clone(),
                end_in_words::of(self.app.engine, id, *container, false).await,
            )));
        }
        let record = |(run, container, id): (&Run, Option<&Container>, String)| {
            (run.slot.clone(), record_of(run, id, container, &old, revision))
        };
        let records: Vec<(Slot, InstanceRecord)> = new.into_iter().map(record).collect();
        if !records.is_empty() {
            let replaced = self.records.borrow_mut().replace(&records);
            replaced.map_err(|error| Refusal(error.to_string(), None))?;
        }
        self.app.take_names(&old, &records).await;
        Ok(None)
    }

    fn recorded_ids(&self) -> Vec<Option<String>> {
        self.records.borrow().slots.values().map(|record| record.id.clone()).collect()
    }

    /// The slots of runs that end without a successor: their containers are still recorded.
    pub(crate) fn gone(&self, leaving: &[Run]) -> Vec<Slot> {
        let records = self.records.borrow();
        let is_recorded = |run: &&Run| self.id(run).is_some_and(|id| records.contains(&id));
        leaving.iter().filter(is_recorded).map(|run| run.slot.clone()).collect()
    }

    /// Removes the records that clients are directed by, for these slots.
    pub(crate) fn hide(&self, gone: &[Slot]) -> Result<(), String> {
        self.records.borrow().withdraw(gone).map_err(|error| error.to_string())
    }

    /// The containers to which clients of the app's address are to be directed, without those of these slots.
    pub(crate) fn backends(&self, gone: &[Slot]) -> Result<Vec<Backend>, Error> {
        address::backends(self.app, &self.records.borrow(), gone)
    }

    /// Sets the restart policies of new runs.
    async fn arm(&self, new: &[(&Run, String)], revision: Revision) -> Result<(), Refusal> {
        let armed = new.iter().map(|(run, id)| {
            let old = self.terms.old_policies.get(&run.slot).filter(|_| revision == Revision::Old);
            let policy = old.copied().unwrap_or_else(|| self.terms.policy(&run.slot.process_type));
            async move {
                let armed = self.arm_one(id, policy).await;
                armed.map_err(|fault| Refusal::of(&format!("give {} its restart policy", run.slot), fault))
            }
        });
        let armed: Vec<Result<(), Refusal>> = stream::iter(armed).buffered(AT_ONCE).collect().await;
        armed.into_iter().collect()
    }

    /// Sets a restart policy. An engine refuses that for a moment while a container ends; the caller finds out whether it has ended.
    async fn arm_one(&self, id: &str, policy: RestartPolicy) -> Result<(), Fault> {
        for _ in 0..ARMED_AGAIN {
            match self.app.engine.set_policy(id, policy).await {
                Err(fault) if !fault.is_silence() && !fault.is_gone() => tokio::time::sleep(REST).await,
                armed => return armed,
            }
        }
        self.app.engine.set_policy(id, policy).await
    }

    /// Whether a new run ended just before it got its restart policy, so that the engine will not restart it.
    fn is_dead(&self, run: &Run, container: Option<&Container>) -> bool {
        container.is_none_or(|container| container.is_over && !self.may_finish(&run.slot, container))
    }

    /// Whether the restart policy of a slot treats the end of this container as final, so that it has finished.
    pub(crate) fn may_finish(&self, slot: &Slot, container: &Container) -> bool {
        let is_success = container.last_exit == Some(Exit::Code(0));
        match self.terms.policy(&slot.process_type) {
            RestartPolicy::No | RestartPolicy::OnFailure(_) => is_success,
            RestartPolicy::Always | RestartPolicy::UnlessStopped => false,
        }
    }
}

fn record_of(
    run: &Run,
    id: String,
    container: Option<&Container>,
    old: &InstanceFiles,
    revision: Revision,
) -> InstanceRecord {
    let port = match revision {
        Revision::New => service::port(container, &run.slot),
        Revision::Old => old.slots.get(&run.slot).and_then(|record| record.port),
    };
    let ip = container.and_then(|container| container.ip.clone());
    InstanceRecord { id: Some(id), ip, port }
}
