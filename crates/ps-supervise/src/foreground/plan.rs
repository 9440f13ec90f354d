//! The plan of a foreground: the options and files combined into the spec for the supervisor. The spec is only kept in memory.

use std::collections::BTreeMap;

use anyhow::{Context, Error, Result};
use env_files::Environment;
use formation::{ProcessType, RestartPolicy, Slot};
use procfile::Procfile;
use ps_cli::exit::Refusal;
use ps_supervisor::{ProcessSpec, Spec};

use super::base_port::base_port;
use super::counts::{Asked, Counts, app_json, named, unknown};
use super::readiness;
use super::settings;
use super::source::Source;
use crate::args::Args;

/// The plan of a foreground.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The spec for the supervisor.
    pub(crate) spec: Spec,
    /// Notes to print before anything starts.
    pub(crate) notes: Vec<String>,
    /// The slot that gets our stdin.
    pub(crate) stdin: Option<Slot>,
}

impl Plan {
    /// Combines options and files.
    pub(crate) fn make(args: &Args, source: &Source, types: &[String]) -> Result<Self> {
        let procfile = source.procfile(types)?;
        let known: Vec<ProcessType> = procfile.entries().map(|entry| entry.process_type()).collect();
        let asked = Asked { formation: &args.run.formation, types: named(types, &known) };
        let counts = Counts::decide(&asked, &known, &source.root)?;
        let stdin = args.run.stdin.as_deref().map(|name| stdin(name, &known, &counts)).transpose()?;
        let restart_policy = if args.run.any_exit { RestartPolicy::No } else { args.run.restart };
        let environment = source.environment()?;
        let mut spec = base_spec(args, source, &environment)?;
        spec.restart_policy = restart_policy;
        let mut health = readiness::health(procfile, &app_json(&source.root)?)?;
        for process in &mut spec.processes {
            process.quantity = counts.of.get(&process.process_type).copied().unwrap_or(0);
            process.health = health.remove(&process.process_type);
        }
        settings::set(&mut spec, &source.root, args)?;
        if spec.wanted().is_empty() {
            let path = source.path.display();
            let why: String = counts.notes.last().map(|note| format!(" ({note})")).unwrap_or_default();
            return Err(Refusal::failed(format!(
                "{path} has nothing to run{why}: name a type, or give --formation"
            )));
        }
        ps_supervisor::judge(&spec).map_err(Error::msg)?;
        for process in &spec.processes {
            let process_type = ProcessType::of_legal(&process.process_type);
            ps_supervisor::judge_schedule(&spec, &process_type)
                .map_err(|reason| Refusal::failed(format!("{process_type}: {reason}")))?;
        }
        let mut notes = counts.notes;
        notes.extend(procfile.changed_commands().iter().map(|odd| format!("{odd}: {}", odd.kind.advice())));
        notes.extend_from_slice(environment.warnings());
        Ok(Self { spec, notes, stdin })
    }
}

/// The spec of a source, without instances yet. `environment` has all its variables.
pub(crate) fn base_spec(args: &Args, source: &Source, environment: &Environment) -> Result<Spec> {
    Ok(Spec {
        app: source.name(),
        revision: 1,
        deploy: None,
        directory: source.root.clone(),
        typed: None,
        env: source.fixed.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        env_files: source.env_files.clone(),
        dokku_env_files: vec![],
        base_port: base_port(args.app.port, environment)?,
        port_is_set: false,
        listen: Vec::new(),
        frontend: balance::Frontend::default(),
        certificates: std::path::PathBuf::new(),
        places: source.procfile.as_ref().map(places).unwrap_or_default(),
        restart_policy: RestartPolicy::No,
        stop_timeout_seconds: args.run.timeout.into(),
        processes: source
            .procfile
            .as_ref()
            .map(|procfile| processes(source, procfile))
            .transpose()?
            .unwrap_or_default(),
        stopped: vec![],
    })
}

/// The place of each type for computing ports: that in the whole Procfile, whichever types run.
fn places(procfile: &Procfile) -> BTreeMap<String, u16> {
    let types = procfile.entries().map(|entry| entry.process_type().to_string());
    types.filter(|name| name != formation::RELEASE).zip(0..).collect()
}

fn processes(source: &Source, procfile: &Procfile) -> Result<Vec<ProcessSpec>> {
    let process = |entry: procfile::Entry<'_>| {
        let process_type = entry.process_type().to_string();
        let command = std::str::from_utf8(entry.command).with_context(|| {
            format!("{}: the command of {process_type} is not UTF-8", source.path.display())
        })?;
        let command = command.to_owned();
        Ok(ProcessSpec { command, process_type, ..ProcessSpec::default() })
    };
    procfile.entries().map(process).collect()
}

fn stdin(name: &str, known: &[ProcessType], counts: &Counts) -> Result<Slot> {
    let process_type =
        known.iter().find(|known| known.as_str() == name).ok_or_else(|| unknown(name, known))?;
    if counts.of.get(name).is_none_or(|count| *count == 0) {
        return Err(Refusal::failed(format!("--stdin {name}: no instance of {name} is to run")));
    }
    Ok(Slot::new(process_type.clone(), 1))
}
