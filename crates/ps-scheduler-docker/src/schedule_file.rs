//! `data/scheduler-docker-local/<app>/schedule.json`: the progress of an app's schedules, and the results of their last
//! runs. `watch` writes it before it starts a run, and continues from it. A file of another version, or one that cannot
//! be read, is ignored.

use std::collections::BTreeMap;
use std::path::Path;

use formation::{AppName, Exit, ProcessType, Quantity, Slot, State};
use jiff::Timestamp;
use ps_apps::World;
use ps_release::{Release, Source};
use ps_scheduler::{Instance, Over};
use serde::{Deserialize, Serialize};
use timetable::{Course, Timetable};
use type_settings::TypeSettings;

use crate::docker_local::DockerLocal;
use crate::watch_notes;

const FILE: &str = "schedule.json";
const FORMAT: u8 = 1;

/// Computes the timetable of a type with these settings, and the problem with its time zone if there is one. `None`:
/// the type has no schedule.
pub type Timetables = fn(&TypeSettings) -> Option<(Timetable, Option<String>)>;

/// The content of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Schedules {
    format: u8,
    /// The scheduled types.
    #[serde(default)]
    pub(crate) types: BTreeMap<String, Scheduled>,
}

/// A scheduled process type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Scheduled {
    /// The progress of its schedule.
    pub(crate) course: Course,
    /// How many containers run each time.
    #[serde(default)]
    pub(crate) quantity: u16,
    /// The container of its last run that has ended.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) heard: String,
    /// How that run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_exit: Option<Exit>,
    /// The last lines of that run, if it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) last_lines: Vec<String>,
    /// What happened to the type, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) note: Option<String>,
}

impl Scheduled {
    /// A type that has had no run.
    pub(crate) fn new(timetable: &Timetable, quantity: u16) -> Self {
        let course = Course::begin(timetable, Timestamp::now());
        Self { course, quantity, heard: String::new(), last_exit: None, last_lines: Vec::new(), note: None }
    }
}

impl Schedules {
    /// The content of an app's file.
    pub(crate) fn read(world: &World, app: &AppName) -> Self {
        let read: Option<Self> = watch_notes::read(world, app, FILE);
        read.filter(|schedules| schedules.format == FORMAT).unwrap_or_default()
    }

    /// Writes the file, if its content has changed. An app without a scheduled type has no file.
    pub(crate) fn write(&self, world: &World, app: &AppName) -> Result<(), ps_apps::Error> {
        if self.types.is_empty() {
            forget(&watch_notes::directory(world, app));
            return Ok(());
        }
        let written = Self { format: FORMAT, ..self.clone() };
        if written == Self::read(world, app) {
            return Ok(());
        }
        watch_notes::write(world, app, FILE, &written)
    }

    /// Takes over the present schedules. A type whose schedule is unchanged keeps its progress.
    pub(crate) fn take(&mut self, now: Timestamp, wanted: &[(ProcessType, Timetable, u16)]) {
        self.types.retain(|name, _| wanted.iter().any(|(wanted, ..)| wanted.as_str() == name));
        for (process_type, timetable, quantity) in wanted {
            let scheduled = self.types.remove(process_type.as_str());
            let mut scheduled = scheduled.unwrap_or_else(|| Scheduled::new(timetable, *quantity));
            scheduled.course = scheduled.course.carried_on(timetable, now);
            scheduled.quantity = *quantity;
            self.types.insert(process_type.to_string(), scheduled);
        }
    }

    /// The rows of a status for the scheduled types without a running container. `is_stopped`: the whole app was
    /// stopped by hand.
    pub(crate) fn rows(&self, is_stopped: bool) -> Vec<Instance> {
        let named = self.types.iter().filter_map(|(name, scheduled)| Some((name.parse().ok()?, scheduled)));
        let rows = named.flat_map(|(process_type, scheduled): (ProcessType, _)| {
            (1..=scheduled.quantity).map(move |index| scheduled.row(&process_type, index, is_stopped))
        });
        rows.collect()
    }
}

impl Scheduled {
    fn row(&self, process_type: &ProcessType, index: u16, is_stopped: bool) -> Instance {
        let state = if is_stopped { State::Stopped } else { State::Scheduled };
        Instance {
            next: self.course.next().filter(|_| !is_stopped),
            over: is_stopped.then_some(Over::StoppedByHand),
            last_exit: self.last_exit,
            last_lines: self.last_lines.clone(),
            note: self.note.clone(),
            ..Instance::new(Slot::new(process_type.clone(), index), state)
        }
    }
}

impl DockerLocal {
    /// Records the schedules of a deployed release, if no `watch` runs.
    ///
    /// # Errors
    /// The file cannot be written, or the formation cannot be read.
    pub fn note_schedules(&self, release: &Release, timetables: Timetables) -> Result<(), ps_apps::Error> {
        let (world, app) = (self.world(), &release.app);
        let mut schedules = Schedules::read(world, app);
        let formation = release.with_tasks(&world.formation(app)?.wanted());
        let wanted = release.processes.iter().filter_map(|process| {
            let (timetable, _) = timetables(&process.settings)?;
            let quantity = formation.get(process.process_type.as_str()).map_or(0, Quantity::get);
            Some((process.process_type.clone(), timetable, quantity))
        });
        let is_run = matches!(release.source, Source::Image(_));
        let wanted: Vec<_> = wanted.filter(|_| is_run).collect();
        schedules.take(Timestamp::now(), &wanted);
        schedules.write(world, app)
    }
}

/// Removes the file of an app that is destroyed.
pub(crate) fn forget(directory: &Path) {
    let _ = std::fs::remove_file(directory.join(FILE));
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::watch_notes::directory;

    fn wanted(schedule: &str) -> [(ProcessType, Timetable, u16); 1] {
        let schedule = schedule.parse().expect("a schedule");
        let timetable = Timetable { schedule, zone: TimeZone::UTC, zone_name: "UTC".to_owned() };
        [(ProcessType::of_legal("cron-1"), timetable, 1)]
    }

    #[test]
    fn what_is_written_goes_on_until_its_schedule_is_another_one() {
        let place = tempfile::tempdir().expect("a directory");
        let world = World::new(place.path().join("home"), place.path().join("lib"));
        let app: AppName = "shop".parse().expect("a name");
        std::fs::create_dir_all(directory(&world, &app)).expect("a directory");
        let (first, later): (Timestamp, Timestamp) = (
            "2026-11-26T12:00:00Z".parse().expect("a time"),
            "2026-11-27T12:00:00Z".parse().expect("a time"),
        );
        let mut schedules = Schedules::default();
        schedules.take(first, &wanted("@daily"));
        let name = "cron-1";
        schedules.types.get_mut(name).expect("it was taken in").note = Some("it failed".to_owned());
        schedules.write(&world, &app).expect("written");
        let mut read = Schedules::read(&world, &app);
        read.take(later, &wanted("@daily"));
        assert_eq!(read.types, schedules.types, "its course and its note go on");
        read.take(later, &wanted("@hourly"));
        assert_ne!(read.types[name].course, schedules.types[name].course);
        read.take(later, &[]);
        read.write(&world, &app).expect("written");
        assert!(!directory(&world, &app).join(FILE).exists());
    }
}
