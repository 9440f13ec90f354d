//! Scheduled runs while `watch` runs: each run is a container that is not an instance. The time is recorded as due
//! before its container is created, and as handled when the container runs. The name and the labels of the container
//! contain the time. So if the watch is killed in between, no run is lost: the next watch finds the container of a run
//! that was begun, and does not start it again.

use std::collections::BTreeMap;
use std::time::Duration;

use formation::{ProcessType, Slot};
use futures_util::FutureExt;
use futures_util::future::{AbortHandle, abortable};
use jiff::Timestamp;
use ps_engine::Container;
use ps_release::{Release, Source};

use crate::app::App;
use crate::schedule::{Begun, Clock, LOOK_AGAIN, Now};
use crate::schedule_file::{Scheduled, Schedules};
use crate::watch::{Happening, News, Watcher};
use crate::{cron, label};

impl<'a> Watcher<'a> {
    /// Takes over the schedules of an app, and checks the clock.
    pub(crate) async fn wind(&mut self, app: &App<'_>, release: Option<&Release>) {
        let (timetables, mut types) = (self.timetables, BTreeMap::new());
        for process in release.iter().flat_map(|release| &release.processes) {
            let Some((timetable, trouble)) = timetables(&process.settings) else { continue };
            let (name, process_type) = (app.name, &process.process_type);
            self.news
                .extend(trouble.map(|trouble| News::Say(format!("{process_type} of {name}: {trouble}"))));
            types.insert(process_type.clone(), timetable);
        }
        let is_run = |release: &&Release| matches!(release.source, Source::Image(_)) && !types.is_empty();
        let Some(release) = release.filter(is_run) else {
            self.clocks.remove(app.name);
            if !Schedules::read(app.world, app.name).types.is_empty() {
                self.keep_schedules(app, &Schedules::default());
            }
            return;
        };
        let clock = self.clocks.entry(app.name.clone()).or_insert_with(|| Clock::new(release));
        (clock.release, clock.types) = (release.clone(), types);
        self.turn(app).await;
    }

    /// Records ended runs, ends those that take too long, and starts those that are due.
    pub(crate) async fn turn(&mut self, app: &App<'_>) {
        if !self.clocks.contains_key(app.name) {
            return;
        }
        let [root, ours, _] = app.filters();
        let listed = match self.engine.list(&[root, ours]).await {
            Ok(listed) => listed,
            Err(fault) => return self.lose(&fault),
        };
        let Some(mut clock) = self.clocks.remove(app.name) else { return };
        let mut schedules = Schedules::read(app.world, app.name);
        let is_up = |container: &Container| label::is_instance(container) && container.state.is_alive();
        let is_restored = app.world.is_restored(app.name).unwrap_or(true);
        let is_stopped = !is_restored && !listed.iter().any(is_up);
        let is_first = std::mem::take(&mut clock.is_new);
        let now = Now { time: Timestamp::now(), is_stopped, is_first };
        let formation = app.world.formation(app.name).map(|stored| stored.wanted()).unwrap_or_default();
        schedules.take(now.time, &clock.wanted(&formation));
        let mut begins = Vec::new();
        for (process_type, timetable) in clock.types.clone() {
            let Some(scheduled) = schedules.types.get_mut(process_type.as_str()) else { continue };
            let is_meant = |container: &&Container| label::is_run_of(container, &process_type);
            let mine: Vec<&Container> = listed.iter().filter(is_meant).collect();
            let mut said = self.hear_of_ends(scheduled, &mine, &mut clock).await;
            // The verb that stops the app ends its runs.
            said.retain(|_| is_restored);
            let turn = clock.turn((&process_type, &timetable), scheduled, &mine, now);
            said.extend(turn.said);
            for what in said {
                self.tell(app, &process_type, scheduled, what);
            }
            begins.extend(turn.begins.map(|due| (process_type.clone(), scheduled.quantity, due)));
            for id in turn.ends {
                self.end_run(app, &mut clock, &process_type, id);
            }
        }
        // The schedules are written before any run is started.
        let is_written = self.keep_schedules(app, &schedules);
        for (process_type, quantity, due) in begins.into_iter().filter(|_| is_written) {
            clock.beginning.insert(process_type.clone());
            self.begin(app, &clock.release, process_type, (quantity, due));
        }
        self.arm(app, &mut clock, &schedules, &listed);
        self.clocks.insert(app.name.clone(), clock);
    }

    /// Handles that a run was started, or could not be.
    pub(crate) fn take_begun(&mut self, begun: Begun) {
        let Begun { app: name, process_type, result } = begun;
        let app = App { engine: self.engine, world: self.docker.world(), name: &name };
        if let Some(clock) = self.clocks.get_mut(&name) {
            clock.beginning.remove(&process_type);
        }
        let mut schedules = Schedules::read(app.world, &name);
        let Some(scheduled) = schedules.types.get_mut(process_type.as_str()) else { return };
        match result {
            // The run is looked at when its time is over.
            Ok(()) => {
                scheduled.note = None;
                self.look_soon(name.clone());
            }
            // The run stays due. Whether it was started is found out when the engine answers again.
            Err(fault) if fault.is_silence() => return self.lose(&fault),
            Err(fault) => {
                let what = format!("a run that was due could not be started: {fault}");
                self.tell(&app, &process_type, scheduled, what);
            }
        }
        scheduled.course.settle();
        self.keep_schedules(&app, &schedules);
    }

    /// Notes how runs have ended, and returns messages about them for people. The container of the last run is kept for
    /// its log.
    async fn hear_of_ends(
        &mut self,
        scheduled: &mut Scheduled,
        mine: &[&Container],
        clock: &mut Clock,
    ) -> Vec<String> {
        let is_over = |container: &&&Container| container.is_over && label::is_cron(container);
        let mut over: Vec<&&Container> = mine.iter().filter(is_over).collect();
        over.sort_by_key(|container| (label::due(container), &container.name));
        let Some(newest) = over.last().map(|container| container.id.clone()) else { return Vec::new() };
        let mut said = Vec::new();
        if scheduled.heard != newest {
            for container in over.iter().filter(|container| container.id != scheduled.heard) {
                let owed = scheduled.course.owed().map(Timestamp::as_second);
                if owed.is_some() && owed == label::due(container) {
                    scheduled.course.settle();
                }
                let failed = container.last_exit.filter(|exit| !exit.is_success());
                let was_told_to_end = clock.ending.remove(&container.id);
                said.extend(
                    failed.filter(|_| !was_told_to_end).map(|exit| format!("its run failed: {exit}")),
                );
                (scheduled.last_exit, scheduled.last_lines) = (container.last_exit, Vec::new());
                if failed.is_some() {
                    scheduled.last_lines = self.engine.last_lines(&container.id, cron::LAST_LINES).await;
                }
            }
        }
        scheduled.heard.clone_from(&newest);
        for container in over.iter().filter(|container| container.id != newest) {
            // If this fails, the next look tries again.
            let _ = self.engine.remove(&container.id).await;
        }
        said
    }

    fn begin(
        &mut self,
        app: &App<'_>,
        release: &Release,
        process_type: ProcessType,
        (quantity, due): (u16, Timestamp),
    ) {
        let (engine, root, app) = (self.engine, app.world.root().to_owned(), app.name.clone());
        let release = release.clone();
        self.happen(async move {
            let mut result = Ok(());
            for index in 1..=quantity {
                let slot = Slot::new(process_type.clone(), index);
                let begun = cron::begin(engine, &root, &release, &slot, due).await;
                result = result.and(begun);
            }
            Happening::Begun(Begun { app, process_type, result })
        });
    }

    fn end_run(&mut self, app: &App<'_>, clock: &mut Clock, process_type: &ProcessType, id: String) {
        clock.ending.insert(id.clone());
        let grace = clock.release.grace(process_type);
        let (engine, name) = (self.engine, app.name.clone());
        self.happen(async move {
            match engine.stop(&id, grace).await {
                Err(fault) if !fault.is_gone() && !fault.is_conflict() => {
                    Happening::Say(format!("a run of {name} would not end: {fault}"))
                }
                _ => Happening::Look(name),
            }
        });
    }

    /// Has the watch wake at the next due time, or when the time of a run is over.
    fn arm(&mut self, app: &App<'_>, clock: &mut Clock, schedules: &Schedules, listed: &[Container]) {
        clock.alarm.take().iter().for_each(AbortHandle::abort);
        let now = Timestamp::now();
        let until = |next: Timestamp| Duration::try_from(next.duration_since(now)).unwrap_or_default();
        let due = schedules.types.values().filter_map(|scheduled| scheduled.course.next()).map(until);
        let is_timed = |container: &&Container| {
            label::is_cron(container) && container.may_serve() && !clock.ending.contains(&container.id)
        };
        let late = listed.iter().filter(is_timed).filter_map(cron::time_left);
        let next = due.chain(late).min().unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN);
        let name = app.name.clone();
        let (alarm, handle) = abortable(tokio::time::sleep(next).map(move |()| Happening::Look(name)));
        clock.alarm = Some(handle);
        self.happen(alarm.map(|rung| rung.unwrap_or(Happening::Nothing)));
    }

    fn tell(&mut self, app: &App<'_>, process_type: &ProcessType, scheduled: &mut Scheduled, what: String) {
        scheduled.note = Some(what.clone());
        let slot = Slot::new(process_type.clone(), 1);
        self.news.push(News::Scheduled { app: app.name.clone(), slot, what });
    }

    fn keep_schedules(&mut self, app: &App<'_>, schedules: &Schedules) -> bool {
        let written = schedules.write(app.world, app.name);
        if let Err(error) = &written {
            self.news.push(News::Say(format!("no scheduled run of {} is started: {error}", app.name)));
        }
        written.is_ok()
    }

    pub(crate) fn happen(&mut self, happening: impl Future<Output = Happening> + 'a) {
        self.happenings.push(Box::pin(happening));
    }
}
