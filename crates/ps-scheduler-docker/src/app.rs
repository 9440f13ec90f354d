//! One app on one engine: what every verb of this scheduler needs, and what more than one of them does.

use std::time::Duration;

use formation::{Slot, Which};
use futures_util::{StreamExt, stream};
use ps_apps::{InstanceFiles, World};
use ps_engine::{Container, End, Engine, Fault};
use ps_scheduler::Error;

use crate::failed::failed;
use crate::label;

/// How many instances are worked on at once.
pub(crate) const AT_ONCE: usize = 8;
/// How many instances are waited for at once. This is more, because the engine does nothing meanwhile.
pub(crate) const WAITING_AT_ONCE: usize = 64;

/// One app on one engine.
pub(crate) struct App<'a> {
    /// The engine.
    pub(crate) engine: &'a Engine,
    /// Where the app lies.
    pub(crate) world: &'a World,
    /// Its name.
    pub(crate) name: &'a str,
}

impl App<'_> {
    /// Its instances of this world, recorded or not.
    pub(crate) async fn listed(&self) -> Result<Vec<Container>, Error> {
        let root = format!("{}={}", label::ROOT, self.world.root().display());
        let app = format!("{}={}", label::APP, self.name);
        let listed = self.engine.list(&[root, app, label::DEPLOYED.to_owned()]).await;
        listed.map_err(|fault| self.error(fault, "list the containers"))
    }

    /// Finishes what a deploy that died half-way left behind: containers without a record are ended and removed, and those
    /// with a record get their final name. Returns a sentence for each container that could not be removed.
    pub(crate) async fn settle(
        &self,
        records: &InstanceFiles,
        grace: Duration,
    ) -> Result<Vec<String>, Error> {
        let (recorded, leftover): (Vec<_>, Vec<_>) =
            self.listed().await?.into_iter().partition(|container| records.contains(&container.id));
        for container in recorded.iter().filter(|container| label::is_upcoming(&container.name)) {
            let slot = records.slots.iter().find(|(_, record)| record.id.as_ref() == Some(&container.id));
            if let Some((slot, _)) = slot {
                self.name_finally(slot, &container.id).await;
            }
        }
        let removals = leftover.iter().map(|container| async move {
            let removed = self.remove_leftover(container, grace).await;
            removed.err().map(|reason| format!("{} is left over and would not go: {reason}", container.name))
        });
        let left: Vec<Option<String>> = stream::iter(removals).buffered(WAITING_AT_ONCE).collect().await;
        Ok(left.into_iter().flatten().collect())
    }

    async fn remove_leftover(&self, container: &Container, grace: Duration) -> Result<(), String> {
        if container.may_serve()
            && !label::is_upcoming(&container.name)
            && let End::Remains(reason) = self.engine.end(&container.id, grace).await
        {
            return Err(reason);
        }
        self.engine.remove(&container.id).await.map_err(|fault| fault.reason().to_owned())
    }

    /// Gives an instance that has passed its checks the name `<app>.<type>.<n>`. If that name is taken, for example by another
    /// world on the same engine, the container's id is added to it. Nothing depends on the name, so an error is ignored.
    pub(crate) async fn name_finally(&self, slot: &Slot, id: &str) {
        let name = label::name(self.name, slot);
        if let Err(Fault::Refused { status: 409, .. }) = self.engine.rename(id, &name).await {
            let short = id.get(..12).unwrap_or(id);
            let _ = self.engine.rename(id, &format!("{name}.{short}")).await;
        }
    }

    /// What was asked of the app, for an error.
    pub(crate) fn error(&self, fault: Fault, what: &str) -> Error {
        failed(fault, format!("{what} of {}", self.name))
    }
}

/// What is recorded of an app's containers.
pub(crate) fn records(world: &World, app: &str) -> Result<InstanceFiles, Error> {
    let failed = |reason: String| Error::Backend { context: format!("read what runs of {app}"), reason };
    let name = app.parse().map_err(|invalid| failed(format!("{invalid}")))?;
    world.instance_files(&name).map_err(|error| failed(error.to_string()))
}

/// The recorded slots that `which` selects; an error names those that there are.
pub(crate) fn chosen(records: &InstanceFiles, app: &str, which: &Which) -> Result<Vec<Slot>, Error> {
    if records.slots.is_empty() {
        return Err(Error::NotDeployed { app: app.to_owned() });
    }
    let chosen: Vec<Slot> = records.slots.keys().filter(|slot| which.includes(slot)).cloned().collect();
    if chosen.is_empty() {
        let present: Vec<String> = records.slots.keys().map(ToString::to_string).collect();
        return Err(Error::NoSuchInstance {
            app: app.to_owned(),
            which: which.to_string(),
            present: present.join(", "),
        });
    }
    Ok(chosen)
}
