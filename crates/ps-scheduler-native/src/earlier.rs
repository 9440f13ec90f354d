//! Supervisors of an earlier build of this program. Before a verb does anything else, such a one becomes the installed one, in the
//! same process. One that does not know how, because it says no hello or not which build it is, is ended by pidfd, and one of today takes over. Nothing that runs notices: each process holds its own output open, and what
//! it wrote meanwhile waits for the new one.
//!
//! It refuses where systemd started the earlier one. Once that ends, systemd ends the app as well (`KillMode=mixed`), or
//! starts a second supervisor beside ours: whoever wrote the unit has to change it first.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use formation::Slot;
use os_process::{service_unit, signal_process};
use ps_scheduler::Error;
use ps_supervisor::{Build, Client, Greeting, Predecessor, Spec, note_finished};
use rustix::process::Signal;

use crate::root;
use crate::service::{Service, backend};

const PATIENCE: Duration = Duration::from_secs(10);
/// A supervisor that says nothing at all for so long is not of an earlier version, but stuck.
const ANSWER: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(2);

/// Sees to it that the supervisor of an app, if it has one, is of the build that is installed. One that knows how becomes it, in
/// the same process; where it cannot, it stays.
pub(crate) fn take_over(service: &Service) -> Result<(), Error> {
    let Some(mut client) = service.connect() else { return Ok(()) };
    let pid = match client.hello(Instant::now() + ANSWER) {
        Ok(Some(Greeting { build: Some(build), .. })) => {
            renew(service, client, &build);
            return Ok(());
        }
        Ok(Some(Greeting { build: None, .. }) | None) => client.supervisor(),
        Err(_) => None,
    };
    let Some(pid) = pid else { return Ok(()) };
    if let Some(unit) = service_unit(pid) {
        return Err(is_systemds(service, pid, &unit));
    }
    // The root must not start its successor before that is known which has finished.
    drop(root::let_go(service));
    // It holds the lock as long as it lives, so nobody else is killed in its place.
    signal_process(pid, Signal::KILL, || !service.is_free());
    if !service.is_left_before(Instant::now() + PATIENCE) {
        let reason = format!("process {pid}, which is of an earlier version, was killed and is still there");
        return Err(service.unreachable(&reason));
    }
    note_finished(&service.directory, Predecessor::Alive);
    service.supervised().map(drop)
}

/// Has a supervisor become the installed program, if that is another build.
fn renew(service: &Service, client: Client, build: &Build) {
    let Ok(program) = service.program() else { return };
    let is_outdated = |installed: Build| build.is_outdated_by(&installed);
    if Build::at(&program).is_ok_and(is_outdated) {
        // One that stays as it is does all that it did before.
        let stays = client.reexec(&program, Instant::now() + PATIENCE).is_some();
        let deadline = Instant::now() + PATIENCE;
        while !stays && service.connect().is_none() && Instant::now() < deadline {
            thread::sleep(LOOK);
        }
    }
}

/// The instances that have finished, where the files of an app are as an earlier version left them, and do not say so.
pub(crate) fn finished(service: &Service) -> BTreeSet<Slot> {
    if !Spec::is_of_first_format(&service.directory) {
        return BTreeSet::new();
    }
    let is_alive = service.connect().is_some();
    let predecessor = if is_alive { Predecessor::Alive } else { Predecessor::Unknown };
    ps_supervisor::finished(&service.directory, predecessor)
}

fn is_systemds(service: &Service, pid: u32, unit: &str) -> Error {
    let reason = format!(
        "process {pid} is of an earlier version and the main process of {unit}, and systemd would end the app with it. \
         Give {unit} KillMode=process and Restart=always (systemctl edit {unit}), then run systemctl kill \
         --kill-whom=main --signal=KILL {unit}: systemd starts the supervisor of today, which takes over what runs"
    );
    backend(format!("take over {} from its supervisor", service.app), &reason)
}
