//! Changes the address of a running app, without a rollout.

use formation::FIRST_TYPE;
use ps_scheduler::{Error, Moved, Release};
use ps_service::{Service, backend};

use crate::status;

/// Changes the address of an app to that of this release. Only an app that gets its first address, or loses its address, needs other ports
/// for its instances.
pub(crate) fn reach(service: &Service, release: &Release) -> Result<Moved, Error> {
    let Some(spec) = service.spec_in_force() else { return Ok(Moved::Done) };
    let wanted = service.reached_at(spec.clone(), release.reached());
    if wanted == spec {
        return Ok(Moved::Done);
    }
    if let Some(reason) = ps_supervisor::address_refusal(&wanted, Some(&spec), &service.directory) {
        return Err(backend(format!("change the address of {}", service.app), &reason));
    }
    if wanted.listen.is_empty() != spec.listen.is_empty() && has_clients(service)? {
        return Ok(Moved::NeedsRollout);
    }
    service.write_spec(&wanted)?;
    if let Err(refused) = service.apply() {
        // The supervisor goes on by the earlier spec, and so is the next one to do.
        service.write_spec(&spec)?;
        // It knows that spec, and only has to learn that the file has it again.
        let _ = service.apply();
        return Err(refused);
    }
    Ok(Moved::Done)
}

/// Whether an instance to which clients are led is running.
fn has_clients(service: &Service) -> Result<bool, Error> {
    let instances = status::instances(service)?;
    Ok(instances.iter().any(|it| it.slot.process_type.as_str() == FIRST_TYPE && it.pid.is_some()))
}
