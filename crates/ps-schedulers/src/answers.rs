//! The status of many apps: each scheduler is asked once for all of its apps if possible, and an app whose scheduler
//! does not answer does not hide the others.

use std::collections::BTreeMap;

use formation::AppName;
use ps_apps::{SchedulerName, World};
use ps_scheduler::{AppStatus, Error, Scheduler};
use ps_scheduler_docker::DockerLocal;
use ps_scheduler_native::Native;
use ps_scheduler_swarm::Swarm;

use crate::External;

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
    /// The apps that it was about.
    pub apps: Vec<AppName>,
    /// Why there is no answer.
    pub reason: String,
}

/// Asks the scheduler of each app how its instances are.
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
                let native = Native::new(world);
                for app in apps {
                    let asked = native.status(std::slice::from_ref(&app));
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
