//! Records the present addresses of an app's instances: the engine gives a container another address when it restarts
//! it, and an instance that is not ready has no recorded address.

use formation::{AppName, Slot};
use ps_apps::InstanceRecord;
use ps_engine::Container;
use ps_scheduler::{Error, Requester};

use crate::address::{self, Address};
use crate::app::{self, App};
use crate::docker_local::DockerLocal;
use crate::recover;
use crate::watch_file::Watched;

impl DockerLocal {
    /// Records the present addresses of an app's containers, and directs clients there. Returns whether the record has changed. The
    /// caller holds the app's lock.
    ///
    /// # Errors
    /// The engine does not answer, or the records cannot be read or written.
    pub fn redirect(&self, name: &AppName, requester: &mut Requester<'_>) -> Result<bool, Error> {
        let app = App { engine: self.engine()?, world: self.world(), name };
        if recover::was_cut_off(app.world, name) {
            // The next verb of the app records the addresses.
            return Ok(false);
        }
        let mut records = app::records(app.world, name)?;
        let listed = app.engine.run(app.listed(&records))?;
        let watched = Watched::read(app.world, name);
        let changed: Vec<(Slot, InstanceRecord)> = records
            .slots
            .iter()
            .filter_map(|(slot, record)| {
                let container =
                    listed.iter().find(|container| record.id.as_deref() == Some(&container.id))?;
                Some((slot.clone(), directed(slot, record, container, &watched)?))
            })
            .collect();
        if !changed.is_empty() {
            records.replace(&changed).map_err(|error| Error::Backend {
                context: format!("write down where {name} is reached"),
                reason: error.to_string(),
            })?;
        }
        if let Some(address) = Address::of(app.world, name) {
            address.lead_now(&app, address::backends(&app, &records, &[])?, requester)?;
        }
        Ok(!changed.is_empty())
    }
}

/// A new record for an instance whose address differs from the recorded one. The record of a container that does not run is
/// kept: the container may get its address back, and does not answer at any address meanwhile.
fn directed(
    slot: &Slot,
    record: &InstanceRecord,
    container: &Container,
    watched: &Watched,
) -> Option<InstanceRecord> {
    let is_withdrawn = watched.withdrawn(slot, &container.id).is_some();
    let ip = container.ip.clone().filter(|_| !is_withdrawn);
    let is_other = container.state.is_alive() && ip != record.ip;
    is_other.then(|| InstanceRecord { ip, ..record.clone() })
}
