//! Clears the record of deaths. The supervisor keeps it, so the request is sent to the supervisor. If none lives, one is
//! started for this, and stays if any instance is to run.

use formation::{Slot, Which};
use ps_scheduler::Error;
use ps_service::Service;
use ps_supervisor::Request;

use crate::follow::Follower;

pub(crate) fn reset(service: &Service, which: &Which) -> Result<(), Error> {
    let slots: Vec<Slot> = service.slots()?.into_iter().filter(|slot| which.includes(slot)).collect();
    if slots.is_empty() {
        return Ok(());
    }
    let is_wanted = service.spec_in_force().is_some_and(|spec| !spec.wanted().is_empty());
    let mut follower = Follower::begin(service, service.supervised()?)?;
    follower.ask(&Request::Reset { slots })?;
    if !is_wanted {
        follower.ask(&Request::End { grace_seconds: None })?;
    }
    Ok(())
}
