//! The state of instances. Each scheduler is asked once, and the Docker engine only if one of the apps has
//! containers. What a scheduler does not answer is `unknown`; nothing is guessed.

use std::collections::BTreeMap;

use formation::{AppName, Slot, State};
use ps_apps::{ContainerFile, Error, SchedulerName, World};
use ps_scheduler::{AppStatus, Instance, Running, Scheduler};
use ps_scheduler_native::Native;
use ps_schedulers::{Count, External};

use crate::parallel;
use crate::row::UNKNOWN;
use crate::subjects::complain;

/// What is known about the instances of one app.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The number of instances; -1 if it is not known.
    pub(crate) processes: i64,
    /// Whether the instances run.
    pub(crate) running: Running,
    /// One entry for each instance.
    pub(crate) slots: Vec<SeenSlot>,
    /// The reason if files of the app could not be read.
    pub(crate) trouble: Option<String>,
}

/// What is known about one instance.
#[derive(Debug)]
pub(crate) struct SeenSlot {
    /// `<type>.<n>`, as recorded.
    pub(crate) name: String,
    /// The same name as a slot; `None` if the recorded name is not that of a slot.
    pub(crate) slot: Option<Slot>,
    /// The state in its displayed form.
    pub(crate) what: String,
    /// Whether the instance runs or is about to.
    pub(crate) is_alive: bool,
    /// Whether the record has no number, because an old version wrote it. As in Dokku, it counts as an instance but
    /// has no row of its own.
    pub(crate) is_unnumbered: bool,
}

impl Seen {
    /// The state of an app about which nothing could be found out.
    pub(crate) fn unknown() -> Self {
        Self { processes: -1, running: Running::Unknown, slots: Vec::new(), trouble: None }
    }

    /// Whether any part of it is unknown.
    pub(crate) fn is_unknown(&self) -> bool {
        self.running == Running::Unknown
    }

    fn unreadable(error: &Error) -> Self {
        Self { trouble: Some(error.to_string()), ..Self::unknown() }
    }
}

/// The questions about some apps that their files do not answer.
#[derive(Default)]
pub(crate) struct Questions {
    /// For each app, in order, whether its files alone give its state.
    pub(crate) are_native: Vec<bool>,
    /// Apps whose files do not say whom to ask, because they cannot be read.
    unreadable: Vec<(AppName, Seen)>,
    /// The apps about which the engine is asked.
    contained: Vec<AppName>,
    /// The apps about which the swarm is asked.
    on_swarm: Vec<AppName>,
    /// The apps whose scheduler is a plugin of Dokku, by the plugin that is asked.
    external: BTreeMap<String, Vec<AppName>>,
}

impl Questions {
    /// No questions, for this number of native apps.
    pub(crate) fn none(apps: usize) -> Self {
        Self { are_native: vec![false; apps], ..Self::default() }
    }

    /// The questions about these apps.
    pub(crate) fn about(world: &World, apps: &[AppName]) -> Self {
        let mut questions = Self::none(0);
        let named = parallel::map(apps.iter().collect(), |app| world.scheduler_name(app));
        for (scheduler, app) in named.into_iter().zip(apps) {
            questions.are_native.push(matches!(scheduler, Ok(SchedulerName::Native)));
            match scheduler {
                Ok(SchedulerName::Native) => (),
                Ok(SchedulerName::DockerLocal) => questions.contained.push(app.clone()),
                Ok(SchedulerName::Swarm) => questions.on_swarm.push(app.clone()),
                Ok(SchedulerName::External(name)) => {
                    questions.external.entry(name).or_default().push(app.clone());
                }
                Err(error) => questions.unreadable.push((app.clone(), Seen::unreadable(&error))),
            }
        }
        questions
    }

    /// Whether another program or an engine has to be asked.
    pub(crate) fn are_asked(&self) -> bool {
        !self.contained.is_empty() || !self.on_swarm.is_empty() || !self.external.is_empty()
    }

    /// The answers about all apps that are not native. A scheduler that does not answer causes one line on stderr.
    pub(crate) fn answers(self, world: &World) -> BTreeMap<AppName, Seen> {
        let mut answers: BTreeMap<AppName, Seen> = self.unreadable.into_iter().collect();
        if !self.contained.is_empty() {
            answers.extend(docker_local(world, self.contained));
        }
        if !self.on_swarm.is_empty() {
            answers.extend(on_swarm(world, self.on_swarm));
        }
        for (name, apps) in self.external {
            let counts = External::new(world, &name).counts(&apps);
            answers.extend(counts.into_iter().map(|(app, count)| (app, counted(count))));
        }
        answers
    }
}

/// The state of an app if a plugin reports only the number of its instances.
fn counted(count: Result<Count, ps_scheduler::Error>) -> Seen {
    match count {
        Ok(Count { instances, running }) => {
            Seen { processes: instances.map_or(-1, i64::from), running, slots: Vec::new(), trouble: None }
        }
        Err(error) => {
            complain(&error.to_string());
            Seen::unknown()
        }
    }
}

/// The state of a native app, read from its status files only. A corrupt file must not hide the others.
pub(crate) fn native(scheduler: &Native, app: &AppName) -> Seen {
    match scheduler.status_of(app) {
        Ok(status) => of_status(&status),
        Err(error) => Seen { trouble: Some(error.to_string()), ..Seen::unknown() },
    }
}

fn of_status(status: &AppStatus) -> Seen {
    Seen {
        processes: i64::try_from(status.current().count()).unwrap_or(-1),
        running: status.running(),
        slots: status.current().map(seen_slot).collect(),
        trouble: status.troubles.first().cloned(),
    }
}

fn seen_slot(instance: &Instance) -> SeenSlot {
    let state = instance.state.as_str();
    let pid = instance.pid.map(|pid| format!(" (PID: {pid})")).unwrap_or_default();
    let what = format!("{state}{pid}");
    let is_alive = instance.state.is_in_order();
    SeenSlot {
        name: instance.slot.to_string(),
        slot: Some(instance.slot.clone()),
        what,
        is_alive,
        is_unnumbered: false,
    }
}

/// The swarm's answer about its apps. No records about them are on this machine, so without an answer nothing is
/// known.
fn on_swarm(world: &World, apps: Vec<AppName>) -> Vec<(AppName, Seen)> {
    let swarm = ps_schedulers::named(world, &SchedulerName::Swarm);
    let answered = statuses(swarm.as_ref(), &apps);
    let seen = |app: &AppName| answered.get(app).map_or_else(Seen::unknown, of_status);
    apps.into_iter().map(|app| (app.clone(), seen(&app))).collect()
}

fn docker_local(world: &World, apps: Vec<AppName>) -> Vec<(AppName, Seen)> {
    let read: Vec<_> = apps.into_iter().map(|app| (records(world, &app), app)).collect();
    let has_containers =
        |records: &Result<Vec<ContainerFile>, Error>| matches!(records, Ok(some) if !some.is_empty());
    let asked: Vec<AppName> =
        read.iter().filter(|(records, _)| has_containers(records)).map(|(_, app)| app.clone()).collect();
    let answered = if asked.is_empty() {
        BTreeMap::new()
    } else {
        statuses(&ps_scheduler_docker::DockerLocal::new(world), &asked)
    };
    read.into_iter()
        .map(|(records, app)| {
            let seen = match records {
                Ok(records) => recorded(&records, answered.get(&app)),
                Err(error) => Seen::unreadable(&error),
            };
            (app, seen)
        })
        .collect()
}

/// The state of an app in containers. As in Dokku, the records decide which instances exist, and the engine says what
/// each of them does.
fn recorded(records: &[ContainerFile], answer: Option<&AppStatus>) -> Seen {
    let instances = answer.iter().flat_map(|status| &status.instances);
    let by_slot: BTreeMap<&Slot, &Instance> = instances.map(|instance| (&instance.slot, instance)).collect();
    let slots: Vec<Option<Slot>> = records.iter().map(|record| record.instance.parse().ok()).collect();
    let found: Vec<Option<&Instance>> =
        slots.iter().map(|slot| slot.as_ref().and_then(|slot| by_slot.get(slot).copied())).collect();
    let running = match answer {
        _ if records.is_empty() => Running::False,
        Some(_) => sum(&found),
        None => Running::Unknown,
    };
    let seen = records.iter().zip(slots).zip(found).map(|((record, slot), instance)| {
        let word = if answer.is_some() { container_word(instance) } else { UNKNOWN };
        let id: String = record.id.chars().take(11).collect();
        SeenSlot {
            name: record.instance.clone(),
            slot,
            what: format!("{word} (CID: {id})"),
            is_alive: instance.is_some_and(|instance| instance.state.is_in_order()),
            is_unnumbered: record.is_unnumbered,
        }
    });
    Seen {
        processes: i64::try_from(records.len()).unwrap_or(-1),
        running,
        slots: seen.collect(),
        trouble: None,
    }
}

/// Whether the instances run. A record without a container in the engine does not run.
fn sum(found: &[Option<&Instance>]) -> Running {
    let states = || found.iter().flatten().map(|instance| instance.state);
    match states().filter(|state| state.is_in_order()).count() {
        _ if states().any(|state| state == State::Unknown) => Running::Unknown,
        0 => Running::False,
        all if all == found.len() => Running::True,
        _ => Running::Mixed,
    }
}

/// The engine's own word for the state of a container, as Dokku shows it.
fn container_word(instance: Option<&Instance>) -> &'static str {
    let Some(instance) = instance else { return State::Missing.as_str() };
    match instance.state {
        State::Starting | State::Running | State::Unready | State::Unhealthy | State::Stopping => "running",
        State::Backoff | State::Waiting => "restarting",
        State::Stopped if instance.last_exit.is_none() => "created",
        State::Stopped | State::Crashed => "exited",
        State::Scheduled | State::Missing | State::Unknown => instance.state.as_str(),
    }
}

/// Asks a scheduler once for all apps. If it does not answer, a line is printed on stderr and the result is empty.
fn statuses(scheduler: &dyn Scheduler, apps: &[AppName]) -> BTreeMap<AppName, AppStatus> {
    match scheduler.status(apps) {
        Ok(statuses) => statuses.into_iter().map(|status| (status.app.clone(), status)).collect(),
        Err(error) => {
            complain(&error.to_string());
            BTreeMap::new()
        }
    }
}

/// All container records of an app, in the order in which Dokku lists them.
fn records(world: &World, app: &AppName) -> Result<Vec<ContainerFile>, Error> {
    let files = world.container_files(app)?;
    if let Some(broken) = files.iter().find(|file| file.id.contains('\0')) {
        let reason = "holds NUL bytes: the next deploy writes it again".to_owned();
        return Err(Error::Corrupt { path: broken.path.clone(), line: None, reason });
    }
    Ok(files)
}
