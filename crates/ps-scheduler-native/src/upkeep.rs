//! Logs are rotated or emptied by the supervisor, which writes them, or by this program if no supervisor
//! lives.

use std::time::{Duration, Instant};

use formation::{Slot, Which};
use log_store::Upkeep;
use ps_scheduler::Error;
use ps_service::{Service, backend, earlier};
use ps_supervisor::{Client, Message, Request, Supervisor};

/// How long a supervisor may take for all logs of an app.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn keep_up_logs(service: &Service, which: &Which, upkeep: Upkeep) -> Result<u64, Error> {
    earlier::take_over(service)?;
    let slots: Vec<Slot> = service.slots()?.into_iter().filter(|slot| which.includes(slot)).collect();
    let deadline = Instant::now() + PATIENCE;
    let (mut waiting, mut bytes) = (&slots[..], 0);
    while let [slot, others @ ..] = waiting {
        if let Some(client) = service.connect() {
            return Ok(bytes + ask(service, client, waiting, upkeep, deadline)?);
        }
        match Supervisor::keep_up_logs_without(&service.directory, slot, upkeep) {
            Ok(some) => (bytes, waiting) = (bytes + some, others),
            // A supervisor has just been started, and listens soon.
            Err(ps_supervisor::Error::AlreadySupervised { .. }) if Instant::now() < deadline => (),
            Err(error) => return Err(failed(service, upkeep, &error)),
        }
    }
    Ok(bytes)
}

fn ask(
    service: &Service,
    mut client: Client,
    slots: &[Slot],
    upkeep: Upkeep,
    deadline: Instant,
) -> Result<u64, Error> {
    let died = |error: ps_supervisor::Error| service.unreachable(&error.to_string());
    let slots = slots.to_vec();
    let request = match upkeep {
        Upkeep::Rotate => Request::RotateLogs { slots },
        Upkeep::Flush => Request::FlushLogs { slots },
    };
    client.send(&request).map_err(died)?;
    let mut told = 0;
    loop {
        match client.next(deadline).map_err(died)? {
            Some(Message::Logs { bytes, failed: reasons }) if reasons.is_empty() => told = bytes,
            Some(Message::Logs { failed: reasons, .. }) => {
                return Err(failed(service, upkeep, &reasons.join("; ")));
            }
            Some(Message::Reply { error: None }) => return Ok(told),
            Some(Message::Reply { error: Some(reason) }) => return Err(failed(service, upkeep, &reason)),
            Some(_) => (),
            None => return Err(service.unreachable(&format!("no answer in {} s", PATIENCE.as_secs()))),
        }
    }
}

fn failed(service: &Service, upkeep: Upkeep, reason: &dyn std::fmt::Display) -> Error {
    let what = match upkeep {
        Upkeep::Rotate => "rotate",
        Upkeep::Flush => "empty",
    };
    backend(format!("{what} the logs of {}", service.app), reason)
}
