//! One app on one engine, with the operations that more than one verb of this scheduler uses.

use std::time::{SystemTime, UNIX_EPOCH};

use formation::{AppName, Slot, Which};
use futures_util::{StreamExt, stream};
use ps_apps::{InstanceFiles, InstanceRecord, World};
use ps_engine::{Container, Engine, Fault};
use ps_scheduler::Error;

use crate::failed::failed;
use crate::label;

/// How many instances are started or stopped at the same time.
pub(crate) const AT_ONCE: usize = 8;
/// How many instances are waited for at the same time. This is more, because waiting costs the engine nothing.
pub(crate) const WAITING_AT_ONCE: usize = 64;

/// One app on one engine.
pub(crate) struct App<'a> {
    /// The engine.
    pub(crate) engine: &'a Engine,
    /// The world that the app belongs to.
    pub(crate) world: &'a World,
    /// Its name.
    pub(crate) name: &'a AppName,
}

impl App<'_> {
    /// The labels by which the instances of the app in this world are found.
    pub(crate) fn filters(&self) -> [String; 3] {
        let root = format!("{}={}", label::ROOT, self.world.root().display());
        [root, format!("{}={}", label::APP, self.name), label::DEPLOYED.to_owned()]
    }

    /// The instances of the app that this world has made, recorded or not, and the recorded ones that Dokku has
    /// made.
    pub(crate) async fn listed(&self, records: &InstanceFiles) -> Result<Vec<Container>, Error> {
        let root = self.world.root().display().to_string();
        let [_, app, deployed] = self.filters();
        let listed = self.engine.list(&[app, deployed]).await;
        let mut listed = listed.map_err(|fault| self.error(fault, "list the containers"))?;
        let is_ours = |container: &Container| {
            container.label(label::ROOT) == Some(&root) || records.contains(&container.id)
        };
        listed.retain(is_ours);
        Ok(listed)
    }

    /// Gives these instances their names: the old ones of their slots step aside as `<app>.<type>.<n>.<epoch>`.
    pub(crate) async fn take_names(&self, old: &InstanceFiles, new: &[(Slot, InstanceRecord)]) {
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let renames = new.iter().map(|(slot, record)| async move {
            if let Some(id) = old.slots.get(slot).and_then(|record| record.id.as_deref()) {
                let aside = format!("{}.{epoch}", label::name(self.name, slot));
                // The rename may fail because the container is gone. Nothing depends on the name, so the error is ignored.
                let _ = self.engine.rename(id, &aside).await;
            }
            if let Some(id) = &record.id {
                self.name_finally(slot, id).await;
            }
        });
        stream::iter(renames).buffered(WAITING_AT_ONCE).collect::<Vec<()>>().await;
    }

    /// Gives an instance that has passed its checks the name `<app>.<type>.<n>`. If that name is taken, for example by another
    /// world on the same engine, the container's id is added to it. If the engine fails, it is asked once more, because
    /// later verbs that find nothing to do do not check names. Nothing depends on the name, so a second error is ignored.
    pub(crate) async fn name_finally(&self, slot: &Slot, id: &str) {
        let name = label::name(self.name, slot);
        let again = match self.engine.rename(id, &name).await {
            Err(fault) if fault.is_gone() => return,
            Err(fault) if fault.is_conflict() => format!("{name}.{}", id.get(..12).unwrap_or(id)),
            Err(_) => name,
            Ok(()) => return,
        };
        let _ = self.engine.rename(id, &again).await;
    }

    /// The error for a verb that does nothing because it could not record what it would do.
    pub(crate) fn unwritable(&self, error: &ps_apps::Error) -> Error {
        let context = format!("write down the rollout of {}", self.name);
        Error::Backend { context, reason: error.to_string() }
    }

    /// The error of a call to the engine; `what` is what was being done.
    pub(crate) fn error(&self, fault: Fault, what: &str) -> Error {
        failed(fault, format!("{what} of {}", self.name))
    }
}

/// The records of an app's containers.
pub(crate) fn records(world: &World, app: &AppName) -> Result<InstanceFiles, Error> {
    let failed =
        |reason: String| Error::Backend { context: format!("read the container records of {app}"), reason };
    world.instance_files(app).map_err(|error| failed(error.to_string()))
}

/// The recorded slots that `which` selects; an error names those that there are.
pub(crate) fn chosen(records: &InstanceFiles, app: &AppName, which: &Which) -> Result<Vec<Slot>, Error> {
    if records.slots.is_empty() {
        return Err(Error::NotDeployed { app: app.clone() });
    }
    let chosen: Vec<Slot> = records.slots.keys().filter(|slot| which.includes(slot)).cloned().collect();
    if chosen.is_empty() {
        let present: Vec<String> = records.slots.keys().map(ToString::to_string).collect();
        return Err(Error::NoSuchInstance {
            app: app.clone(),
            which: which.to_string(),
            present: present.join(", "),
        });
    }
    Ok(chosen)
}
