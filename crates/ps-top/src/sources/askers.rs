//! One thread for each scheduler, which asks for the status of its apps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use formation::AppName;
use ps_apps::{SchedulerName, World};
use ps_rows::StatusRow;
use ps_schedulers::Silent;

use super::thread::spawn;
use crate::message::{Answer, Message};

/// How long a scheduler may take before it is called slow.
const PATIENCE: Duration = Duration::from_secs(3);

/// The threads, by scheduler.
pub(crate) struct Askers {
    world: World,
    to: SyncSender<Message>,
    by_scheduler: Mutex<BTreeMap<SchedulerName, Arc<Asker>>>,
}

/// The questions of one thread.
#[derive(Default)]
struct Asker {
    questions: Mutex<Questions>,
    has_come: Condvar,
}

#[derive(Default)]
struct Questions {
    waiting: BTreeSet<AppName>,
    /// All apps that were asked about, if their changes are not reported.
    known: BTreeSet<AppName>,
    /// Since when the scheduler has not answered the present question.
    since: Option<Instant>,
}

impl Askers {
    pub(crate) fn new(world: &World, to: SyncSender<Message>) -> Self {
        Self { world: world.clone(), to, by_scheduler: Mutex::default() }
    }

    /// Has the scheduler of an app asked about it.
    pub(crate) fn ask(&self, app: &AppName) {
        let name = match self.world.scheduler_name(app) {
            Ok(name) => name,
            Err(error) => {
                let (scheduler, reason) = ("unknown".to_owned(), error.to_string());
                let _ = self.to.try_send(Message::Silent { scheduler, apps: vec![app.clone()], reason });
                return;
            }
        };
        let mut askers = locked(&self.by_scheduler);
        let asker = askers.entry(name.clone()).or_insert_with(|| {
            let asker = Arc::new(Asker::default());
            let (theirs, world, to) = (Arc::clone(&asker), self.world.clone(), self.to.clone());
            spawn("scheduler", &self.to, move || theirs.work(&name, &world, &to));
            asker
        });
        locked(&asker.questions).waiting.insert(app.clone());
        asker.has_come.notify_one();
    }

    /// Whether changes of an app can be seen in files.
    pub(crate) fn is_native(&self, app: &AppName) -> bool {
        self.world.scheduler_name(app).is_ok_and(|name| name == SchedulerName::Native)
    }

    /// Removes apps that do not exist any more.
    pub(crate) fn retain(&self, apps: &BTreeSet<AppName>) {
        for asker in locked(&self.by_scheduler).values() {
            let mut questions = locked(&asker.questions);
            questions.waiting.retain(|app| apps.contains(app));
            questions.known.retain(|app| apps.contains(app));
        }
    }

    /// The schedulers that have not answered for a while, and for how many seconds.
    pub(crate) fn slow(&self) -> Vec<(String, u64)> {
        let askers = locked(&self.by_scheduler);
        let slow = |(name, asker): (&SchedulerName, &Arc<Asker>)| {
            let waited = locked(&asker.questions).since?.elapsed();
            (waited > PATIENCE).then(|| (name.as_str().to_owned(), waited.as_secs()))
        };
        askers.iter().filter_map(slow).collect()
    }
}

impl Asker {
    fn work(&self, name: &SchedulerName, world: &World, to: &SyncSender<Message>) {
        loop {
            let apps = self.next(name);
            let mut answers = ps_schedulers::statuses(world, &apps);
            locked(&self.questions).since = None;
            for (app, (scheduler, status)) in std::mem::take(&mut answers.statuses) {
                let (scheduler, troubles) = (scheduler.as_str().to_owned(), status.troubles.clone());
                let rows = StatusRow::of_app(&scheduler, status);
                if to.send(Message::Answer(Box::new(Answer { app, scheduler, rows, troubles }))).is_err() {
                    return;
                }
            }
            for Silent { apps, reason } in answers.silent {
                if to.send(Message::Silent { scheduler: name.as_str().to_owned(), apps, reason }).is_err() {
                    return;
                }
            }
        }
    }

    /// The apps of the next question: one native app, because each has files of its own, or all apps of another
    /// scheduler.
    fn next(&self, name: &SchedulerName) -> Vec<AppName> {
        let mut questions = locked(&self.questions);
        loop {
            if !questions.waiting.is_empty() {
                let apps = match name {
                    SchedulerName::Native => questions.waiting.pop_first().into_iter().collect(),
                    SchedulerName::DockerLocal | SchedulerName::Swarm | SchedulerName::External(_) => {
                        let waiting = std::mem::take(&mut questions.waiting);
                        questions.known.extend(waiting.iter().cloned());
                        waiting.into_iter().collect()
                    }
                };
                questions.since = Some(Instant::now());
                return apps;
            }
            let Some(pause) = pause(name) else {
                questions = self.has_come.wait(questions).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let waited = self.has_come.wait_timeout(questions, pause).unwrap_or_else(PoisonError::into_inner);
            questions = waited.0;
            if waited.1.timed_out() {
                let known = questions.known.clone();
                questions.waiting.extend(known);
            }
        }
    }
}

/// The pause between two questions to a scheduler that does not report changes; `None` for one that does.
fn pause(name: &SchedulerName) -> Option<Duration> {
    match name {
        SchedulerName::Native => None,
        SchedulerName::DockerLocal | SchedulerName::Swarm => Some(Duration::from_secs(2)),
        SchedulerName::External(_) => Some(Duration::from_secs(10)),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
