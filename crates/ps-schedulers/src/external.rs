//! Schedulers that belong to plugins of Dokku. They are asked through triggers: every such plugin answers
//! `scheduler-app-status` with `<n> <true|false|mixed>`. They have nothing else in common, so no other question is asked
//! here, and nothing is started or stopped through them.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use formation::{AppName, Slot, State};
use ps_apps::World;
use ps_rollout::Strategy;
use ps_scheduler::{
    AppStatus, DeployOutcome, Error, Instance, LogRequest, LogSink, Plan, Requester, Running, Scheduler,
    StopOrder, Stopped,
};
use ps_triggers::Triggers;

/// How long one plugin may take to answer for one app.
const DEADLINE: Duration = Duration::from_secs(10);

/// How many apps are asked about at the same time.
const AT_ONCE: usize = 8;

/// A plugin's answer about an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The number of instances; `None` if the plugin did not report a number.
    pub instances: Option<u16>,
    /// Whether they run.
    pub running: Running,
}

/// A scheduler that is a plugin of Dokku's.
pub struct External {
    world: World,
    name: String,
    triggers: Triggers,
}

impl External {
    /// The scheduler with this name. Nothing is called before a verb needs it.
    pub fn new(world: &World, name: &str) -> Self {
        let triggers = Triggers::new(world).with_deadline(DEADLINE).with_captured_stderr();
        Self { world: world.clone(), name: name.to_owned(), triggers }
    }

    /// The plugin's answer about each app, in no order. Several apps are asked about at the same time, and an app without an
    /// answer does not affect the others.
    pub fn counts(&self, apps: &[AppName]) -> Vec<(AppName, Result<Count, Error>)> {
        side_by_side(apps, |app| self.count(app))
    }

    /// The status of each app, in no order. The apps are asked about as in [`External::counts`].
    pub(crate) fn statuses(&self, apps: &[AppName]) -> Vec<(AppName, Result<AppStatus, Error>)> {
        side_by_side(apps, |app| self.app(app))
    }

    /// The plugin's answer about one app.
    ///
    /// # Errors
    /// The plugin failed, did not answer in time, or gave another kind of answer.
    pub fn count(&self, app: &AppName) -> Result<Count, Error> {
        let asked = self.triggers.call("scheduler-app-status", &[self.name.as_str(), app.as_str()]);
        let answer = asked.map_err(|error| self.silent(app, error.to_string()))?.text();
        parse(&answer).ok_or_else(|| {
            let said = if answer.is_empty() { "nothing".to_owned() } else { format!("{answer:.60?}") };
            self.silent(app, format!("it answered {said}, and not with a number and true, false or mixed"))
        })
    }

    fn silent(&self, app: &AppName, reason: String) -> Error {
        Error::Unreachable { backend: format!("the plugin of scheduler {} for {app}", self.name), reason }
    }

    fn cannot<T>(&self, what: &'static str) -> Result<T, Error> {
        Err(Error::Unsupported { scheduler: format!("Formation through scheduler {}", self.name), what })
    }

    fn app(&self, app: &AppName) -> Result<AppStatus, Error> {
        let count = self.count(app)?;
        let formation = self.world.formation(app).map_err(|error| unreadable(app, &error))?;
        let wanted = formation.wanted();
        let types = wanted.iter().filter(|(process_type, _)| !process_type.is_release());
        let slots = types.flat_map(|(process_type, quantity)| {
            (1..=quantity.get()).map(|index| Slot { process_type: process_type.clone(), index })
        });
        Ok(self.status_of(app, count, slots.collect()))
    }

    /// An instance for each slot that is wanted. The plugin only counts instances. So the state of each slot is known only if
    /// the number is the wanted one, and if all of them run, or none.
    fn status_of(&self, app: &AppName, count: Count, wanted: Vec<Slot>) -> AppStatus {
        let is_whole = count.instances.map(usize::from) == Some(wanted.len());
        let state = match count.running {
            Running::True if is_whole => State::Running,
            Running::False if is_whole => State::Stopped,
            Running::True | Running::False | Running::Mixed | Running::Unknown => State::Unknown,
        };
        let trouble = (state == State::Unknown).then(|| {
            let there = count.instances.map_or_else(|| "an unknown number of".to_owned(), |n| n.to_string());
            let (name, running, wanted) = (&self.name, count.running.as_str(), wanted.len());
            format!(
                "{app}: {name} has {there} instances (running: {running}) and does not say which of the {wanted} that are \
                 wanted they are"
            )
        });
        let instances = wanted.into_iter().map(|slot| Instance::new(slot, state)).collect();
        AppStatus { troubles: trouble.into_iter().collect(), ..AppStatus::of(app.clone(), instances) }
    }
}

fn side_by_side<T: Send>(
    apps: &[AppName],
    ask: impl Fn(&AppName) -> Result<T, Error> + Sync,
) -> Vec<(AppName, Result<T, Error>)> {
    let waiting = Mutex::new(apps.iter());
    let answers = Mutex::new(Vec::new());
    let next = || waiting.lock().ok().and_then(|mut apps| apps.next());
    let work = || {
        while let Some(app) = next() {
            let answer = ask(app);
            if let Ok(mut answers) = answers.lock() {
                answers.push((app.clone(), answer));
            }
        }
    };
    thread::scope(|scope| (0..apps.len().min(AT_ONCE)).for_each(|_| drop(scope.spawn(work))));
    answers.into_inner().unwrap_or_default()
}

fn unreadable(app: &AppName, reason: &dyn std::fmt::Display) -> Error {
    Error::Backend { context: format!("read which instances {app} is to have"), reason: reason.to_string() }
}

fn parse(answer: &str) -> Option<Count> {
    let (count, running) = answer.split_once(' ')?;
    let running = match running.trim() {
        "true" => Running::True,
        "false" => Running::False,
        "mixed" => Running::Mixed,
        _ => return None,
    };
    Some(Count { instances: count.parse().ok(), running })
}

impl Scheduler for External {
    fn name(&self) -> &str {
        &self.name
    }

    /// A plugin carries out no plan. Dokku has its plugins start the new instances beside the old ones.
    fn usual_strategy(&self) -> Strategy {
        Strategy::Overlap
    }

    fn status(&self, apps: &[AppName]) -> Result<Vec<AppStatus>, Error> {
        apps.iter().map(|app| self.app(app)).collect()
    }

    fn deploy(&self, _: &Plan, _: &mut Requester<'_>) -> Result<DeployOutcome, Error> {
        self.cannot("start anything: deploy, start and restart the app with Dokku")
    }

    fn stop(&self, _: &StopOrder, _: &mut Requester<'_>) -> Result<Stopped, Error> {
        self.cannot("stop anything: stop the app with dokku ps:stop")
    }

    fn inspect(&self, _: &AppName) -> Result<serde_json::Value, Error> {
        self.cannot("describe instances: use dokku ps:inspect")
    }

    fn logs(&self, _: &LogRequest, _: &mut dyn LogSink) -> Result<(), Error> {
        self.cannot("read logs: use dokku logs")
    }

    /// Does nothing, because Dokku has its plugins remove their own containers.
    fn retire(&self, _: Option<&AppName>) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }
}
