//! Watches containers by one connection to the engine's events, and by the checks of type liveness and readiness. It
//! returns the actions that are needed, and the caller carries them out. It examines an app when the watch begins, when
//! the engine answers again, and when an event concerns one of its containers; in between it sleeps. It changes no
//! container and no record; it only writes `watch.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::net::UnixStream as StdStream;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use formation::{AppName, Slot};
use futures_util::future::{AbortHandle, abortable};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, Stream, StreamExt};
use ps_apps::SchedulerName;
use ps_engine::{Engine, Fault, Happened};
use ps_scheduler::Error;
use tokio::net::UnixStream;

use crate::app::App;
use crate::docker_local::DockerLocal;
use crate::label;
use crate::on_failure;
use crate::schedule::{Begun, Clock, LOOK_AGAIN};
use crate::schedule_file::Timetables;
use crate::watch_rounds::Round;

/// The kinds of events that are requested. The engine also reports each command that a check executes in a container,
/// so other kinds are left out.
const KINDS: [&str; 7] = ["start", "die", "destroy", "rename", "pause", "unpause", "update"];
/// How long after an event an app is looked at: events that belong together come within this time.
const TOGETHER: Duration = Duration::from_millis(200);
/// How long after that the app is looked at a second time.
const AFTERWARDS: Duration = Duration::from_secs(3);
/// The pause before an engine that does not answer is asked again. It is doubled each time up to the longest one.
const SOON: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(30);
/// How long a check is not repeated after its failure has caused an action, because the action takes time.
const REST: Duration = Duration::from_secs(30);

/// A message of a watcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// An action is needed.
    Do(Deed),
    /// An event, as a sentence for people.
    Say(String),
    /// An event of a scheduled run, for people and for the journal.
    Scheduled {
        /// The app.
        app: AppName,
        /// The slot.
        slot: Slot,
        /// The event, as one sentence.
        what: String,
    },
}

/// An action that is needed for an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// The app.
    pub app: AppName,
    /// The action.
    pub what: What,
    /// The reason, for people.
    pub why: String,
}

/// The kinds of actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Replace this container by another one.
    Replace(Slot, Id),
    /// Start an instance again. This container of it does not run any more.
    Start(Slot, Id),
    /// Record the addresses of the app's containers again.
    Redirect,
}

/// The id of a container.
pub type Id = String;

/// Watches the containers of the apps of one `World`.
pub struct Watcher<'a> {
    pub(crate) docker: &'a DockerLocal,
    pub(crate) engine: &'a Engine,
    only: Option<AppName>,
    pub(crate) timetables: Timetables,
    pub(crate) happenings: FuturesUnordered<Pin<Box<dyn Future<Output = Happening> + 'a>>>,
    /// The running containers, by app and instance.
    pub(crate) tracked: BTreeMap<(AppName, Slot), Tracked>,
    /// The numbers of the readiness checks that fail, for instances that have any.
    unready: BTreeMap<(AppName, Slot), BTreeSet<usize>>,
    /// The apps that are about to be looked at.
    looks: BTreeSet<AppName>,
    /// The apps that are looked at a second time afterwards: a busy engine reports the end of a container before its
    /// list shows it.
    again: BTreeSet<AppName>,
    /// The containers for which an action is in progress.
    pub(crate) ordered: BTreeSet<Id>,
    pub(crate) news: Vec<News>,
    /// Becomes readable when the caller has to be woken.
    wake: StdStream,
    /// Whether this watcher waits for `wake`.
    is_wakeful: bool,
    /// The pause before the engine is asked again; `None` while it answers.
    away: Option<Duration>,
    /// The containers that ran when the engine stopped answering.
    pub(crate) missed: BTreeMap<(AppName, Slot), String>,
    /// The scheduled types of each app.
    pub(crate) clocks: BTreeMap<AppName, Clock>,
    /// The time of each app's app.json at the last look: a deploy need not make a container.
    stamps: BTreeMap<AppName, Option<SystemTime>>,
}

/// A check of a container: whether it is a liveness check, and its number.
type Which = (bool, usize);

/// A running container.
pub(crate) struct Tracked {
    pub(crate) id: String,
    rounds: BTreeMap<Which, AbortHandle>,
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.rounds.values().for_each(AbortHandle::abort);
    }
}

type Events = Pin<Box<dyn Stream<Item = Result<Happened, Fault>>>>;

/// An event that a watcher waits for.
pub(crate) enum Happening {
    /// The caller wants to be woken.
    Woken,
    /// The engine has reported an event, or the connection has ended.
    Told(Option<Result<Happened, Fault>>, Events),
    /// It is time to look at an app.
    Look(AppName),
    /// The result of a check has changed.
    Changed(Box<Round>, Result<(), String>),
    /// A sentence for people.
    Say(String),
    /// A scheduled run was started, or could not be.
    Begun(Begun),
    /// It is time to look for a release that has made no container.
    Tick,
    /// It is time to ask whether the engine answers.
    Return,
    /// An event that does not matter any more.
    Nothing,
}

impl<'a> Watcher<'a> {
    /// A watcher of one app, or of all; [`Self::wait`] returns when `wake` becomes readable.
    pub fn new(
        docker: &'a DockerLocal,
        only: Option<AppName>,
        wake: StdStream,
        timetables: Timetables,
    ) -> Result<Self, Error> {
        let happenings = FuturesUnordered::new();
        happenings.push(Box::pin(std::future::ready(Happening::Return)) as Pin<Box<dyn Future<Output = _>>>);
        happenings.push(Box::pin(std::future::ready(Happening::Tick)));
        Ok(Self {
            docker,
            engine: docker.engine()?,
            only,
            timetables,
            happenings,
            tracked: BTreeMap::new(),
            unready: BTreeMap::new(),
            looks: BTreeSet::new(),
            again: BTreeSet::new(),
            ordered: BTreeSet::new(),
            news: Vec::new(),
            wake,
            is_wakeful: false,
            away: Some(Duration::ZERO),
            missed: BTreeMap::new(),
            clocks: BTreeMap::new(),
            stamps: BTreeMap::new(),
        })
    }

    /// Waits until there is news, or the caller is woken.
    pub fn wait(&mut self) -> Vec<News> {
        let engine = self.engine;
        engine.run(async {
            if !std::mem::replace(&mut self.is_wakeful, true) {
                let woken = self.woken();
                self.happenings.push(Box::pin(woken));
            }
            while self.news.is_empty() {
                match self.happenings.next().await {
                    None => break,
                    Some(Happening::Woken) => {
                        self.is_wakeful = false;
                        break;
                    }
                    Some(happening) => self.take(happening).await,
                }
            }
        });
        std::mem::take(&mut self.news)
    }

    /// Reports that an action has been carried out, or has failed. If an instance was to be started, its app is looked
    /// at again.
    pub fn ended(&mut self, deed: &Deed) {
        let (What::Replace(_, id) | What::Start(_, id)) = &deed.what else { return };
        self.ordered.remove(id);
        let engine = self.engine;
        engine.run(async { self.look_soon(deed.app.clone()) });
    }

    /// Becomes ready when the caller has to be woken. All bytes that can be read are read.
    fn woken(&self) -> impl Future<Output = Happening> + use<> {
        let stream = self.wake.try_clone().and_then(|stream| {
            stream.set_nonblocking(true)?;
            UnixStream::from_std(stream)
        });
        async move {
            let Ok(stream) = stream else { return Happening::Nothing };
            let _ = stream.readable().await;
            while stream.try_read(&mut [0; 64]).is_ok_and(|read| read > 0) {}
            Happening::Woken
        }
    }

    async fn take(&mut self, happening: Happening) {
        match happening {
            Happening::Woken | Happening::Nothing | Happening::Told(None, _) => (),
            Happening::Told(Some(Ok(happened)), events) => {
                self.listen(events);
                self.take_event(&happened);
            }
            Happening::Told(Some(Err(fault)), _) => self.lose(&fault),
            Happening::Look(app) => {
                self.looks.remove(&app);
                if !self.is_watched(&app) {
                    self.clocks.remove(&app);
                    return;
                }
                self.look_at(&app).await;
                if self.again.remove(&app) {
                    self.look_in(AFTERWARDS, app);
                }
            }
            Happening::Changed(round, known) => self.take_change(*round, known),
            Happening::Say(line) => self.news.push(News::Say(line)),
            Happening::Begun(begun) => self.take_begun(begun),
            Happening::Tick => self.look_for_releases(),
            Happening::Return => self.come_back().await,
        }
    }

    fn listen(&self, mut events: Events) {
        self.happenings.push(Box::pin(async move {
            let told = events.next().await;
            Happening::Told(told, events)
        }));
    }

    fn take_event(&mut self, happened: &Happened) {
        let app = happened.label(label::APP).and_then(|name| name.parse().ok());
        if let Some(app) = app.filter(|app| self.is_watched(app)) {
            self.again.insert(app.clone());
            self.look_soon(app);
        }
    }

    fn is_watched(&self, app: &AppName) -> bool {
        let is_meant = self.only.as_ref().is_none_or(|only| only == app);
        let world = self.docker.world();
        let is_ours = || world.scheduler_name(app).is_ok_and(|name| name == SchedulerName::DockerLocal);
        is_meant && world.is_app(app).unwrap_or(false) && is_ours()
    }

    pub(crate) fn look_soon(&mut self, app: AppName) {
        self.look_in(TOGETHER, app);
    }

    /// Looks at an app after this time, unless a look at it is planned already.
    pub(crate) fn look_in(&mut self, pause: Duration, app: AppName) {
        if self.looks.insert(app.clone()) {
            let look = tokio::time::sleep(pause).map(|()| Happening::Look(app));
            self.happenings.push(Box::pin(look));
        }
    }

    /// Handles that the engine does not answer: waits for it. No check is made meanwhile.
    pub(crate) fn lose(&mut self, fault: &Fault) {
        if self.away.is_some() {
            return;
        }
        // Runs that become due meanwhile are handled when the engine answers again.
        self.clocks.clear();
        let running = std::mem::take(&mut self.tracked);
        self.missed.extend(running.iter().map(|(place, tracked)| (place.clone(), tracked.id.clone())));
        self.away = Some(SOON);
        self.news.push(News::Say(format!("{fault}; it is waited for")));
        self.happenings.push(Box::pin(tokio::time::sleep(SOON).map(|()| Happening::Return)));
    }

    /// Asks whether the engine answers, and looks at all apps if it does.
    async fn come_back(&mut self) {
        let Some(pause) = self.away else { return };
        // Events that happen while the containers are listed are requested again.
        let since = SystemTime::now();
        let deployed = [label::DEPLOYED.to_owned()];
        if let Err(fault) = self.engine.list(&deployed).await {
            if pause.is_zero() {
                self.news.push(News::Say(format!("{fault}; it is waited for")));
            }
            let next = (pause * 2).clamp(SOON, LATEST);
            self.away = Some(next);
            self.happenings.push(Box::pin(tokio::time::sleep(next).map(|()| Happening::Return)));
            return;
        }
        if !pause.is_zero() {
            self.news.push(News::Say("the Docker engine answers again".to_owned()));
        }
        self.away = None;
        self.listen(Box::pin(self.engine.happened(&deployed, &KINDS, since)));
        let by_schedule = [format!("{}={}", label::CONTAINER_TYPE, label::CRON)];
        self.listen(Box::pin(self.engine.happened(&by_schedule, &["die"], since)));
        self.watched().into_iter().for_each(|app| self.look_soon(app));
    }

    fn watched(&self) -> Vec<AppName> {
        let apps = self.docker.world().apps().unwrap_or_default();
        apps.into_iter().map(|app| app.name).filter(|app| self.is_watched(app)).collect()
    }

    /// Looks at each app whose recorded app.json has changed.
    fn look_for_releases(&mut self) {
        for app in self.watched() {
            let recorded = std::fs::metadata(self.docker.world().app_json_path(&app));
            let stamp = recorded.and_then(|recorded| recorded.modified()).ok();
            if self.stamps.insert(app.clone(), stamp).is_some_and(|before| before != stamp)
                && self.away.is_none()
            {
                self.look_soon(app);
            }
        }
        self.happen(tokio::time::sleep(LOOK_AGAIN).map(|()| Happening::Tick));
    }

    /// Begins to repeat a check.
    fn ask(&mut self, round: Round) -> (Which, AbortHandle) {
        let (engine, which) = (self.engine, (round.is_liveness, round.index));
        let (asked, handle) = abortable(async move {
            let known = round.until_it_changes(engine).await;
            Happening::Changed(Box::new(round), known)
        });
        self.happenings.push(Box::pin(asked.map(|asked| asked.unwrap_or(Happening::Nothing))));
        (which, handle)
    }

    /// Handles that a check has failed, or holds again.
    fn take_change(&mut self, round: Round, known: Result<(), String>) {
        let place = (round.app.clone(), round.slot.clone());
        if self.tracked.get(&place).is_none_or(|tracked| tracked.id != round.subject.id) {
            return;
        }
        let has_failed = known.is_err();
        match known {
            Err(failure) => self.take_failure(&round, &place, failure),
            Ok(()) if round.check.only_warns || round.is_liveness => (),
            Ok(()) => self.take_recovery(&round, &place),
        }
        let pause = round.check.wait;
        // A container that fails its liveness check is replaced; if that fails, the check is repeated after a while.
        let next = if round.is_liveness && has_failed {
            Round { has_failed: false, pause: REST.max(pause), ..round }
        } else {
            Round { has_failed, pause, ..round }
        };
        let (which, handle) = self.ask(next);
        if let Some(tracked) = self.tracked.get_mut(&place) {
            tracked.rounds.insert(which, handle);
        }
    }

    fn take_failure(&mut self, round: &Round, place: &(AppName, Slot), failure: String) {
        self.run_on_failure(round);
        if round.check.only_warns {
            self.news.push(News::Say(format!("warning: {} of {} {failure}", round.slot, round.app)));
        } else if round.is_liveness {
            let what = What::Replace(round.slot.clone(), round.subject.id.clone());
            self.order(&round.app, what, failure);
        } else {
            self.unready.entry(place.clone()).or_default().insert(round.index);
            self.withdraw(round, &failure);
        }
    }

    fn take_recovery(&mut self, round: &Round, place: &(AppName, Slot)) {
        let failing = self.unready.entry(place.clone()).or_default();
        failing.remove(&round.index);
        if failing.is_empty() {
            self.lead_back(round);
        }
    }

    fn run_on_failure(&mut self, round: &Round) {
        if round.check.on_failure.is_empty() {
            return;
        }
        let (docker, engine, round) = (self.docker, self.engine, round.clone());
        self.happenings.push(Box::pin(async move {
            let app = App { engine, world: docker.world(), name: &round.app };
            let said = on_failure::run(&app, &round.slot, &round.subject.id, &round.check).await;
            said.map_or(Happening::Nothing, Happening::Say)
        }));
    }

    pub(crate) fn order(&mut self, app: &AppName, what: What, why: String) {
        let is_new = match &what {
            What::Replace(_, id) | What::Start(_, id) => self.ordered.insert(id.clone()),
            What::Redirect => true,
        };
        if !is_new {
            return;
        }
        self.news.push(News::Do(Deed { app: app.clone(), what, why }));
    }

    /// Adds a container whose checks are made from now on.
    pub(crate) fn track(&mut self, place: (AppName, Slot), id: String, rounds: Vec<Round>) {
        self.unready.remove(&place);
        let failing = rounds.iter().filter(|round| round.has_failed).map(|round| round.index);
        let failing: BTreeSet<usize> = failing.collect();
        if !failing.is_empty() {
            self.unready.insert(place.clone(), failing);
        }
        let rounds = rounds.into_iter().map(|round| self.ask(round)).collect();
        self.tracked.insert(place, Tracked { id, rounds });
    }
}
