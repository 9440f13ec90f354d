//! `stop`: ends instances and says of each whether it has ended. Containers and records stay unless they are to be removed, so
//! that `status` says that the instances are stopped.

use std::time::Duration;

use formation::{Exit, Slot, Which};
use futures_util::{StreamExt, stream};
use ps_apps::InstanceFiles;
use ps_engine::End;
use ps_scheduler::{Error, Progress, StopOrder, Stopped, Watch};

use crate::app::{self, App, WAITING_AT_ONCE};
use crate::docker_local::DockerLocal;
use crate::recover;

/// Carries out the order. Stopping all of an app also ends what a run that died half-way left of it.
pub(crate) fn stop(docker: &DockerLocal, order: &StopOrder, watch: &mut Watch<'_>) -> Result<Stopped, Error> {
    watch.cancel.check()?;
    let mut records = app::records(docker.world(), &order.app)?;
    if records.slots.is_empty() && !order.remove && !recover::was_cut_off(docker.world(), &order.app) {
        return Ok(Stopped::default());
    }
    let app = App { engine: docker.engine()?, world: docker.world(), name: &order.app };
    let file = recover::file(&app);
    let _held = app.hold(&file)?;
    if order.which == Which::All || recover::was_cut_off(docker.world(), &order.app) {
        match app.recover(&file, order.grace, watch) {
            Ok(recovered) => records = recovered.records,
            // Nothing was ever recorded of this app, so it can be destroyed although no engine answers.
            Err(Error::Unreachable { .. }) if records.slots.is_empty() => return Ok(Stopped::default()),
            Err(error) => return Err(error),
        }
    }
    let slots: Vec<Slot> = records.slots.keys().filter(|slot| order.which.includes(slot)).cloned().collect();
    let stopped = app.engine.run(app.end_slots(&records, &slots, order.grace, watch));
    if !order.remove {
        return Ok(stopped);
    }
    let stopped = app.engine.run(app.forget(&mut records, &slots, stopped))?;
    if records.slots.is_empty() {
        file.remove();
    }
    Ok(stopped)
}

impl App<'_> {
    /// Ends the instances of these slots, all at once.
    pub(crate) async fn end_slots(
        &self,
        records: &InstanceFiles,
        slots: &[Slot],
        grace: Duration,
        watch: &mut Watch<'_>,
    ) -> Stopped {
        let endings = slots.iter().map(|slot| async move {
            let id = records.slots.get(slot).and_then(|record| record.id.as_deref());
            match id {
                Some(id) => (slot, self.engine.end(id, grace).await),
                None => (slot, End::WasGone),
            }
        });
        let mut endings = stream::iter(endings).buffer_unordered(WAITING_AT_ONCE);
        let mut stopped = Stopped::default();
        while let Some((slot, ending)) = endings.next().await {
            match ending {
                End::Ended(exit) => note_ended(&mut stopped, slot, exit, watch),
                End::WasOver | End::WasGone => (),
                End::Remains(reason) => stopped.remaining.push((slot.clone(), reason)),
                End::Unknown(fault) => stopped.remaining.push((slot.clone(), fault.to_string())),
            }
        }
        stopped.ended.sort_by(|a, b| a.0.cmp(&b.0));
        stopped.remaining.sort();
        stopped
    }

    /// Removes the containers and records of these slots, except of those that did not end.
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
        let mut gone = Vec::new();
        for (slot, fault) in removals {
            match fault {
                None => gone.push(slot),
                Some(fault) => {
                    stopped.ended.retain(|(ended, _)| *ended != slot);
                    let reason = format!("it ended, but its container would not go: {}", fault.reason());
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

fn note_ended(stopped: &mut Stopped, slot: &Slot, exit: Option<Exit>, watch: &mut Watch<'_>) {
    (watch.say)(Progress::Ended(slot.clone(), exit));
    stopped.ended.push((slot.clone(), exit));
}
