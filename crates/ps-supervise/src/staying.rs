//! The modes of this program that other programs start: they stay in memory for as long as an app runs. The separately
//! installed program has only these modes (`os_process::resident`).

use std::env;
use std::path::Path;

use anyhow::{Context, Result};
use ps_cli::exit::{Outcome, Refusal};
use ps_supervisor::{Against, Begin, Launch, Supervisor, TidyLogs, Until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::asked::Asked;
use crate::{absolute, is_service, record, root};

/// Runs the mode that the command line of this process asks for; `None`: a person wrote it, and the option parser
/// reads it.
pub(crate) fn answer() -> Result<Option<Outcome>> {
    if let Some(launch) = Launch::asked(env::args_os()) {
        return Err(failed(launch));
    }
    if let Some(logs) = TidyLogs::asked(env::args_os()) {
        return tidy(&logs).map(Some);
    }
    match Asked::of(env::args_os().skip(1)) {
        Some(Asked::Service { directory, open_files, begin }) if is_service(&directory) => {
            os_process::become_resident();
            serve(&absolute(&directory)?, open_files, begin).map(Some)
        }
        Some(Asked::Root { lib, is_while_needed }) => match root::meant(&lib, is_while_needed)? {
            Some(lib) => {
                os_process::become_resident();
                root::run(&lib, is_while_needed).map(Some)
            }
            None => Ok(None),
        },
        Some(Asked::Holder { services }) => {
            os_process::become_resident();
            root::hold(&services).map(Some)
        }
        Some(Asked::ClearUnit) => clear_unit().map(Some),
        Some(Asked::Candidate { service }) => go_on(&service).map(Some),
        Some(Asked::Service { .. }) | None => Ok(None),
    }
}

// These functions are not inlined: an inlined one would enlarge the stack of each supervisor for as long as the
// supervisor lives.
#[inline(never)]
fn failed(launch: Launch) -> anyhow::Error {
    let failed = launch.exec();
    Refusal { status: failed.status(), message: failed.to_string() }.into()
}

// Not inlined for the same reason: compressing alone needs 50 KiB of stack.
#[inline(never)]
fn tidy(logs: &TidyLogs) -> Result<Outcome> {
    logs.run().context("tidy logs")?;
    Ok(Outcome::Done)
}

#[inline(never)]
fn clear_unit() -> Result<Outcome> {
    os_process::take_controllers_from_unit().context("lift the limits in the cgroup of the unit")?;
    Ok(Outcome::Done)
}

#[inline(never)]
fn go_on(service: &Path) -> Result<Outcome> {
    Supervisor::can_go_on(service)?;
    Ok(Outcome::Done)
}

/// Keeps the processes of a service directory alive.
#[inline(never)]
pub(crate) fn serve(service: &Path, open_files: Option<u64>, begin: Begin) -> Result<Outcome> {
    os_process::become_owner_of(service)
        .with_context(|| format!("become the owner of {}", service.display()))?;
    if open_files.is_some() {
        let limit = getrlimit(Resource::Nofile);
        // The supervisor raises its own limit again, and passes the limit that it found on to its processes.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: open_files, ..limit });
    }
    // The process that started us may close its terminal, which must not end us. This fails only if we lead a session
    // already.
    let _ = rustix::process::setsid();
    ps_supervisor::disown(Against::Mask).context("watch for signals")?;
    let mut supervisor = Supervisor::open(service, begin)?;
    if let Some(error) = supervisor.passed_over() {
        ps_cli::say::warning(&format!(
            "{error}: which instances were stopped by hand is taken from their statuses"
        ));
    }
    supervisor.write_to(record::note);
    supervisor.run(Until::Told)?;
    Ok(Outcome::Done)
}
