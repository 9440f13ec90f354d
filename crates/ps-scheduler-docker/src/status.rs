//! `status`: every instance of some apps, from their records and one list of the engine.

use std::collections::HashMap;

use formation::{Slot, State};
use ps_apps::{InstanceFiles, InstanceRecord};
use ps_engine::Container;
use ps_scheduler::{AppStatus, Error, Instance};

use crate::failed::failed;
use crate::{DockerLocal, app, label};

/// The statuses of these apps, in the order asked. If none of them has a record, the engine is not asked. A container belongs to
/// the record that has its id; labels do not decide, because containers that Dokku made do not have ours.
pub(crate) fn status(docker: &DockerLocal, apps: &[String]) -> Result<Vec<AppStatus>, Error> {
    let records: Vec<InstanceFiles> =
        apps.iter().map(|app| app::records(docker.world(), app)).collect::<Result<_, _>>()?;
    let listed = if records.iter().all(|records| records.slots.is_empty()) {
        Vec::new()
    } else {
        let engine = docker.engine()?;
        let listed = engine.run(engine.list(&[label::DEPLOYED.to_owned()]));
        listed.map_err(|fault| failed(fault, "list the containers"))?
    };
    let by_id: HashMap<&str, &Container> =
        listed.iter().map(|container| (container.id.as_str(), container)).collect();
    let instances = |records: &InstanceFiles| {
        records.slots.iter().map(|(slot, record)| instance(slot, record, &by_id)).collect()
    };
    let statuses = apps.iter().zip(&records).map(|(app, records)| AppStatus {
        app: app.clone(),
        instances: instances(records),
        troubles: Vec::new(),
    });
    Ok(statuses.collect())
}

fn instance(slot: &Slot, record: &InstanceRecord, by_id: &HashMap<&str, &Container>) -> Instance {
    let container = record.id.as_deref().and_then(|id| by_id.get(id));
    let mut instance = Instance::new(slot.clone(), container.map_or(State::Missing, |found| found.state));
    instance.container_id.clone_from(&record.id);
    instance.port = record.port;
    if let Some(container) = container {
        instance.last_exit = container.last_exit;
        let ip = container.ip.as_deref().filter(|_| container.state.is_alive());
        instance.address = ip.zip(record.port).map(|(ip, port)| format!("{ip}:{port}"));
    }
    instance
}
