//! A release: everything from which the instances of an app are started. The caller makes it from files; a scheduler
//! only reads it.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use balance::{Frontend, PASS_SOCKET};
use formation::{Addresses, AppName, FIRST_TYPE, Formation, ProcessType, Quantity, RestartPolicy};
use ps_apps::ServiceRecord;
use ps_probe::{Ask, Check, Checks};
use ps_rollout::Strategy;
use type_settings::{Checking, Disorder, Order, Ready, Span, TypeSettings, Whole};

use crate::Gate;
use crate::address::Reached;

/// The source from which an app is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A directory, in which commands run.
    Directory(PathBuf),
    /// The name of an image that the engine has.
    Image(String),
    /// The services of a Compose file, by process type: each has an image of its own.
    Services(BTreeMap<String, ServiceRecord>),
}

impl Source {
    /// The image of a process type; `None` if it has none.
    pub fn image(&self, process_type: &ProcessType) -> Option<&str> {
        match self {
            Self::Directory(_) => None,
            Self::Image(image) => Some(image),
            Self::Services(_) => self.service(process_type).map(|service| service.image.as_str()),
        }
    }

    /// The service of a process type in the Compose file.
    pub fn service(&self, process_type: &ProcessType) -> Option<&ServiceRecord> {
        match self {
            Self::Directory(_) | Self::Image(_) => None,
            Self::Services(services) => services.get(process_type.as_str()),
        }
    }

    /// Whether the source runs natively and not in a container.
    pub fn is_native(&self) -> bool {
        matches!(self, Self::Directory(_))
    }
}

/// How long an instance may take to become ready, in addition to the time that its checks may take.
pub const COMING_UP: Duration = Duration::from_secs(30);

/// The default time limit of a run that is meant to end: a day, as in Dokku.
const LONGEST_RUN: Duration = Duration::from_secs(86_400);

/// One process type of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The name of the type.
    pub process_type: ProcessType,
    /// The command line, for `/bin/sh -c`. `None`: the image's own command.
    pub command: Option<String>,
    /// The checks of its instances, at their start and afterwards.
    pub checks: Checks,
    /// The order of old and new instances in a deploy. `None`: the scheduler's default.
    pub strategy: Option<Strategy>,
    /// How many instances are started at a time. `None`: the app does not set it.
    pub max_parallel: Option<NonZeroU16>,
    /// The settings of the type, from properties and app.json.
    pub settings: TypeSettings,
    /// Whether this is a task of app.json's `cron` and not a type of the Procfile. A task always has one instance.
    pub is_task: bool,
}

impl Process {
    /// A process type without further settings.
    pub fn new(process_type: ProcessType, command: Option<String>) -> Self {
        let (checks, settings) = Default::default();
        Self { process_type, command, checks, strategy: None, max_parallel: None, settings, is_task: false }
    }

    /// What makes an instance ready, in addition to its startup checks: the setting `ready` if it is set. Without it,
    /// an instance of `web` is ready when something listens on its port, unless it has startup checks of its own.
    pub fn ready(&self) -> Ready {
        let is_web = self.process_type.as_str() == FIRST_TYPE && self.settings.schedule.is_none();
        let is_asked = self.settings.checks.is_none_or(|checks| checks == Checking::Asked);
        let is_waited_for = is_web && is_asked && self.checks.startup.is_empty();
        let usual = if is_waited_for { Ready::Listening } else { Ready::Alive };
        self.settings.ready.unwrap_or(usual)
    }

    /// How long an instance may take to become ready: the setting if it is set, else [`COMING_UP`] and the time that
    /// all attempts of all its checks take.
    pub fn deadline(&self) -> Duration {
        let own = self.settings.start_timeout_seconds.map(Whole::seconds);
        own.unwrap_or_else(|| COMING_UP.saturating_add(self.checks.longest_startup()))
    }
}

/// Everything from which the instances of an app are started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The app.
    pub app: AppName,
    /// What the app is run from.
    pub source: Source,
    /// The process types, in the order of the Procfile. For an image without a Procfile, the types that have settings
    /// or counts.
    pub processes: Vec<Process>,
    /// Whether these are all types of the app. An image without a Procfile may have any other type, too.
    pub are_all_types: bool,
    /// The settings for all types, which also apply to types of an image without settings of their own.
    pub others: TypeSettings,
    /// The app's environment (its ENV file), without `PORT`, `PS` and `DYNO`.
    pub env: Vec<(String, String)>,
    /// What happens to an instance that ends by itself.
    pub restart_policy: RestartPolicy,
    /// The time between SIGTERM and SIGKILL when an instance is stopped.
    pub stop_timeout: Duration,
    /// The properties of Dokku's plugin `checks` for the types.
    pub gate: Gate,
    /// The addresses of the app, which do not depend on the ports of its instances.
    pub listen: Addresses,
    /// The options of the address.
    pub frontend: Frontend,
}

impl Release {
    /// The formation with the tasks added, which a stored formation never names.
    #[must_use]
    pub fn with_tasks(&self, formation: &Formation) -> Formation {
        let mut all = formation.clone();
        for process in self.processes.iter().filter(|process| process.is_task) {
            all.set(process.process_type.clone(), Quantity::ONE);
        }
        all
    }

    /// The address of the app, and its options.
    pub fn reached(&self) -> Reached {
        Reached { listen: self.listen.clone(), frontend: self.frontend.clone() }
    }

    /// Whether instances of this type are reached at the app's address.
    pub fn has_address(&self, process_type: &ProcessType) -> bool {
        !self.listen.is_empty() && process_type.as_str() == FIRST_TYPE
    }

    /// Whether instances of this type get the sockets of the app's address, and accept their clients themselves. Only natively.
    pub fn passes_sockets(&self, process_type: &ProcessType) -> bool {
        self.has_address(process_type) && self.frontend.options.pass_socket && self.source.is_native()
    }

    /// Why instances of this type cannot be given the sockets of the app's address, for people; `None`: they can, or are given none.
    pub fn refuses_sockets(&self, process_type: &ProcessType) -> Option<String> {
        if !self.passes_sockets(process_type) {
            return None;
        }
        if let Some(option) = self.frontend.needs_balance() {
            return Some(format!(
                "with {PASS_SOCKET} clients connect to the instances themselves, so {option} cannot be had: unset one of the two"
            ));
        }
        if self.settings(process_type).ready == Some(Ready::Listening) {
            return Some(format!(
                "with {PASS_SOCKET} its address is listened on whether an instance accepts or not: set {process_type}.ready to notify, \
                 or to alive"
            ));
        }
        let asks_address = |check: &&Check| match check.ask {
            Ask::Listen | Ask::Get(_) => check.port.is_none(),
            Ask::Run(_) | Ask::Live(_) => false,
        };
        let asked = self.checking(process_type) == Checking::Asked;
        let checks = self.process(process_type).filter(|_| asked).map(|process| &process.checks)?;
        let all = checks.startup.iter().chain(&checks.liveness).chain(&checks.readiness);
        all.into_iter().find(asks_address).map(|check| {
            format!(
                "with {PASS_SOCKET} all instances have one address, so that nobody knows which of them answers the check to {check}: \
                 use a command, or a port of its own that only the check asks"
            )
        })
    }

    /// The process type with this name.
    pub fn process(&self, process_type: &ProcessType) -> Option<&Process> {
        self.processes.iter().find(|process| process.process_type == *process_type)
    }

    /// The order in which the types start and end.
    pub fn order(&self) -> Order {
        let types = self.processes.iter().map(|process| (&process.process_type, &process.settings));
        Order::of(&types.collect::<Vec<_>>())
    }

    /// Why one of the types could never start, because of the types that it waits for.
    pub fn disorder(&self) -> Option<Disorder> {
        let order = self.order();
        let known = self
            .are_all_types
            .then(|| self.processes.iter().map(|process| process.process_type.clone()).collect());
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
            let what = "other types wait until it is done, which is tried beside what runs, so its strategy cannot be stop-first";
            Some(Disorder { process_type: process.process_type.clone(), what: what.to_owned() })
        })
    }

    /// The time from the order to end to SIGKILL, for instances and runs of a type.
    pub fn grace(&self, process_type: &ProcessType) -> Duration {
        let own = self.settings(process_type).stop_timeout_seconds;
        own.map_or(self.stop_timeout, |seconds| Duration::from_secs(seconds.unsigned()))
    }

    /// The time limit for a run of a type whose runs are meant to end.
    pub fn run_timeout(&self, process_type: &ProcessType) -> Duration {
        self.settings(process_type).run_timeout.map_or(LONGEST_RUN, Span::get)
    }

    /// The message about a run that took too long.
    pub fn overdue(&self, process_type: &ProcessType) -> String {
        let set = self.settings(process_type).run_timeout;
        set.map_or_else(|| "took longer than a day".to_owned(), |span| format!("took longer than {span}"))
    }

    /// The settings of a type.
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
            port: None,
        };
        let checks = Checks { startup: vec![check], ..Checks::default() };
        assert_eq!(Process { checks, ..process("web") }.ready(), Ready::Alive);
    }
}
