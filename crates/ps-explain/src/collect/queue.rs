//! Clients that wait at the address of an app whose instances are given its sockets: a program that does not take the sockets runs well,
//! and nobody is served.

use std::time::Duration;
use std::{fs, thread};

use ps_scheduler::AppStatus;
use ps_supervisor::Spec;

use crate::facts::Unaccepted;

/// Who waits for so long is not about to be accepted.
const PATIENCE: Duration = Duration::from_millis(500);
const SHELLS: [&str; 4] = ["sh", "bash", "dash", "busybox"];

/// The clients that wait and that no instance accepts, if there are any.
pub(super) fn unaccepted(spec: &Spec, status: &AppStatus) -> Option<Unaccepted> {
    let mut lives =
        status.instances.iter().filter(|it| it.has_socket && it.state.is_alive() && it.pid.is_some());
    lives.next()?;
    let waits = || {
        let queue = |port| os_process::waiting_to_be_accepted(port);
        spec.listen.iter().map(|address| (address, queue(address.port()))).find(|(_, waiting)| *waiting > 0)
    };
    waits()?;
    thread::sleep(PATIENCE);
    let (address, waiting) = waits()?;
    let shell = status.instances.iter().filter(|it| it.has_socket).find_map(|it| {
        let name = fs::read_to_string(format!("/proc/{}/comm", it.pid?)).ok()?.trim().to_owned();
        SHELLS.contains(&name.as_str()).then(|| (it.slot.to_string(), name))
    });
    Some(Unaccepted { address: address.to_string(), waiting, shell })
}
