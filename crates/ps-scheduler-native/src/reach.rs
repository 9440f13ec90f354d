//! Changes the address of a running app, without a rollout.

use formation::FIRST_TYPE;
use ps_scheduler::{Error, Moved, Release};
use ps_service::{Service, backend};
use ps_supervisor::Spec;

use crate::status;

/// Changes the address of an app to that of this release. An app that gets its first address, or loses its address, needs other ports
/// for its instances, and one whose instances accept clients themselves needs instances with other sockets.
pub(crate) fn reach(service: &Service, release: &Release) -> Result<Moved, Error> {
    let Some(spec) = service.spec_in_force() else { return Ok(Moved::Done) };
    let wanted = service.reached_at(spec.clone(), release.reached());
    if wanted == spec {
        return Ok(Moved::Done);
    }
    if let Some(reason) = ps_supervisor::address_refusal(&wanted, Some(&spec), &service.directory) {
        return Err(backend(format!("change the address of {}", service.app), &reason));
    }
    if needs_others(&spec, &wanted) && has_clients(service)? {
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

/// Whether the instances cannot go on with this address: they listen on other ports with it, or have other sockets.
fn needs_others(spec: &Spec, wanted: &Spec) -> bool {
    let first = FIRST_TYPE.parse().expect("it is the name of a type");
    let passes = [spec, wanted].map(|spec| spec.passes_sockets(&first));
    wanted.listen.is_empty() != spec.listen.is_empty()
        || passes[0] != passes[1]
        || passes[1] && wanted.listen != spec.listen
}

/// Whether an instance to which clients are led is running.
fn has_clients(service: &Service) -> Result<bool, Error> {
    let instances = status::instances(service)?;
    Ok(instances.iter().any(|it| it.slot.process_type.as_str() == FIRST_TYPE && it.pid.is_some()))
}
