//! One-off processes. They are marked with a directory of their own, not with the app's service directory, so that no
//! stop and no supervisor takes them for instances. The program that waits for a one-off keeps its record locked; if
//! that program was killed, `retire` removes the one-off.

mod process;
mod records;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use env_files::Environment;
use formation::Slot;
use ps_scheduler::{Command, Ended, Error, OneOff, SHELL, Streams};
use ps_service::Service;
use ps_supervisor::{Invocation, ProcessSpec, Spec};
use type_settings::TypeSettings;

pub(crate) use process::Given;
pub(crate) use records::OneOffs;

/// The time limit of a detached run without a limit of its own: a day.
const USUAL: Duration = Duration::from_secs(86_400);

/// Runs the command to its end.
pub(crate) fn run(service: &Service, order: &OneOff<'_>) -> Result<Ended, Error> {
    let spec = service.spec_in_force().ok_or_else(|| Error::NotDeployed { app: service.app.clone() })?;
    let refused = |reason: String| Error::CannotStart {
        app: service.app.clone(),
        slot: order.name.to_string(),
        reason,
    };
    let directory = directory(&spec).map_err(refused)?;
    let settings = order.release.settings(&order.process_type).clone();
    let environment = environment(&spec.at(&directory), order, &settings).map_err(refused)?;
    let invocation = invocation(order, &environment).map_err(refused)?;
    let timeout = match order.streams {
        Streams::Ours { .. } => order.timeout,
        Streams::Nobodys { .. } => order.timeout.or(Some(USUAL)),
    };
    OneOffs::of(service).carry(&Given {
        name: &order.name,
        invocation,
        environment,
        directory: &directory,
        settings,
        seen_by: None,
        streams: order.streams,
        signals: order.signals,
        timeout,
        grace: order.grace,
    })
}

/// The directory in which the app's instances run. If it is gone, the one to which its path leads now.
fn directory(spec: &Spec) -> Result<PathBuf, String> {
    let typed = || spec.typed.as_ref().and_then(|typed| typed.canonicalize().ok());
    let found = Some(spec.directory.clone()).filter(|directory| directory.is_dir()).or_else(typed);
    found.ok_or_else(|| format!("its directory {} is not there", spec.directory.display()))
}

/// The environment of a one-off: that of an instance of its type, without a port and with the name of the one-off,
/// and over it the variables of the order.
fn environment(spec: &Spec, order: &OneOff<'_>, settings: &TypeSettings) -> Result<Environment, String> {
    let mut spec = spec.clone();
    if let Some(process) =
        spec.processes.iter_mut().find(|process| process.process_type == order.process_type.as_str())
    {
        process.settings = settings.clone();
    } else {
        let (process_type, settings) = (order.process_type.to_string(), settings.clone());
        spec.processes.push(ProcessSpec { process_type, settings, ..Default::default() });
    }
    let slot = Slot::new(order.process_type.clone(), 1);
    let mut environment = ps_supervisor::environment(&spec, &slot, None)?;
    for name in ["PS", "DYNO"] {
        environment.set(name, order.name.to_string());
    }
    for (name, value) in &order.env {
        environment.set(name, value);
    }
    environment.check()?;
    Ok(environment)
}

fn invocation(order: &OneOff<'_>, environment: &Environment) -> Result<Invocation, String> {
    match &order.command {
        Command::Words(words) => Ok(Invocation::Words(words.iter().map(OsString::from).collect())),
        Command::Shell => Ok(shell()),
        Command::OfType => {
            let process = order.release.process(&order.process_type);
            let command = process.and_then(|process| process.command.as_deref());
            Invocation::of(command.ok_or("it has no command")?, environment)
        }
    }
}

/// The command of an interactive shell.
pub(crate) fn shell() -> Invocation {
    Invocation::Words(["/bin/sh", "-c", SHELL].map(OsString::from).into())
}
