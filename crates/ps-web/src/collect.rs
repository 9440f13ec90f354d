//! Asks the schedulers, independently of requests, and only while a client is connected: those of native apps when the system reports a
//! change, the others regularly, and all of them from time to time. Requests are answered from the last result.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ps_apps::World;
use tokio::sync::{Notify, watch};
use tokio::time;

use crate::changes::Changes;
use crate::ring::Ring;
use crate::round::{Round, Wanted};
use crate::snapshot::{Silence, Snapshot};
use crate::told::Told;

/// The pause between two looks at everything.
const PAUSE: Duration = Duration::from_secs(1);
/// The pause between two looks if the system reports a change.
const BREATH: Duration = Duration::from_millis(150);
/// The same pause after a look that used much CPU time: a change is still shown within a second.
const DEEP_BREATH: Duration = Duration::from_millis(600);
/// The pause is at least this many times the duration of the last look, so that looks do not keep a machine with thousands of instances busy.
const REST: u32 = 4;
/// The pause is at least this many times the CPU time of the last look. So a client that reads events costs at most a hundredth of a CPU, half
/// of it for looks at everything, and half for looks at schedulers that report no changes.
const SHARE: u32 = 200;
/// But a change that is not reported is seen after this time at the latest.
const LATEST: Duration = Duration::from_secs(5);
/// The same if changes are reported. Then only the use of memory and CPU, and the death of a supervisor, are seen this late.
const LATEST_TOLD: Duration = Duration::from_secs(30);
/// How long a request waits for a look at most.
const REQUEST: Duration = Duration::from_secs(2);
/// How long the page waits if an older result exists: events update the page later.
const PAGE: Duration = Duration::from_millis(50);

/// The last result, and a way to request a new one.
#[derive(Debug)]
pub(crate) struct Collector {
    found: watch::Sender<Arc<Snapshot>>,
    asked: Notify,
    lookers: AtomicUsize,
    /// Further messages about apps.
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

    /// Sets the further messages about apps.
    pub(crate) fn remark(&self, remarks: Vec<Silence>) {
        *self.remarks.lock().unwrap_or_else(PoisonError::into_inner) = remarks;
    }

    /// The result of a look at most about a second ago, or the last result if a new look takes too long.
    pub(crate) async fn fresh(&self) -> Arc<Snapshot> {
        self.within(REQUEST).await
    }

    /// As [`Collector::fresh`], but waits less long: the result may be a minute old if looks take long.
    pub(crate) async fn for_a_page(&self) -> Arc<Snapshot> {
        let is_known = self.found.borrow().taken.is_some();
        self.within(if is_known { PAGE } else { REQUEST }).await
    }

    async fn within(&self, patience: Duration) -> Arc<Snapshot> {
        let mut found = self.found.subscribe();
        let is_fresh = |found: &Arc<Snapshot>| found.taken.is_some_and(|taken| taken.elapsed() < PAUSE);
        if !is_fresh(&found.borrow()) {
            self.asked.notify_one();
            let _ = time::timeout(patience, found.wait_for(is_fresh)).await;
        }
        found.borrow().clone()
    }

    /// Asks the schedulers, and sends changes to `ring`. It never returns.
    pub(crate) async fn run(&self, world: World, ring: &Ring) {
        let (mut round, mut told) = (Round::new(world.clone()), Told::nothing(world));
        let (mut pace, mut is_asked) = (Pace::new(), false);
        loop {
            let mut wanted = self.next(&mut told, &round, &pace, &mut is_asked).await;
            if self.has_lookers() {
                wanted.everything |= told.begin();
            } else {
                told.end();
            }
            let (began, cpu) = (Instant::now(), cpu_time());
            if wanted.everything || wanted.changed.apps {
                told.watch_parents();
                round.list().await;
                told.know(round.apps());
            }
            let snapshot = round.look(&wanted).await;
            self.publish(snapshot, ring);
            let latest = if told.is_complete() { LATEST_TOLD } else { LATEST };
            pace.looked(&wanted, (began, cpu_time().saturating_sub(cpu)), latest);
            if wanted.everything {
                is_asked = false;
            }
        }
    }

    /// Waits for the next reason to look.
    async fn next(&self, told: &mut Told, round: &Round, pace: &Pace, is_asked: &mut bool) -> Wanted {
        time::sleep_until(pace.any).await;
        loop {
            let is_read = self.has_lookers();
            let soon = if round.is_waiting() { Some(time::Instant::now() + PAUSE) } else { None };
            let untold = if round.has_untold() { Some(pace.untold) } else { None };
            let untold = soon.into_iter().chain(untold).min().unwrap_or(pace.everything);
            tokio::select! {
                biased;
                () = time::sleep_until(pace.asked), if *is_asked => return Wanted::everything(),
                () = self.asked.notified(), if !*is_asked => *is_asked = true,
                () = time::sleep_until(pace.everything), if is_read => return Wanted::everything(),
                changed = told.changed(), if is_read => return Wanted { changed, ..Wanted::default() },
                () = time::sleep_until(untold), if is_read => return Wanted { untold: true, ..Wanted::default() },
            }
        }
    }

    fn has_lookers(&self) -> bool {
        self.lookers.load(Ordering::Relaxed) > 0
    }

    fn publish(&self, mut snapshot: Snapshot, ring: &Ring) {
        let remarks = self.remarks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        snapshot.silent.extend(remarks);
        if let Some(changes) = Changes::between(&self.found.borrow(), &snapshot)
            && let Ok(data) = serde_json::to_string(&changes)
        {
            ring.push("change", data);
        }
        snapshot.number = ring.newest();
        self.found.send_replace(Arc::new(snapshot));
    }
}

/// The times before and after which looks are made.
struct Pace {
    /// No look is made before this time.
    any: time::Instant,
    /// Not before this time is everything looked at because a request asks for it.
    asked: time::Instant,
    /// At this time everything is looked at in any case, because usage changes all the time, and a supervisor that was killed reports nothing.
    everything: time::Instant,
    /// At this time the apps are looked at whose schedulers report no changes.
    untold: time::Instant,
}

impl Pace {
    fn new() -> Self {
        let now = time::Instant::now();
        Self { any: now, asked: now, everything: now, untold: now }
    }

    /// Plans the next looks after one that began at this time and used this much CPU time. `latest`: everything has to be looked at again
    /// within this time.
    fn looked(&mut self, wanted: &Wanted, (began, used): (Instant, Duration), latest: Duration) {
        let (began, now) = (time::Instant::from_std(began), time::Instant::now());
        self.any = now + (used * REST).clamp(BREATH, DEEP_BREATH);
        if wanted.everything {
            self.asked = (began + PAUSE).max(now + (now - began) * REST);
            self.everything = (began + spared(used, latest)).max(self.asked);
        }
        if wanted.everything || wanted.untold {
            self.untold = began + spared(used, LATEST);
        }
    }
}

/// The pause between two looks that nobody asks for, after a look that used this much CPU time.
fn spared(used: Duration, latest: Duration) -> Duration {
    (used * SHARE).min(latest).max(PAUSE)
}

/// The CPU time that this process has used.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use app_watch::Changed;
    use formation::AppName;
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_look_that_costs_much_is_not_repeated_every_second() {
        let [ms, second] = [Duration::from_millis(1), Duration::from_secs(1)];
        assert_eq!(spared(4 * ms, LATEST_TOLD), second, "less than half a hundredth");
        assert_eq!(spared(75 * ms, LATEST_TOLD), 15 * second);
        assert_eq!(spared(75 * ms, LATEST), 5 * second);
        assert_eq!(spared(900 * ms, LATEST_TOLD), 30 * second);
        assert!(cpu_time() > Duration::ZERO);
    }

    #[test]
    fn what_is_told_is_looked_at_soon_after_a_look_that_cost_much() {
        let (mut pace, began) = (Pace::new(), Instant::now());
        pace.looked(&Wanted::everything(), (began, Duration::from_millis(150)), LATEST_TOLD);
        assert!(pace.any <= time::Instant::now() + PAUSE, "a change is shown within a second or so");
        assert_eq!(pace.everything, time::Instant::from_std(began) + LATEST_TOLD);
        assert_eq!(pace.untold, time::Instant::from_std(began) + LATEST);
        let before = pace.everything;
        pace.looked(&Wanted::default(), (Instant::now(), Duration::from_millis(1)), LATEST_TOLD);
        assert_eq!(pace.everything, before, "a look at one app does not put off the one at all");
    }

    /// The next look if it is due only in an hour, and `shop` changes meanwhile.
    async fn next_after_a_change(is_read: bool) -> Option<Wanted> {
        let place = tempfile::tempdir().expect("a directory");
        let world = World::new(place.path().join("home"), place.path().join("lib"));
        let shop: AppName = "shop".parse().expect("a name");
        world.create_app(&shop).expect("made");
        let service = world.data_dir("scheduler-native", &shop);
        std::fs::create_dir_all(&service).expect("made");
        std::fs::create_dir_all(world.kept_dir(&shop)).expect("made");
        let (mut round, mut told) = (Round::new(world.clone()), Told::nothing(world));
        assert!(told.begin() && !told.begin());
        told.watch_parents();
        round.list().await;
        told.know(round.apps());
        assert!(told.is_complete());
        round.look(&Wanted::everything()).await;
        let (collector, mut pace) = (Collector::new(), Pace::new());
        let looking = is_read.then(|| collector.look());
        collector.asked.notified().now_or_never();
        pace.looked(&Wanted::everything(), (Instant::now(), Duration::ZERO), LATEST);
        (pace.everything, pace.untold) = (pace.asked + 3600 * PAUSE, pace.asked + 3600 * PAUSE);
        std::fs::write(service.join("state"), "1").expect("written");
        let mut is_asked = false;
        let next = collector.next(&mut told, &round, &pace, &mut is_asked);
        let wanted = time::timeout(if is_read { 60 * PAUSE } else { PAUSE / 2 }, next).await.ok();
        drop(looking);
        wanted
    }

    #[tokio::test]
    async fn an_app_that_changes_is_looked_at_alone_and_long_before_all_are() {
        let wanted = next_after_a_change(true).await.expect("the system tells of it");
        let expected = Changed { states: ["shop".parse().expect("a name")].into(), ..Changed::default() };
        assert_eq!(wanted, Wanted { changed: expected, ..Wanted::default() });
    }

    #[tokio::test]
    async fn while_nobody_reads_events_a_change_is_no_reason_to_look() {
        assert_eq!(next_after_a_change(false).await, None);
    }
}
