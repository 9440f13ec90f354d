//! The status of many apps: each scheduler is asked once for all of its apps if possible, and an app whose scheduler
//! does not answer does not hide the others.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

use formation::AppName;
use ps_apps::{SchedulerName, World};
use ps_scheduler::{AppStatus, Error, Scheduler};
use ps_scheduler_docker::DockerLocal;
use ps_scheduler_native::Native;
use ps_scheduler_swarm::Swarm;

use crate::External;

/// From this number of native apps on, several threads read their files.
const MANY: usize = 64;
const MOST_THREADS: usize = 4;

/// The status of the instances of some apps, and the schedulers that did not answer.
#[derive(Debug, Default)]
pub struct Answers {
    /// The status of each app, with the name of its scheduler.
    pub statuses: BTreeMap<AppName, (SchedulerName, AppStatus)>,
    /// The questions without an answer.
    pub silent: Vec<Silent>,
}

/// A question that was not answered.
#[derive(Debug)]
pub struct Silent {
    /// The apps whose status was asked for.
    pub apps: Vec<AppName>,
    /// Why there is no answer.
    pub reason: String,
}

/// Asks one scheduler for the status of its apps, for a caller that knows which apps it has.
pub fn statuses_of(world: &World, name: &SchedulerName, apps: Vec<AppName>) -> Answers {
    let mut answers = Answers::default();
    answers.add(world, name, apps);
    answers
}

/// Asks the scheduler of each app for its status.
pub fn statuses(world: &World, apps: &[AppName]) -> Answers {
    let mut answers = Answers::default();
    let mut by_scheduler: BTreeMap<SchedulerName, Vec<AppName>> = BTreeMap::new();
    for app in apps {
        match world.scheduler_name(app) {
            Ok(name) => by_scheduler.entry(name).or_default().push(app.clone()),
            Err(error) => answers.is_silent(vec![app.clone()], &error),
        }
    }
    for (name, apps) in by_scheduler {
        answers.add(world, &name, apps);
    }
    answers
}

impl Answers {
    fn add(&mut self, world: &World, name: &SchedulerName, apps: Vec<AppName>) {
        match name {
            SchedulerName::Native => {
                for (app, asked) in native_statuses(world, &apps) {
                    self.all(name, vec![app], asked);
                }
            }
            SchedulerName::DockerLocal => {
                let asked = DockerLocal::new(world).status(&apps);
                self.all(name, apps, asked);
            }
            SchedulerName::Swarm => {
                let asked = Swarm::new(world).status(&apps);
                self.all(name, apps, asked);
            }
            SchedulerName::External(word) => {
                for (app, status) in External::new(world, word).statuses(&apps) {
                    self.all(name, vec![app], status.map(|status| vec![status]));
                }
            }
        }
    }

    fn all(&mut self, name: &SchedulerName, apps: Vec<AppName>, asked: Result<Vec<AppStatus>, Error>) {
        match asked {
            Ok(statuses) => {
                let named = statuses.into_iter().map(|status| (name.clone(), status));
                self.statuses.extend(apps.into_iter().zip(named));
            }
            Err(error) => self.is_silent(apps, &error),
        }
    }

    fn is_silent(&mut self, apps: Vec<AppName>, reason: &dyn std::error::Error) {
        self.silent.push(Silent { apps, reason: reason.to_string() });
    }
}

/// The status of native apps is read app by app, because each has files of its own. For many apps several threads read, because most of
/// the time is spent in the kernel.
fn native_statuses(world: &World, apps: &[AppName]) -> Vec<(AppName, Result<Vec<AppStatus>, Error>)> {
    let native = Native::new(world);
    let ask = |app: &AppName| (app.clone(), native.status(std::slice::from_ref(app)));
    let threads = if apps.len() < MANY { 1 } else { thread::available_parallelism().map_or(1, NonZero::get) };
    let mut parts = apps.chunks(apps.len().div_ceil(threads.min(MOST_THREADS)).max(1));
    let Some(first) = parts.next() else { return Vec::new() };
    thread::scope(|scope| {
        let others: Vec<_> = parts.map(|part| scope.spawn(|| part.iter().map(ask).collect())).collect();
        let mut answers: Vec<_> = first.iter().map(ask).collect();
        for other in others {
            let more: Vec<_> = other.join().unwrap_or_else(|panic| resume_unwind(panic));
            answers.extend(more);
        }
        answers
    })
}
