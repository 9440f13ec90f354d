//! `deploy`: all new containers are created, started and watched for a second before the first record changes. If anything
//! fails until then, the new ones are removed, and the old ones have run all the time. Then the records and the names are
//! changed, and the old containers are ended.

use std::time::{SystemTime, UNIX_EPOCH};

use formation::Slot;
use futures_util::{StreamExt, stream};
use ps_apps::{InstanceFiles, InstanceRecord};
use ps_engine::End;
use ps_scheduler::{Change, DeployOutcome, Error, Plan, Progress, Source, Watch};

use crate::DockerLocal;
use crate::app::{self, App, WAITING_AT_ONCE};
use crate::blueprint;
use crate::label;
use crate::stage::{Stage, Staged};

/// Makes reality match the plan.
pub(crate) fn deploy(
    docker: &DockerLocal,
    plan: &Plan,
    watch: &mut Watch<'_>,
) -> Result<DeployOutcome, Error> {
    watch.cancel.check()?;
    let name = plan.release.app.as_str();
    let kept: Vec<Slot> = plan.slots(Change::Keep).cloned().collect();
    if plan.is_noop() {
        return Ok(DeployOutcome { kept, ..DeployOutcome::default() });
    }
    let image = image(plan)?;
    let fresh = plan.slots(Change::Start).chain(plan.slots(Change::Replace));
    if let Some(reason) = fresh.into_iter().find_map(|slot| blueprint::refusal(&plan.release, slot)) {
        return Err(Error::Backend { context: format!("deploy {name}"), reason });
    }
    let records = app::records(docker.world(), name)?;
    if !records.have_a_place() {
        return Err(Error::Backend {
            context: format!("deploy {name}"),
            reason: format!("there is no such app in {}: create it first", docker.world().root().display()),
        });
    }
    let engine = docker.engine()?;
    let app = App { engine, world: docker.world(), name };
    let (started, stopped) = engine.run(app.carry_out(plan, image, records, watch))?;
    Ok(DeployOutcome { started, stopped, kept, ..DeployOutcome::default() })
}

fn image(plan: &Plan) -> Result<&str, Error> {
    match &plan.release.source {
        Source::Image(image) => Ok(image),
        Source::Directory(_) => Err(Error::Unsupported {
            scheduler: "docker-local".to_owned(),
            what: "run a directory: build an image of it and deploy that with --image",
        }),
    }
}

impl App<'_> {
    async fn carry_out(
        &self,
        plan: &Plan,
        image: &str,
        mut records: InstanceFiles,
        watch: &mut Watch<'_>,
    ) -> Result<(Vec<Slot>, Vec<Slot>), Error> {
        for line in self.settle(&records, plan.release.stop_timeout).await? {
            (watch.say)(Progress::Note(line));
        }
        let new: Vec<Slot> = plan
            .steps
            .iter()
            .filter(|step| matches!(step.change, Change::Start | Change::Replace))
            .map(|step| step.slot.clone())
            .collect();
        let stage = Stage { app: self, release: &plan.release, image };
        let staged = stage.prove(&new, watch).await?;
        let old = records.clone();
        self.record(&mut records, &staged).await?;
        self.take_names(&old, &staged).await;
        self.end_replaced(&old, &staged, plan, watch).await;
        let stopped = self.empty(plan, records, watch).await?;
        Ok((new, stopped))
    }

    /// Writes the records of the new instances. From then on these are the app's instances, and the old ones are left over.
    async fn record(&self, records: &mut InstanceFiles, staged: &[Staged]) -> Result<(), Error> {
        if staged.is_empty() {
            return Ok(());
        }
        let new: Vec<(Slot, InstanceRecord)> =
            staged.iter().map(|staged| (staged.slot.clone(), staged.record())).collect();
        let Err(error) = records.replace(&new) else { return Ok(()) };
        let undone: Vec<_> = stream::iter(staged.iter().map(|staged| self.engine.remove(&staged.id)))
            .buffered(WAITING_AT_ONCE)
            .collect()
            .await;
        let left = undone.iter().filter(|removed| removed.is_err()).count();
        let left = if left > 0 { format!("; {left} new containers are left") } else { String::new() };
        let context = format!("record the new containers of {}", self.name);
        Err(Error::Backend { context, reason: format!("{error}{left}") })
    }

    /// Old ones step aside as `<app>.<type>.<n>.<epoch>`, new ones get the plain name.
    async fn take_names(&self, old: &InstanceFiles, staged: &[Staged]) {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let renames = staged.iter().map(|staged| async move {
            if let Some(id) = old.slots.get(&staged.slot).and_then(|record| record.id.as_deref()) {
                let aside = format!("{}.{epoch}", label::name(self.name, &staged.slot));
                // The rename may fail because the container is gone. Nothing depends on the name, so the error is ignored.
                let _ = self.engine.rename(id, &aside).await;
            }
            self.name_finally(&staged.slot, &staged.id).await;
        });
        stream::iter(renames).buffered(WAITING_AT_ONCE).collect::<Vec<()>>().await;
    }

    /// Ends the old containers. The new ones run and are recorded by now, so an old one that does not end is no failure of the
    /// deploy: it is reported, and the next deploy or stop tries again.
    async fn end_replaced(&self, old: &InstanceFiles, staged: &[Staged], plan: &Plan, watch: &mut Watch<'_>) {
        let grace = plan.release.stop_timeout;
        let replaced = staged.iter().filter_map(|staged| {
            let id = old.slots.get(&staged.slot)?.id.clone()?;
            Some((&staged.slot, id))
        });
        let endings = replaced.map(|(slot, id)| async move {
            let ending = self.engine.end(&id, grace).await;
            let removed = match &ending {
                End::Remains(reason) => Err(reason.clone()),
                End::Ended(_) | End::WasOver => {
                    self.engine.remove(&id).await.map_err(|fault| fault.reason().to_owned())
                }
                End::WasGone => Ok(()),
            };
            (slot, id, ending, removed)
        });
        let mut endings = stream::iter(endings).buffer_unordered(WAITING_AT_ONCE);
        while let Some((slot, id, ending, removed)) = endings.next().await {
            if let End::Ended(exit) = ending {
                (watch.say)(Progress::Ended(slot.clone(), exit));
            }
            if let Err(reason) = removed {
                let short = id.get(..12).unwrap_or(&id);
                (watch.say)(Progress::Note(format!("the old {slot} ({short}) would not go: {reason}")));
            }
        }
    }

    /// Ends and forgets the slots that are no longer wanted.
    async fn empty(
        &self,
        plan: &Plan,
        mut records: InstanceFiles,
        watch: &mut Watch<'_>,
    ) -> Result<Vec<Slot>, Error> {
        let mut slots: Vec<Slot> = plan.slots(Change::Stop).cloned().collect();
        let stopped = self.end_slots(&records, &slots, plan.release.stop_timeout, watch).await;
        let stopped = self.forget(&mut records, &slots, stopped).await?;
        if let Some((slot, reason)) = stopped.remaining.first() {
            let context = format!("stop {slot} of {}", self.name);
            return Err(Error::Backend { context, reason: reason.clone() });
        }
        slots.retain(|slot| !records.slots.contains_key(slot));
        Ok(slots)
    }
}
