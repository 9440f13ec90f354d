//! The apps, their instances, and the recent CPU and memory use of their processes.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use formation::{AppName, State};
use ps_rows::StatusRow;

use crate::message::{Answer, Used};

/// For how many seconds the CPU and memory use of a process is kept.
const KEPT: usize = 60;

/// The known state of all apps.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    pub(crate) apps: BTreeMap<AppName, App>,
    /// The usage by pid.
    usage: HashMap<u32, History>,
    /// Schedulers that have not answered for some seconds.
    pub(crate) slow: Vec<(String, u64)>,
}

/// An app.
#[derive(Debug, Default)]
pub(crate) struct App {
    /// The name of its scheduler, once that has answered.
    pub(crate) scheduler: Option<String>,
    pub(crate) rows: Vec<StatusRow>,
    pub(crate) troubles: Vec<String>,
    /// Why its scheduler did not answer the last question.
    pub(crate) silent: Option<String>,
}

/// The usage of a process, the newest last.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// CPU, in tenths of a percent of one CPU.
    pub(crate) cpu: VecDeque<u64>,
    /// Memory, in bytes.
    pub(crate) memory: VecDeque<u64>,
}

impl Fleet {
    /// Sets the existing apps.
    pub(crate) fn set_apps(&mut self, names: Vec<AppName>) {
        let names: BTreeSet<AppName> = names.into_iter().collect();
        self.apps.retain(|name, _| names.contains(name));
        for name in names {
            self.apps.entry(name).or_default();
        }
        self.forget_usage();
    }

    /// Takes an answer of a scheduler. An app that has been removed meanwhile is not added again.
    pub(crate) fn answer(&mut self, answer: Answer) {
        let Some(app) = self.apps.get_mut(&answer.app) else { return };
        let before: BTreeSet<u32> = app.rows.iter().filter_map(|row| row.pid).collect();
        let Answer { scheduler, rows, troubles, .. } = answer;
        *app = App { scheduler: Some(scheduler), rows, troubles, silent: None };
        for gone in before.iter().filter(|pid| !app.rows.iter().any(|row| row.pid == Some(**pid))) {
            self.usage.remove(gone);
        }
    }

    /// Records that a scheduler has not answered: its last answer stays, and is marked.
    pub(crate) fn silent(&mut self, scheduler: &str, apps: &[AppName], reason: &str) {
        for name in apps {
            if let Some(app) = self.apps.get_mut(name) {
                app.silent = Some(reason.to_owned());
                app.scheduler.get_or_insert_with(|| scheduler.to_owned());
            }
        }
    }

    /// Whether the shown state of an app may be out of date.
    pub(crate) fn is_stale(&self, app: &App) -> bool {
        let is_slow = |name: &String| self.slow.iter().any(|(slow, _)| slow == name);
        app.silent.is_some() || app.scheduler.as_ref().is_some_and(is_slow)
    }

    /// Adds measurements of processes.
    pub(crate) fn used(&mut self, used: Vec<(u32, Used)>) {
        for (pid, used) in used {
            let history = self.usage.entry(pid).or_default();
            push(&mut history.memory, used.memory_bytes);
            if let Some(percent) = used.cpu_percent {
                push(&mut history.cpu, tenths(percent));
            }
        }
    }

    pub(crate) fn history(&self, row: &StatusRow) -> Option<&History> {
        self.usage.get(&row.pid?)
    }

    /// The app with a process of this pid, as far as is known.
    pub(crate) fn app_of(&self, pid: u32) -> Option<&AppName> {
        let has = |app: &App| app.rows.iter().any(|row| row.pid == Some(pid));
        self.apps.iter().find(|(_, app)| has(app)).map(|(name, _)| name)
    }

    fn forget_usage(&mut self) {
        let alive: BTreeSet<u32> =
            self.apps.values().flat_map(|app| app.rows.iter().filter_map(|row| row.pid)).collect();
        self.usage.retain(|pid, _| alive.contains(pid));
    }

    /// Among all instances, how many run as they should, and how many should run.
    pub(crate) fn running(&self) -> (usize, usize) {
        let rows = || self.apps.values().flat_map(|app| &app.rows);
        let wanted = rows().filter(|row| row.state != State::Stopped.as_str());
        (rows().filter(|row| is_alive(row)).count(), wanted.count())
    }

    /// How many instances are in a state.
    pub(crate) fn count(&self, state: State) -> usize {
        self.apps.values().flat_map(|app| &app.rows).filter(|row| row.state == state.as_str()).count()
    }
}

impl App {
    /// The state of the app as a whole, in one or two words.
    pub(crate) fn word(&self) -> String {
        let alive = self.rows.iter().filter(|row| is_alive(row)).count();
        let is_rolling = self.rows.iter().any(|row| matches!(row.role, Some("incoming" | "leaving")));
        match self.rows.len() {
            0 if self.scheduler.is_none() => "asking".to_owned(),
            0 => "none".to_owned(),
            _ if is_rolling => "rolling".to_owned(),
            all if alive == all => "running".to_owned(),
            all if alive > 0 => format!("{alive} of {all}"),
            _ => self.worst().to_owned(),
        }
    }

    /// The most significant state of the instances, if none of them is alive.
    fn worst(&self) -> &'static str {
        let order =
            [State::Crashed, State::Missing, State::Unknown, State::Backoff, State::Waiting, State::Stopping];
        let has = |state: &&State| self.rows.iter().any(|row| row.state == state.as_str());
        let found = order.iter().find(has).map(|state| state.as_str());
        found.or(self.rows.first().map(|row| row.state)).unwrap_or_default()
    }
}

/// Whether an instance runs, or is about to.
pub(crate) fn is_alive(row: &StatusRow) -> bool {
    State::ALL.iter().any(|state| state.as_str() == row.state && state.is_in_order())
}

fn push(kept: &mut VecDeque<u64>, value: u64) {
    if kept.len() == KEPT {
        kept.pop_front();
    }
    kept.push_back(value);
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a percentage of some CPUs, never below zero"
)]
fn tenths(percent: f64) -> u64 {
    (percent.max(0.0) * 10.0).round() as u64
}

#[cfg(test)]
mod tests {
    use ps_scheduler::Instance;

    use super::*;

    fn row(state: State, pid: u32, role: Option<&'static str>) -> StatusRow {
        let instance = Instance { pid: Some(pid), ..Instance::new("web.1".parse().expect("a slot"), state) };
        StatusRow { role, ..StatusRow::of("native", "shop", instance) }
    }

    fn answered(fleet: &mut Fleet, rows: Vec<StatusRow>) {
        let app: AppName = "shop".parse().expect("a name");
        fleet.answer(Answer { app, scheduler: "native".to_owned(), rows, troubles: Vec::new() });
    }

    #[test]
    fn the_usage_of_a_process_is_kept_for_a_minute_and_not_after_it_is_gone() {
        let mut fleet = Fleet::default();
        fleet.set_apps(vec!["shop".parse().expect("a name")]);
        answered(&mut fleet, vec![row(State::Running, 7, None)]);
        for second in 0..100 {
            fleet.used(vec![(7, Used { cpu_percent: Some(f64::from(second)), memory_bytes: 1 })]);
        }
        let history = fleet.history(&row(State::Running, 7, None)).expect("it was measured");
        assert_eq!((history.cpu.len(), history.cpu.front()), (60, Some(&400)));
        answered(&mut fleet, vec![row(State::Running, 8, None)]);
        assert!(fleet.usage.is_empty());
        fleet.used(vec![(8, Used { cpu_percent: None, memory_bytes: 1 })]);
        fleet.set_apps(Vec::new());
        assert!(fleet.usage.is_empty() && fleet.apps.is_empty());
    }

    #[test]
    fn an_app_has_one_word_for_all_its_instances() {
        let word = |rows: Vec<StatusRow>| {
            App { scheduler: Some("native".to_owned()), rows, ..App::default() }.word()
        };
        assert_eq!(App::default().word(), "asking");
        assert_eq!(word(vec![]), "none");
        assert_eq!(word(vec![row(State::Running, 1, None), row(State::Crashed, 2, None)]), "1 of 2");
        assert_eq!(word(vec![row(State::Stopped, 1, None), row(State::Crashed, 2, None)]), "crashed");
        assert_eq!(word(vec![row(State::Stopped, 1, None)]), "stopped");
        let rolling =
            vec![row(State::Running, 1, Some("current")), row(State::Starting, 2, Some("incoming"))];
        assert_eq!(word(rolling), "rolling");
        assert_eq!(word(vec![row(State::Running, 1, Some("current"))]), "running");
    }
}
