//! A release: what an app's instances are started from. Made by the caller from files; a scheduler only reads it.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use formation::{AppName, FIRST_TYPE, Formation, ProcessType, Quantity, RestartPolicy};
use ps_probe::Checks;
use ps_rollout::Strategy;
use type_settings::{Disorder, Order, Ready, TypeSettings, Whole};

/// Where the program comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A directory; commands run in it.
    Directory(PathBuf),
    /// An image reference the engine can resolve.
    Image(String),
}

/// What an instance is given to become ready in, beside the time that its checks may take.
pub const COMING_UP: Duration = Duration::from_secs(30);

/// One process type of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its name.
    pub process_type: ProcessType,
    /// Its command line, for `/bin/sh -c`; `None`: what the image runs by itself.
    pub command: Option<String>,
    /// What is asked of its instances, before they count as ready and afterwards.
    pub checks: Checks,
    /// In which order old and new instances follow each other; `None`: as the scheduler usually does.
    pub strategy: Option<Strategy>,
    /// How many of its instances are brought up at a time; `None`: the app does not say.
    pub max_parallel: Option<NonZeroU16>,
    /// What was set for it, by properties and in app.json.
    pub settings: TypeSettings,
    /// Whether it is no type of the Procfile, but a task of app.json's `cron`: there is always one of it.
    pub is_task: bool,
}

impl Process {
    /// A process type of which the app says no more than its command.
    pub fn new(process_type: ProcessType, command: Option<String>) -> Self {
        let (checks, settings) = Default::default();
        Self { process_type, command, checks, strategy: None, max_parallel: None, settings, is_task: false }
    }

    /// What makes an instance ready beside its startup checks: what was set. Otherwise `web` is there to be connected to, unless its
    /// own startup checks know better when that is so.
    pub fn ready(&self) -> Ready {
        let is_web = self.process_type.as_str() == FIRST_TYPE && self.settings.schedule.is_none();
        let usual = if is_web && self.checks.startup.is_empty() { Ready::Listening } else { Ready::Alive };
        self.settings.ready.unwrap_or(usual)
    }

    /// How long an instance is given to become ready: what was set, else what any has and the time of all tries of all its checks.
    pub fn deadline(&self) -> Duration {
        let own = self.settings.start_timeout_seconds.map(Whole::seconds);
        own.unwrap_or_else(|| COMING_UP.saturating_add(self.checks.longest_startup()))
    }
}

/// What an app's instances are started from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The app.
    pub app: AppName,
    /// Where the program comes from.
    pub source: Source,
    /// The process types, in the order of the Procfile. Of an image, which brings no Procfile, those of which the app says something.
    pub processes: Vec<Process>,
    /// What was set for all types, and so for those of an image of which the app says nothing.
    pub others: TypeSettings,
    /// The app's environment (its ENV file), without `PORT`, `PS` and `DYNO`.
    pub env: Vec<(String, String)>,
    /// What happens to an instance that ends by itself.
    pub restart_policy: RestartPolicy,
    /// From SIGTERM to SIGKILL.
    pub stop_timeout: Duration,
}

impl Release {
    /// A formation with the tasks that no formation names.
    #[must_use]
    pub fn with_tasks(&self, formation: &Formation) -> Formation {
        let mut all = formation.clone();
        for process in self.processes.iter().filter(|process| process.is_task) {
            all.set(process.process_type.clone(), Quantity::ONE);
        }
        all
    }

    /// The process type of that name.
    pub fn process(&self, process_type: &ProcessType) -> Option<&Process> {
        self.processes.iter().find(|process| process.process_type == *process_type)
    }

    /// In which order its types start and end.
    pub fn order(&self) -> Order {
        let types = self.processes.iter().map(|process| (&process.process_type, &process.settings));
        Order::of(&types.collect::<Vec<_>>())
    }

    /// Why one of its types could never start, because of the types that it waits for.
    pub fn disorder(&self) -> Option<Disorder> {
        let order = self.order();
        // An image brings no Procfile that could say which types there are.
        let knows_all = matches!(self.source, Source::Directory(_));
        let known =
            knows_all.then(|| self.processes.iter().map(|process| process.process_type.clone()).collect());
        let policy = |process_type: &ProcessType| {
            let own = self.process(process_type).and_then(|process| process.settings.restart_policy);
            own.unwrap_or(self.restart_policy)
        };
        let is_stopped_first = |process: &&Process| {
            process.strategy == Some(Strategy::StopFirst)
                && order.is_awaited_to_be_done(&process.process_type)
        };
        let has_schedule = |process_type: &ProcessType| {
            self.process(process_type).is_some_and(|process| process.settings.schedule.is_some())
        };
        order.disorder(known.as_ref(), policy, has_schedule).or_else(|| {
            let process = self.processes.iter().find(is_stopped_first)?;
            let what = "others wait for it to be done, which is proven beside what runs: its strategy cannot be stop-first";
            Some(Disorder { process_type: process.process_type.clone(), what: what.to_owned() })
        })
    }

    /// What was set for a type.
    pub fn settings(&self, process_type: &ProcessType) -> &TypeSettings {
        self.process(process_type).map_or(&self.others, |process| &process.settings)
    }
}

#[cfg(test)]
mod tests {
    use ps_probe::{Ask, Check};

    use super::*;

    fn process(name: &str) -> Process {
        Process::new(name.parse().expect("a legal process type"), None)
    }

    fn set(ready: Ready, process: Process) -> Process {
        Process { settings: TypeSettings { ready: Some(ready), ..TypeSettings::default() }, ..process }
    }

    #[test]
    fn web_alone_is_waited_for_until_it_listens_unless_its_checks_or_a_person_say_otherwise() {
        assert_eq!(process("web").ready(), Ready::Listening);
        assert_eq!(process("worker").ready(), Ready::Alive);
        assert_eq!(set(Ready::Alive, process("web")).ready(), Ready::Alive);
        assert_eq!(set(Ready::Listening, process("worker")).ready(), Ready::Listening);
        let check = Check {
            ask: Ask::Live(Duration::from_secs(3)),
            attempts: 1,
            timeout: Duration::from_secs(1),
            wait: Duration::ZERO,
            initial_delay: Duration::ZERO,
            only_warns: false,
            on_failure: Vec::new(),
        };
        let checks = Checks { startup: vec![check], ..Checks::default() };
        assert_eq!(Process { checks, ..process("web") }.ready(), Ready::Alive);
    }
}
