//! Runs a command in the environment of an instance: in its directory, with its variables and its user, and with its
//! view of the file system if it has one of its own. The command is a one-off and not a process of the instance, which
//! can end and start again meanwhile.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;

use env_files::Environment;
use ps_scheduler::{Ended, Entry, Error, Instance, Streams};
use ps_service::Service;
use ps_supervisor::{Invocation, MARKER, Spec};
use type_settings::Switch;

use crate::one_off::{self, Given, OneOffs};
use crate::status;

/// Runs the command to its end.
pub(crate) fn enter(service: &Service, entry: &Entry<'_>) -> Result<Ended, Error> {
    let spec = service.spec_in_force().ok_or_else(|| Error::NotDeployed { app: service.app.clone() })?;
    let instances = status::instances(service)?;
    let (instance, pid) = running(service, &instances, entry)?;
    let refused = |reason: String| Error::CannotStart {
        app: service.app.clone(),
        slot: format!("a command beside {}", entry.slot),
        reason,
    };
    let directory = instance.directory.clone().unwrap_or_else(|| spec.directory.clone());
    let environment = match variables(pid) {
        Some(variables) => Environment::new(variables),
        None => {
            ps_supervisor::environment(&spec.at(&directory), entry.slot, instance.port).map_err(refused)?
        }
    };
    let invocation = entry.words.map(|words| Invocation::Words(words.iter().map(OsString::from).collect()));
    let mut settings = settings(&spec, entry);
    // The command joins the instance's private /tmp instead of getting one of its own.
    let has_own_view = settings.private_tmp.take().is_some_and(Switch::is_on);
    let one_offs = OneOffs::of(service);
    one_offs.carry(&Given {
        name: &one_offs.free_name()?,
        invocation: invocation.unwrap_or_else(one_off::shell),
        environment,
        directory: &directory,
        settings,
        seen_by: has_own_view.then_some(pid),
        streams: Streams::Ours { is_terminal: entry.is_terminal },
        signals: entry.signals,
        timeout: None,
        grace: entry.grace,
    })
}

/// The instance and its main process; an error if it does not run.
fn running<'a>(
    service: &Service,
    instances: &'a [Instance],
    entry: &Entry<'_>,
) -> Result<(&'a Instance, u32), Error> {
    let of_slot = instances.iter().filter(|instance| instance.slot == *entry.slot);
    let found = of_slot.clone().find_map(|instance| Some((instance, instance.pid?)));
    found.ok_or_else(|| match of_slot.clone().next() {
        Some(instance) => Error::CannotStart {
            app: service.app.clone(),
            slot: format!("a command beside {}", entry.slot),
            reason: format!("{} is {}, and runs nowhere", entry.slot, instance.state.as_str()),
        },
        None => Error::NoSuchInstance {
            app: service.app.clone(),
            which: entry.slot.to_string(),
            present: instances
                .iter()
                .map(|instance| instance.slot.to_string())
                .collect::<Vec<_>>()
                .join(", "),
        },
    })
}

fn settings(spec: &Spec, entry: &Entry<'_>) -> type_settings::TypeSettings {
    let process = spec.process(&entry.slot.process_type);
    process.map(|process| process.settings.clone()).unwrap_or_default()
}

/// The variables of a process, without the mark of this project; `None` if the process has overwritten them.
fn variables(pid: u32) -> Option<Vec<(OsString, OsString)>> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let pair = |variable: &[u8]| {
        let at = variable.iter().position(|byte| *byte == b'=').filter(|at| *at > 0)?;
        let [name, value] = [&variable[..at], &variable[at + 1..]];
        Some((OsStr::from_bytes(name).to_owned(), OsStr::from_bytes(value).to_owned()))
    };
    let mut variables: Vec<_> = bytes.split(|byte| *byte == 0).filter_map(pair).collect();
    let is_whole = variables.iter().any(|(name, _)| name == MARKER);
    variables.retain(|(name, _)| name != MARKER);
    is_whole.then_some(variables)
}
