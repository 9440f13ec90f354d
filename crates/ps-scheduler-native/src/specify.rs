//! Turns a plan into a spec for the supervisor. Values that an earlier spec has fixed (ports, places, the environment of
//! the person who deployed) are kept.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use formation::Slot;
use ps_scheduler::{Error, Plan, Process, Release, Source};
use ps_service::{Service, backend};
use ps_supervisor::{ProcessSpec, Spec};
use type_settings::TypeSettings;

use crate::health::health;

/// Variables of the person who deploys that processes get as well, so that a command that works at the prompt works after a
/// reboot.
const INHERITED: [&str; 7] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ"];

/// The spec for a plan. `earlier` is the previous spec.
pub(crate) fn specify(service: &Service, plan: &Plan, earlier: Option<&Spec>) -> Result<Spec, Error> {
    let release = &plan.release;
    let Source::Directory(directory) = &release.source else {
        return Err(Error::Unsupported {
            scheduler: "native".to_owned(),
            what: "run an image: choose docker-local",
        });
    };
    let mut processes = processes(plan, earlier)?;
    // If the earlier spec was lost, the running instances still have its revision.
    let last = earlier.map_or_else(|| service.last_revision(), |spec| spec.revision);
    let is_another = earlier.is_some_and(|spec| !is_same_release(spec, directory, &processes));
    let revision = last + u64::from(plan.is_deploy || last == 0 || is_another);
    for process in &mut processes {
        process.since = since(plan, process, earlier, revision);
    }
    let chosen = chosen_base(service)?;
    let before = earlier.filter(|spec| !spec.is_of_address());
    let resolved = directory.canonicalize().unwrap_or_else(|_| directory.clone());
    Ok(Spec {
        app: release.app.to_string(),
        revision,
        deploy: plan.deploy.clone().or_else(|| earlier.and_then(|spec| spec.deploy.clone())),
        directory: resolved.clone(),
        typed: Some(directory.clone()),
        env: environment(plan, earlier),
        env_files: env_files(service, &resolved),
        dokku_env_files: if service.world.inside_dokku() { dokku_env_files(service) } else { vec![] },
        base_port: match chosen.or_else(|| before.map(|spec| spec.base_port)) {
            Some(port) => port,
            None => service.free_base()?,
        },
        port_is_set: chosen.is_some(),
        listen: release.listen.as_slice().to_vec(),
        frontend: release.frontend.clone(),
        certificates: service.certificates(),
        places: places(release, earlier),
        restart_policy: release.restart_policy,
        stop_timeout_seconds: release.stop_timeout.as_secs(),
        processes,
        stopped: stopped(plan),
    })
}

/// The revision in which a type was changed last: that of the earlier spec, if the type has not changed since.
fn since(plan: &Plan, process: &ProcessSpec, earlier: Option<&Spec>, revision: u64) -> Option<u64> {
    let earlier = earlier?;
    let before = earlier.processes.iter().find(|before| before.process_type == process.process_type)?;
    let is_same = || before.process_type.parse().is_ok_and(|process_type| plan.keeps(&process_type));
    if earlier.revision == revision {
        return before.since;
    }
    is_same().then(|| before.since.unwrap_or(earlier.revision))
}

/// Whether the supervisor already runs the release of a plan with the current settings.
pub(crate) fn is_in_force(service: &Service, plan: &Plan) -> bool {
    let Source::Directory(directory) = &plan.release.source else { return false };
    let Some(spec) = service.spec_in_force() else { return false };
    let Ok(processes) = processes(plan, Some(&spec)) else { return false };
    is_same_release(&spec, directory, &processes)
        && has_same_settings(&spec, plan, &processes)
        && has_same_schedules(&spec, plan, &processes)
}

/// Whether the spec has the same scheduled types, with the same counts and none of them stopped, as the plan. No process is
/// started for a schedule, so only the spec shows that.
fn has_same_schedules(spec: &Spec, plan: &Plan, processes: &[ProcessSpec]) -> bool {
    let counts = |processes: &[ProcessSpec]| -> BTreeMap<String, u16> {
        let scheduled = processes.iter().filter(|process| process.settings.schedule.is_some());
        scheduled.map(|process| (process.process_type.clone(), process.quantity)).collect()
    };
    counts(&spec.processes) == counts(processes) && !plan.filled().any(|slot| spec.stopped.contains(slot))
}

fn has_same_settings(spec: &Spec, plan: &Plan, processes: &[ProcessSpec]) -> bool {
    let of_types = |processes: &[ProcessSpec]| -> BTreeMap<String, TypeSettings> {
        processes.iter().map(|process| (process.process_type.clone(), process.settings.clone())).collect()
    };
    spec.restart_policy == plan.release.restart_policy
        && spec.listen == plan.release.listen.as_slice()
        && spec.frontend == plan.release.frontend
        && spec.stop_timeout_seconds == plan.release.stop_timeout.as_secs()
        && of_types(&spec.processes) == of_types(processes)
}

/// Whether a spec starts the release that is recorded as deployed. If it does not, a deploy wrote it that was killed before
/// it was recorded, or that was undone; its instances are replaced by those of the recorded release.
fn is_same_release(spec: &Spec, directory: &Path, processes: &[ProcessSpec]) -> bool {
    let commands = |processes: &[ProcessSpec]| -> BTreeMap<String, String> {
        processes.iter().map(|process| (process.process_type.clone(), process.command.clone())).collect()
    };
    // A spec of an earlier version has only the resolved directory.
    let typed = spec.typed.as_deref().unwrap_or(&spec.directory);
    typed == directory && commands(&spec.processes) == commands(processes)
}

/// The base port that a person chose for the app. Inside Dokku there is no such property.
fn chosen_base(service: &Service) -> Result<Option<u16>, Error> {
    if service.world.inside_dokku() {
        return Ok(None);
    }
    let chosen = service.world.ps_property(&service.app, "port");
    let chosen = chosen.map_err(|error| backend(format!("read the port of {}", service.app), &error))?;
    Ok(chosen.and_then(|word| word.parse().ok()))
}

fn environment(plan: &Plan, earlier: Option<&Spec>) -> BTreeMap<OsString, OsString> {
    let ours = || INHERITED.iter().filter_map(|name| Some(((*name).into(), env::var_os(name)?)));
    let mut variables = match earlier {
        Some(spec) if !plan.is_deploy => spec.env.clone(),
        _ => ours().collect(),
    };
    variables.extend(plan.release.env.iter().map(|(name, value)| (name.into(), value.into())));
    variables
}

fn env_files(service: &Service, directory: &Path) -> Vec<PathBuf> {
    let mut files = vec![directory.join(".env")];
    files.extend(dokku_env_files(service));
    files
}

/// The env files that Dokku writes; empty outside Dokku, where people write env files.
fn dokku_env_files(service: &Service) -> Vec<PathBuf> {
    vec![service.world.global_env_path(), service.world.env_path(&service.app)]
}

/// The places of all types that the app ever had: at first in the order of the Procfile; new types follow the last one.
fn places(release: &Release, earlier: Option<&Spec>) -> BTreeMap<String, u16> {
    let mut places = earlier.map(|spec| spec.places.clone()).unwrap_or_default();
    for process in &release.processes {
        let next = places.values().max().map_or(0, |last| last + 1);
        places.entry(process.process_type.to_string()).or_insert(next);
    }
    places
}

fn processes(plan: &Plan, earlier: Option<&Spec>) -> Result<Vec<ProcessSpec>, Error> {
    let mut processes = Vec::new();
    // An app that was deployed before tasks existed keeps its tasks out until its next deploy: somebody may run them in
    // another way by now.
    let is_known = |process: &&Process| {
        !process.is_task
            || plan.is_deploy
            || earlier.is_some_and(|spec| spec.process(&process.process_type).is_some())
    };
    for process in plan.release.processes.iter().filter(is_known) {
        let name = process.process_type.as_str();
        // `release` runs once per deploy and has no instances to keep running.
        let quantity =
            plan.wanted.get(name).filter(|_| name != formation::RELEASE).map_or(0, formation::Quantity::get);
        let command = process.command.clone().ok_or_else(|| Error::Backend {
            context: format!("run {name} of {}", plan.release.app),
            reason: "it has no command".to_owned(),
        })?;
        let health = health(plan, process, earlier);
        let settings = process.settings.clone();
        let process_type = name.to_owned();
        processes.push(ProcessSpec { process_type, command, quantity, settings, health, since: None });
    }
    Ok(processes)
}

/// Slots that the plan leaves empty because a person stopped them.
fn stopped(plan: &Plan) -> Vec<Slot> {
    let filled: Vec<&Slot> = plan.filled().collect();
    let wanted = plan.wanted.iter().flat_map(|(process_type, quantity)| {
        (1..=quantity.get()).map(|index| Slot::new(process_type.clone(), index))
    });
    wanted.filter(|slot| !filled.contains(&slot)).collect()
}
