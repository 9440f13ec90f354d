//! `stop`: ends instances and reports for each whether it has ended. Containers and records are kept unless they are to be removed, so
//! that `status` shows the instances as stopped.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use formation::{Exit, Slot, State, Which};
use futures_util::{StreamExt, stream};
use ps_apps::InstanceFiles;
use ps_engine::{Container, End};
use ps_scheduler::{Error, Progress, Requester, StopOrder, Stopped};

use crate::address::{self, Address};
use crate::app::{self, App, WAITING_AT_ONCE};
use crate::docker_local::DockerLocal;
use crate::rollout_file::{Hold, RolloutFile};
use crate::stop_request::Asked;
use crate::{cron, image_file, label, recover};

/// The pause between two looks while waiting for a rollout.
const LOOK: Duration = Duration::from_millis(100);
/// How long to wait for the executor of a rollout before the lock is tried again.
const ASKING: Duration = Duration::from_secs(2);
/// How long after the grace period every container must be gone. The executor gives the engine the same time.
const MARGIN: Duration = Duration::from_secs(30);

/// Carries out the order. Stopping a whole app also ends containers that an interrupted rollout has left, and closes the app's address.
pub(crate) fn stop(
    docker: &DockerLocal,
    order: &StopOrder,
    requester: &mut Requester<'_>,
) -> Result<Stopped, Error> {
    requester.cancel.check()?;
    let stopped = end(docker, order, requester)?;
    close_address(docker, order, &stopped)?;
    Ok(stopped)
}

/// Closes the address of an app that has ended.
fn close_address(docker: &DockerLocal, order: &StopOrder, stopped: &Stopped) -> Result<(), Error> {
    let address = Address::of(docker.world(), &order.app);
    match address.filter(|_| order.which == Which::All && stopped.remaining.is_empty()) {
        Some(address) => address.close(order.remove),
        None => Ok(()),
    }
}

fn end(docker: &DockerLocal, order: &StopOrder, requester: &mut Requester<'_>) -> Result<Stopped, Error> {
    cron::end_runs(docker, order)?;
    let mut records = app::records(docker.world(), &order.app)?;
    if records.slots.is_empty() && !order.remove && !recover::was_cut_off(docker.world(), &order.app) {
        return Ok(Stopped::default());
    }
    let app = App { engine: docker.engine()?, world: docker.world(), name: &order.app };
    let file = recover::file(&app);
    let _held = match file.hold() {
        Hold::Others => match app.wait_for_rollout(&file, order, requester)? {
            Some(stopped) => return Ok(stopped),
            None => app.hold(&file)?,
        },
        Hold::Mine(held) => Some(held),
        Hold::Nothing => None,
    };
    if order.which == Which::All || recover::was_cut_off(docker.world(), &order.app) {
        match app.recover(&file, order.grace, requester) {
            Ok(recovered) => records = recovered.records,
            // No container of this app was ever recorded, so the app can be destroyed even if no engine answers.
            Err(Error::Unreachable { .. }) if records.slots.is_empty() => return Ok(Stopped::default()),
            Err(error) => return Err(error),
        }
    }
    let slots: Vec<Slot> = records.slots.keys().filter(|slot| order.which.includes(slot)).cloned().collect();
    app.lead_away(&records, order, &slots, requester)?;
    let stopped = app.end_in_order(&records, slots.clone(), order.grace, requester);
    if !order.remove {
        app.note_stopped(&file, &records, &slots, requester);
        return Ok(stopped);
    }
    let stopped = app.engine.run(app.forget(&mut records, &slots, stopped))?;
    let readers = app.engine.run(image_file::forget_dead_readers(app.engine, app.world, Some(app.name)));
    readers.map_err(|fault| app.error(fault, "remove the containers of dead readers"))?;
    if order.which == Which::All {
        app.engine.run(app.remove_one_offs(order.grace))?;
    }
    if records.slots.is_empty() {
        file.remove();
    }
    Ok(stopped)
}

/// Passes the order to the executor of a rollout; `None`: no rollout is in progress.
pub(crate) fn beside(
    docker: &DockerLocal,
    order: &StopOrder,
    requester: &mut Requester<'_>,
) -> Result<Option<Stopped>, Error> {
    if !recover::was_cut_off(docker.world(), &order.app) {
        return Ok(None);
    }
    let app = App { engine: docker.engine()?, world: docker.world(), name: &order.app };
    let stopped = app.have_taken_in(&recover::file(&app), order, requester)?;
    stopped.iter().try_for_each(|stopped| close_address(docker, order, stopped))?;
    Ok(stopped)
}

impl App<'_> {
    /// If the app's address stays, clients are directed away from these slots before they end. If the app has moved to another scheduler,
    /// that one has done so already.
    fn lead_away(
        &self,
        records: &InstanceFiles,
        order: &StopOrder,
        slots: &[Slot],
        requester: &mut Requester<'_>,
    ) -> Result<(), Error> {
        let address = Address::of(self.world, self.name).filter(|address| !address.is_handed_over());
        match address.filter(|address| order.which != Which::All || address.is_shared()) {
            Some(address) => address.lead_now(self, address::backends(self, records, slots)?, requester),
            None => Ok(()),
        }
    }

    /// Records that these slots stay empty until a person starts them.
    fn note_stopped(
        &self,
        file: &RolloutFile<'_>,
        records: &InstanceFiles,
        slots: &[Slot],
        requester: &mut Requester<'_>,
    ) {
        let (mut written, _) = file.read();
        written.note_stopped(records, slots);
        let noted = file.make_room().and_then(|()| file.write(&written));
        if let Err(error) = noted {
            let name = self.name;
            (requester.tell)(Progress::Note(format!(
                "that {name} was stopped is not written down, so a change of its counts starts it again: {error}"
            )));
        }
    }

    /// Waits until the executor of a rollout has taken the order in and its instances have ended. `None`: the rollout has
    /// ended, or lets go in time, and the order still has to be carried out.
    fn wait_for_rollout(
        &self,
        file: &RolloutFile<'_>,
        order: &StopOrder,
        requester: &mut Requester<'_>,
    ) -> Result<Option<Stopped>, Error> {
        let deadline = Instant::now() + order.grace + MARGIN;
        loop {
            let stopped = self.have_taken_in(file, order, requester)?;
            if stopped.is_some() && !order.remove {
                return Ok(stopped);
            }
            if Instant::now() >= deadline || !matches!(file.hold(), Hold::Others) {
                return Ok(None);
            }
            thread::sleep(LOOK);
        }
    }

    /// Asks the executor to take the order in, and waits until the instances have ended.
    fn have_taken_in(
        &self,
        file: &RolloutFile<'_>,
        order: &StopOrder,
        requester: &mut Requester<'_>,
    ) -> Result<Option<Stopped>, Error> {
        let before = self.alive(order)?;
        let asked = Asked::of(&file.directory, order).map_err(|error| Error::Backend {
            context: format!("stop {}", self.name),
            reason: format!("the order cannot be passed to its rollout: {error}"),
        })?;
        let mut deadline = Instant::now() + ASKING;
        while !asked.is_taken() {
            requester.cancel.check()?;
            if Instant::now() >= deadline || !matches!(file.hold(), Hold::Others) {
                return Ok(None);
            }
            thread::sleep(LOOK);
        }
        deadline = Instant::now() + order.grace + MARGIN;
        loop {
            requester.cancel.check()?;
            let after = self.alive(order)?;
            if after.is_empty() || Instant::now() >= deadline {
                return Ok(Some(self.came_of(&before, &after, requester)?));
            }
            // The executor has died after it took the order in.
            if !matches!(file.hold(), Hold::Others) {
                return Ok(None);
            }
            thread::sleep(LOOK);
        }
    }

    /// The living containers that an order is about, recorded or not, by id.
    fn alive(&self, order: &StopOrder) -> Result<BTreeMap<String, Slot>, Error> {
        let records = app::records(self.world, self.name)?;
        let listed = self.engine.run(self.listed(&records))?;
        let slot = |container: &Container| {
            let recorded = records.slots.iter().find(|(_, record)| record.id.as_ref() == Some(&container.id));
            recorded.map(|(slot, _)| slot.clone()).or_else(|| label::slot(container))
        };
        let alive = listed.iter().filter(|container| container.state.is_alive());
        let meant = alive.filter_map(|container| Some((container.id.clone(), slot(container)?)));
        Ok(meant.filter(|(_, slot)| order.which.includes(slot)).collect())
    }

    fn came_of(
        &self,
        before: &BTreeMap<String, Slot>,
        after: &BTreeMap<String, Slot>,
        requester: &mut Requester<'_>,
    ) -> Result<Stopped, Error> {
        let records = app::records(self.world, self.name)?;
        let listed = self.engine.run(self.listed(&records))?;
        let mut stopped = Stopped::default();
        let mut exits: BTreeMap<&Slot, Option<Exit>> = BTreeMap::new();
        for (id, slot) in before.iter().filter(|(_, slot)| !after.values().any(|left| left == *slot)) {
            let exit = listed.iter().find(|container| container.id == *id).and_then(|found| found.last_exit);
            let known = exits.entry(slot).or_default();
            *known = known.or(exit);
        }
        for (slot, exit) in exits {
            note_ended(&mut stopped, slot, exit, requester);
        }
        for slot in after.values() {
            stopped.remaining.push((slot.clone(), "still runs after its grace period".to_owned()));
        }
        Ok(stopped)
    }

    /// Ends the instances of these slots in the reverse order of their start: those first that wait for others.
    fn end_in_order(
        &self,
        records: &InstanceFiles,
        slots: Vec<Slot>,
        grace: Duration,
        requester: &mut Requester<'_>,
    ) -> Stopped {
        // If the release cannot be read, all instances end at once, because nothing may be kept alive for that reason.
        let deployed = ps_release::deployed(self.world, self.name).ok().flatten();
        let order = deployed.map(|deployed| deployed.release.order()).unwrap_or_default();
        let mut stopped = Stopped::default();
        for part in order.ends(slots) {
            let Stopped { ended, remaining } =
                self.engine.run(self.end_slots(records, &part, grace, requester));
            stopped.ended.extend(ended);
            stopped.remaining.extend(remaining);
        }
        stopped.ended.sort_by(|a, b| a.0.cmp(&b.0));
        stopped.remaining.sort();
        stopped
    }

    /// Ends the instances of these slots, all at once.
    async fn end_slots(
        &self,
        records: &InstanceFiles,
        slots: &[Slot],
        grace: Duration,
        requester: &mut Requester<'_>,
    ) -> Stopped {
        for slot in slots {
            tell_now(slot, State::Stopping, None, requester);
        }
        let endings = slots.iter().map(|slot| async move {
            let id = records.slots.get(slot).and_then(|record| record.id.as_deref());
            match id {
                Some(id) => (slot, self.engine.end(id, label::grace(grace)).await),
                None => (slot, End::WasGone),
            }
        });
        let mut endings = stream::iter(endings).buffer_unordered(WAITING_AT_ONCE);
        let mut stopped = Stopped::default();
        while let Some((slot, ending)) = endings.next().await {
            match ending {
                End::Ended(exit) => note_ended(&mut stopped, slot, exit, requester),
                End::WasOver | End::WasGone => {
                    tell_now(slot, State::Stopped, Some("had ended before"), requester);
                }
                End::Remains(reason) => stopped.remaining.push((slot.clone(), reason)),
                End::Unknown(fault) => stopped.remaining.push((slot.clone(), fault.to_string())),
            }
        }
        stopped
    }

    /// Removes the containers and records of these slots, except those of instances that did not end.
    pub(crate) async fn forget(
        &self,
        records: &mut InstanceFiles,
        slots: &[Slot],
        mut stopped: Stopped,
    ) -> Result<Stopped, Error> {
        let over: Vec<Slot> = slots
            .iter()
            .filter(|slot| !stopped.remaining.iter().any(|(left, _)| left == *slot))
            .cloned()
            .collect();
        let ids =
            over.iter().map(|slot| (slot, records.slots.get(slot).and_then(|record| record.id.clone())));
        let removals = ids.map(|(slot, id)| async move {
            match id {
                Some(id) => (slot.clone(), self.engine.remove(&id).await.err()),
                None => (slot.clone(), None),
            }
        });
        let removals: Vec<_> = stream::iter(removals).buffered(WAITING_AT_ONCE).collect().await;
        // A container without a record is never found again, so a list of the engine shows whether the removed containers are really
        // gone.
        let listed = self.listed(records).await?;
        let is_listed = |slot: &Slot| {
            let id = records.slots.get(slot).and_then(|record| record.id.as_ref());
            id.is_some_and(|id| listed.iter().any(|container| container.id == *id))
        };
        let mut gone = Vec::new();
        for (slot, fault) in removals {
            match fault.or_else(|| is_listed(&slot).then(|| self.engine.has_not_removed())) {
                None => gone.push(slot),
                Some(fault) => {
                    stopped.ended.retain(|(ended, _)| *ended != slot);
                    let reason = format!("it ended, but its container could not be removed: {fault}");
                    stopped.remaining.push((slot, reason));
                }
            }
        }
        let forgotten = records.remove(&gone);
        forgotten.map_err(|error| Error::Backend {
            context: format!("forget the containers of {}", self.name),
            reason: error.to_string(),
        })?;
        Ok(stopped)
    }
}

fn tell_now(slot: &Slot, state: State, note: Option<&str>, requester: &mut Requester<'_>) {
    let (slot, note) = (slot.clone(), note.map(str::to_owned));
    (requester.tell)(Progress::Now { slot, run: None, state, note });
}

fn note_ended(stopped: &mut Stopped, slot: &Slot, exit: Option<Exit>, requester: &mut Requester<'_>) {
    (requester.tell)(Progress::Ended(slot.clone(), exit));
    stopped.ended.push((slot.clone(), exit));
}
