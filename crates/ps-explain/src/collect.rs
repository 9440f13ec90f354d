//! Collects the facts from the scheduler, the journal, the logs, the files and the machine.

mod behind;
mod clock;
mod container;
mod files;
mod frozen;
mod instances;
mod look;
mod machine;
mod output;
mod past;
mod plain;
mod queue;
mod room;
mod secrets;
mod strain;

use anyhow::Result;
use formation::{AppName, State, Which};
use jiff::Timestamp;
use ps_apps::{SchedulerName, World};
use ps_cli::say;
use ps_journal::{Entry, Journal};
use ps_scheduler::{AppStatus, Error, Instance};
use ps_service::Service;
use ps_supervisor::Spec;

use crate::facts::{Facts, Known, Silence};
use crate::rules;
use look::Look;
use secrets::Secrets;

/// What is asked.
pub(crate) struct Question<'a> {
    pub(crate) app: &'a AppName,
    pub(crate) which: Which,
    /// `None` for the present.
    pub(crate) at: Option<Timestamp>,
}

/// Everything that is known of the app.
///
/// # Errors
/// The app's own files cannot be read. What else cannot be read is only missing.
pub(crate) fn facts(world: &World, question: &Question<'_>) -> Result<Facts> {
    let app = question.app;
    let name = world.scheduler_name(app)?;
    let journal = Journal::of(world, app).read();
    if let Err(error) = &journal {
        say::warning(&format!("the journal of {app} cannot be read: {error}"));
    }
    let mut entries = journal.map(|contents| contents.entries).unwrap_or_default();
    let begins = question.at.and_then(|at| past::cut(&mut entries, at));
    let service = Service::of(world, app, None);
    let spec = service.spec().ok().flatten().filter(|_| name == SchedulerName::Native);
    let now = question.at.unwrap_or_else(Timestamp::now);
    let status = status(world, question, &name, &mut entries);
    let secrets = Secrets::of(world, app, spec.as_ref());
    let look = Look { world, app, entries, spec, secrets, present: clock::Now::look() };
    let (status, silent) = match status {
        Ok(status) => (status, None),
        Err(error) => (AppStatus::of(app.clone(), Vec::new()), Some(silence(&look, &error))),
    };
    let is_container = name == SchedulerName::DockerLocal;
    let mut facts = Facts {
        app: app.to_string(),
        asked: question.which.clone(),
        now,
        is_container,
        is_deployed: ps_dokku::is_deployed(world, app).unwrap_or(true),
        earlier_releases: world.kept_releases(app).map_or(0, |kept| kept.len().saturating_sub(1)),
        wanted: wanted(world, question),
        silent,
        instances: Vec::new(),
        verbs: past::verbs(&look),
        directory: look.spec.as_ref().filter(|_| question.at.is_none()).map(machine::directory),
        full: Vec::new(),
        changed: Vec::new(),
        clock: clock::clock(&look.entries, question.at.is_none().then_some(&look.present)),
        is_unsupervised: false,
        has_ulimit: look.spec.as_ref().is_some_and(has_ulimit),
        stopped_supervisor: None,
        unaccepted: None,
        begins,
        lost_image: None,
    };
    facts.instances = chosen(&look, question, &status);
    facts.instances.extend(of_failed_deploy(&look, &facts, &status));
    facts.full = question.at.map_or_else(|| room::full(&look, &facts.instances), |_| Vec::new());
    if name == SchedulerName::Native && question.at.is_none() {
        facts.stopped_supervisor = service.stopped_supervisor();
        strain::add(&status, &mut facts.instances);
        facts.unaccepted = look.spec.as_ref().and_then(|spec| queue::unaccepted(spec, &status));
        facts.is_unsupervised = status.instances.iter().any(needs_supervisor) && service.is_free();
    }
    if let Some(worst) = facts.instances.iter().find(|known| !known.is_well()) {
        facts.changed = machine::changed(&look, worst.read_at());
    }
    if is_container && facts.silent.is_none() && question.at.is_none() {
        container::add(&look, &status, &mut facts);
    }
    Ok(facts)
}

/// The status of the app now, with the journal brought up to it, or the one that the journal had at the time that is asked about.
fn status(
    world: &World,
    question: &Question<'_>,
    name: &SchedulerName,
    entries: &mut Vec<Entry>,
) -> Result<AppStatus, Error> {
    if question.at.is_some() {
        return Ok(AppStatus::of(question.app.clone(), ps_rows::instances_after(entries)));
    }
    let scheduler = ps_schedulers::named(world, name);
    let ask = || scheduler.status_of(question.app);
    let mut status = ask()?;
    if *name == SchedulerName::Native {
        let service = Service::of(world, question.app, None);
        status = behind::seen(status, || !service.is_free(), ask)?;
        let read = || Some(Journal::of(world, question.app).read().ok()?.entries);
        behind::catch_up(entries, &status.instances, read);
    }
    Ok(status)
}

/// What is known of the instances that were asked for.
fn chosen(look: &Look<'_>, question: &Question<'_>, status: &AppStatus) -> Vec<Known> {
    let chosen = status.instances.iter().filter(|instance| question.which.includes(&instance.slot));
    chosen.map(|instance| instances::known(look, instance, question.at)).collect()
}

/// Whether the app has a type of that name, of which nothing runs.
pub(crate) fn has_type(world: &World, app: &AppName, which: &Which) -> bool {
    let name = match which {
        Which::All => return true,
        Which::Type(name) => name,
        Which::Slot(slot) => &slot.process_type,
    };
    world.known_types(app).ok().flatten().is_some_and(|types| types.contains(name))
}

/// The run of a deploy that failed, where what ran before runs on: it is explained and not what runs.
fn of_failed_deploy(look: &Look<'_>, facts: &Facts, status: &AppStatus) -> Option<Known> {
    if facts.instances.iter().any(|known| !known.is_well()) {
        return None;
    }
    let verb = rules::failed_deploy(facts)?;
    let (slot, run) = past::failed_run(&look.entries, verb)?;
    let lives = |instance: &Instance| (&instance.slot, instance.run) == (&slot, Some(run));
    if status.instances.iter().any(lives) {
        return None;
    }
    let instance = Instance { run: Some(run), ..Instance::new(slot, State::Crashed) };
    let until = verb.ended.as_ref().map(|(at, _)| *at);
    Some(Known { is_of_deploy: true, ..instances::of_run(look, &instance, Some(verb.at), until) })
}

/// Whether a command of the app sets limits itself.
fn has_ulimit(spec: &Spec) -> bool {
    spec.processes.iter().any(|process| process.command.contains("ulimit "))
}

/// Whether somebody has to look after an instance: it lives, is to be started, or is gone although it was to run.
fn needs_supervisor(instance: &Instance) -> bool {
    instance.state.is_alive()
        || matches!(instance.state, State::Backoff | State::Waiting | State::Scheduled | State::Missing)
}

fn silence(look: &Look<'_>, error: &Error) -> Silence {
    Silence {
        is_away: matches!(error, Error::Unreachable { .. }),
        reason: look.secrets.hide(&error.to_string()),
    }
}

/// How many instances of what is asked for are wanted.
fn wanted(world: &World, question: &Question<'_>) -> u32 {
    let Ok(formation) = world.formation(question.app) else { return 1 };
    let is_meant = |name: &str| match &question.which {
        Which::All => true,
        Which::Type(wanted) => wanted.as_str() == name,
        Which::Slot(slot) => slot.process_type.as_str() == name,
    };
    let counts = formation.wanted();
    counts.iter().filter(|(name, _)| is_meant(name.as_str())).map(|(_, count)| u32::from(count.get())).sum()
}
