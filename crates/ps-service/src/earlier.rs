//! Supervisors of an earlier build. Before a verb does anything else, it has such a supervisor execute the installed
//! program in its own process. A supervisor that is too old to know that request is killed by pidfd, and a new supervisor
//! takes over its processes. The processes do not notice: each holds its own output open, and what it writes meanwhile
//! stays in the pipe for the new supervisor.
//!
//! The takeover is refused if systemd started the old supervisor. When that supervisor ends, systemd would end the app as
//! well (`KillMode=mixed`) or start a second supervisor beside ours, so the author of the unit has to change it first.

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
/// A supervisor that does not answer for this long hangs: one of an earlier version would answer with an error.
const ANSWER: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(2);

/// Brings the supervisor of an app, if it has one, to the installed build. If possible, the supervisor executes the
/// installed program in the same process; if that fails, the supervisor stays unchanged.
pub fn take_over(service: &Service) -> Result<(), Error> {
    // One that is stopped by a signal answers nothing. Whoever needs its answer says so.
    let Some(mut client) = service.connect().and_then(|client| service.awake(client).ok()) else {
        return Ok(());
    };
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
    // The root must not start a successor before the finished instances are recorded.
    drop(root::let_go(service));
    // The lock is held as long as the supervisor lives, so this never kills another process with a reused pid.
    signal_process(pid, Signal::KILL, || !service.is_free());
    if !service.is_left_before(Instant::now() + PATIENCE) {
        let reason = format!("process {pid}, which is of an earlier version, was killed and is still there");
        return Err(service.unreachable(&reason));
    }
    note_finished(&service.directory, Predecessor::Alive);
    service.supervised().map(drop)
}

/// Has a supervisor execute the installed program, if that is a newer build.
fn renew(service: &Service, client: Client, build: &Build) {
    let Ok(program) = service.program() else { return };
    let is_outdated = |installed: Build| build.is_outdated_by(&installed);
    if Build::at(&program).is_ok_and(is_outdated) {
        // A supervisor that refuses goes on with its own program, which is no error.
        let stays = client.reexec(&program, Instant::now() + PATIENCE).is_some();
        let deadline = Instant::now() + PATIENCE;
        while !stays && service.connect().is_none() && Instant::now() < deadline {
            thread::sleep(LOOK);
        }
    }
}

/// The instances that have finished, for a service directory whose files are of the first format, which does not record
/// that.
pub fn finished(service: &Service) -> BTreeSet<Slot> {
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
