//! Asks the schedulers, independently of requests: at most once a second, and only while a client is connected. Each
//! scheduler is asked separately, so that one that hangs does not affect the others; its last answer is kept, and it is
//! named.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use formation::AppName;
use jiff::Timestamp;
use ps_apps::{SchedulerName, World};
use ps_rows::StatusRow;
use ps_schedulers::Answers;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time;

use crate::changes::Changes;
use crate::ring::Ring;
use crate::snapshot::{Silence, Snapshot};

/// From one look to the next.
const PAUSE: Duration = Duration::from_secs(1);
/// Of a look that took long, this many times what it took: a machine with thousands of instances is not kept busy by looking.
const REST: u32 = 4;
/// Of the CPU time that a look took, this many times: who reads events costs a hundredth of a CPU at most.
const SHARE: u32 = 100;
/// But a change is never seen later than after this time.
const LATEST: Duration = Duration::from_secs(5);
/// How long a look waits for a scheduler; an answer that comes later is used by the next look.
const PATIENCE: Duration = Duration::from_millis(900);
/// After this time a scheduler is said not to answer.
const NAMED: Duration = Duration::from_secs(3);
/// How long a request waits for a look, at most.
const REQUEST: Duration = Duration::from_secs(2);
/// How long the page waits, where something is known: events bring it up to date.
const PAGE: Duration = Duration::from_millis(50);

/// The last result, and a way to request a new one.
#[derive(Debug)]
pub(crate) struct Collector {
    found: watch::Sender<Arc<Snapshot>>,
    asked: Notify,
    lookers: AtomicUsize,
    /// What else there is to say of apps.
    remarks: Mutex<Vec<Silence>>,
}

/// While it exists, the schedulers are asked regularly.
#[derive(Debug)]
pub(crate) struct Looking(Arc<Collector>);

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.lookers.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Collector {
    pub(crate) fn new() -> Arc<Self> {
        let found = watch::Sender::new(Arc::new(Snapshot::empty()));
        Arc::new(Self {
            found,
            asked: Notify::new(),
            lookers: AtomicUsize::new(0),
            remarks: Mutex::default(),
        })
    }

    pub(crate) fn look(self: &Arc<Self>) -> Looking {
        self.lookers.fetch_add(1, Ordering::Relaxed);
        self.asked.notify_one();
        Looking(Arc::clone(self))
    }

    /// What else is to be told of apps from now on.
    pub(crate) fn remark(&self, remarks: Vec<Silence>) {
        *self.remarks.lock().unwrap_or_else(PoisonError::into_inner) = remarks;
    }

    /// What was found not more than about a second ago, or what is known where that takes too long.
    pub(crate) async fn fresh(&self) -> Arc<Snapshot> {
        self.within(REQUEST).await
    }

    /// The same in a hurry: what is known may be a minute old, where looking takes long.
    pub(crate) async fn for_a_page(&self) -> Arc<Snapshot> {
        let is_known = self.found.borrow().taken.is_some();
        self.within(if is_known { PAGE } else { REQUEST }).await
    }

    async fn within(&self, patience: Duration) -> Arc<Snapshot> {
        let mut found = self.found.subscribe();
        let known = found.borrow_and_update().clone();
        if known.taken.is_some_and(|taken| taken.elapsed() < PAUSE) {
            return known;
        }
        self.asked.notify_one();
        let _ = time::timeout(patience, found.changed()).await;
        found.borrow().clone()
    }

    /// Asks the schedulers regularly, and sends changes to `ring`. It never returns.
    pub(crate) async fn run(&self, world: World, ring: &Ring) {
        let mut round = Round { world, asked: BTreeMap::new(), known: BTreeMap::new() };
        let mut is_asked = false;
        loop {
            if !is_asked && self.lookers.load(Ordering::Relaxed) == 0 {
                self.asked.notified().await;
            }
            let (began, cpu) = (Instant::now(), cpu_time());
            let mut snapshot = round.look().await;
            let remarks = self.remarks.lock().unwrap_or_else(PoisonError::into_inner).clone();
            snapshot.silent.extend(remarks);
            if let Some(changes) = Changes::between(&self.found.borrow(), &snapshot)
                && let Ok(data) = serde_json::to_string(&changes)
            {
                ring.push("change", data);
            }
            snapshot.number = ring.newest();
            self.found.send_replace(Arc::new(snapshot));
            let (took, used) = (began.elapsed(), cpu_time().saturating_sub(cpu));
            time::sleep((took * REST).max(PAUSE.saturating_sub(took))).await;
            // A request does not wait for what follows.
            is_asked = time::timeout(spared(used, began.elapsed()), self.asked.notified()).await.is_ok();
        }
    }
}

/// How much longer nobody looks who is not asked to, where a look has used so much of a CPU and so much time has passed since it began.
fn spared(used: Duration, passed: Duration) -> Duration {
    (used * SHARE).min(LATEST).saturating_sub(passed)
}

/// What this process has used of a CPU.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.try_into().unwrap_or_default()
}

/// What is remembered from one look to the next.
struct Round {
    world: World,
    /// The questions that are not answered yet.
    asked: BTreeMap<SchedulerName, Question>,
    known: BTreeMap<AppName, Known>,
}

struct Question {
    since: Instant,
    apps: Vec<AppName>,
    answer: JoinHandle<Answers>,
}

/// What was said last of an app, and by which scheduler.
struct Known {
    scheduler: SchedulerName,
    rows: Arc<Vec<StatusRow>>,
}

/// The apps, by scheduler, and errors of those that could not be read.
#[derive(Default)]
struct Listed {
    by_scheduler: BTreeMap<SchedulerName, Vec<AppName>>,
    silent: Vec<Silence>,
}

/// Asks every scheduler once, and waits for all of them as long as they take.
pub(crate) fn once(world: &World) -> Snapshot {
    let Listed { by_scheduler, silent } = listed(world);
    let mut round = Round { world: world.clone(), asked: BTreeMap::new(), known: BTreeMap::new() };
    let mut all = silent;
    for apps in by_scheduler.values() {
        round.take(ps_schedulers::statuses(world, apps), &by_scheduler, &mut all);
    }
    round.snapshot(all)
}

impl Round {
    async fn look(&mut self) -> Snapshot {
        let world = self.world.clone();
        let listed = tokio::task::spawn_blocking(move || listed(&world)).await;
        let Listed { by_scheduler, mut silent } = listed.unwrap_or_else(|panic| Listed {
            silent: vec![Silence { apps: Vec::new(), reason: panic.to_string() }],
            ..Listed::default()
        });
        for (scheduler, apps) in &by_scheduler {
            if !self.asked.contains_key(scheduler) {
                let (world, asked) = (self.world.clone(), apps.clone());
                let answer = tokio::task::spawn_blocking(move || ps_schedulers::statuses(&world, &asked));
                let question = Question { since: Instant::now(), apps: apps.clone(), answer };
                self.asked.insert(scheduler.clone(), question);
            }
        }
        let is_there = |app: &AppName, known: &Known| {
            by_scheduler.get(&known.scheduler).is_some_and(|apps| apps.contains(app))
        };
        self.known.retain(|app, known| is_there(app, known));
        silent.extend(self.answers(&by_scheduler).await);
        self.snapshot(silent)
    }

    fn snapshot(&self, silent: Vec<Silence>) -> Snapshot {
        let apps = self.known.iter().map(|(app, known)| (app.clone(), Arc::clone(&known.rows))).collect();
        Snapshot { number: 0, at: Timestamp::now(), taken: Some(Instant::now()), apps, silent }
    }

    /// Waits for answers, and takes in what comes; what does not is returned.
    async fn answers(&mut self, listed: &BTreeMap<SchedulerName, Vec<AppName>>) -> Vec<Silence> {
        let mut silent = Vec::new();
        let deadline = time::Instant::now() + PATIENCE;
        for (scheduler, mut question) in std::mem::take(&mut self.asked) {
            match time::timeout_at(deadline, &mut question.answer).await {
                Ok(Ok(answers)) => self.take(answers, listed, &mut silent),
                Ok(Err(panic)) => {
                    silent.push(Silence { apps: names(&question.apps), reason: panic.to_string() });
                }
                Err(_) => {
                    let waited = question.since.elapsed();
                    if waited >= NAMED {
                        let reason =
                            format!("{} has not answered for {} s", scheduler.as_str(), waited.as_secs());
                        silent.push(Silence { apps: names(&question.apps), reason });
                    }
                    self.asked.insert(scheduler, question);
                }
            }
        }
        silent
    }

    fn take(
        &mut self,
        answers: Answers,
        listed: &BTreeMap<SchedulerName, Vec<AppName>>,
        silent: &mut Vec<Silence>,
    ) {
        silent.extend(
            answers
                .silent
                .iter()
                .map(|silence| Silence { apps: names(&silence.apps), reason: silence.reason.clone() }),
        );
        for (app, (scheduler, status)) in answers.statuses {
            // It may have been removed, or moved, since it was asked about.
            if !listed.get(&scheduler).is_some_and(|apps| apps.contains(&app)) {
                continue;
            }
            let troubles = status.troubles.iter().cloned();
            silent.extend(troubles.map(|reason| Silence { apps: vec![app.to_string()], reason }));
            let rows = Arc::new(StatusRow::of_app(scheduler.as_str(), status));
            self.known.insert(app, Known { scheduler, rows });
        }
    }
}

fn names(apps: &[AppName]) -> Vec<String> {
    apps.iter().map(ToString::to_string).collect()
}

fn listed(world: &World) -> Listed {
    let mut listed = Listed::default();
    let apps = match world.apps() {
        Ok(apps) => apps,
        Err(error) => {
            listed.silent.push(Silence { apps: Vec::new(), reason: error.to_string() });
            return listed;
        }
    };
    for app in apps {
        match world.scheduler_name(&app.name) {
            Ok(scheduler) => listed.by_scheduler.entry(scheduler).or_default().push(app.name),
            Err(error) => {
                listed.silent.push(Silence { apps: vec![app.name.to_string()], reason: error.to_string() });
            }
        }
    }
    listed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_costs_much_is_not_repeated_every_second() {
        let [ms, second] = [Duration::from_millis(1), Duration::from_secs(1)];
        assert_eq!(spared(5 * ms, second), Duration::ZERO, "half a hundredth");
        assert_eq!(spared(30 * ms, second), 2 * second);
        assert_eq!(spared(90 * ms, second), 4 * second, "a change is seen after five seconds");
        assert_eq!(spared(90 * ms, 6 * second), Duration::ZERO);
        assert!(cpu_time() > Duration::ZERO);
    }
}
