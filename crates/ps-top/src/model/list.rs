//! The list: a line for each app and, below it, one for each of its instances; which of them are shown, and which is
//! selected.

use formation::{AppName, Slot};
use ps_rows::StatusRow;

use crate::model::fleet::{App, Fleet};
use crate::subject::Subject;

/// A line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) app: AppName,
    /// The index of the app's row; `None` for the app as a whole.
    pub(crate) row: Option<usize>,
}

/// The list.
#[derive(Debug, Default)]
pub(crate) struct List {
    pub(crate) places: Vec<Place>,
    /// The index of the selected line.
    pub(crate) at: usize,
    /// The index of the first visible line.
    pub(crate) first: usize,
    /// The filter, as it was typed.
    pub(crate) filter: String,
    /// The selection, which is kept while the list changes: an app, and the slot and run of an instance.
    chosen: Option<(AppName, Option<Chosen>)>,
}

/// An instance, by its slot and its run.
type Chosen = (String, Option<u64>);

impl List {
    /// Makes the list again. The selection stays if it still exists; else the line in its place is selected.
    pub(crate) fn arrange(&mut self, fleet: &Fleet) {
        self.places.clear();
        let looked_for = self.filter.to_lowercase();
        for (name, app) in &fleet.apps {
            let is_app_meant = name.as_str().contains(&looked_for);
            let rows: Vec<usize> = (0..app.rows.len())
                .filter(|at| is_app_meant || is_meant(&app.rows[*at], &looked_for))
                .collect();
            if !is_app_meant && rows.is_empty() {
                continue;
            }
            self.places.push(Place { app: name.clone(), row: None });
            self.places.extend(rows.into_iter().map(|row| Place { app: name.clone(), row: Some(row) }));
        }
        self.at = self.found(fleet).unwrap_or(self.at).min(self.places.len().saturating_sub(1));
        self.note(fleet);
    }

    /// The index of the selection in the new list. A slot whose run has ended is still the same slot.
    fn found(&self, fleet: &Fleet) -> Option<usize> {
        let (app, chosen) = self.chosen.as_ref()?;
        let begin = self.places.partition_point(|place| place.app < *app);
        let end = self.places.partition_point(|place| place.app <= *app);
        let of_app = &self.places[begin..end];
        let Some((slot, run)) = chosen else { return (!of_app.is_empty()).then_some(begin) };
        let row = |place: &Place| fleet.apps.get(app)?.rows.get(place.row?);
        let is_slot = |place: &Place| row(place).is_some_and(|row| slot_of(row) == *slot);
        let is_run = |place: &Place| is_slot(place) && row(place).is_some_and(|row| row.run == *run);
        let at = of_app.iter().position(is_run).or_else(|| of_app.iter().position(is_slot));
        at.map(|at| begin + at)
    }

    fn note(&mut self, fleet: &Fleet) {
        self.chosen = self.places.get(self.at).map(|place| {
            let row = row_of(fleet, place);
            (place.app.clone(), row.map(|row| (slot_of(row), row.run)))
        });
    }

    /// Selects another line, this far below the selected one.
    pub(crate) fn go(&mut self, by: isize, fleet: &Fleet) {
        let last = self.places.len().saturating_sub(1);
        self.at = self.at.saturating_add_signed(by).min(last);
        self.note(fleet);
    }

    /// Scrolls so that the selected line is visible, if this many lines are.
    pub(crate) fn scroll(&mut self, room: usize) {
        let room = room.max(1);
        self.first = self.first.min(self.at).max((self.at + 1).saturating_sub(room));
        self.first = self.first.min(self.places.len().saturating_sub(room));
    }

    /// The selected app or instance.
    pub(crate) fn subject(&self) -> Option<Subject> {
        let (app, chosen) = self.chosen.as_ref()?;
        let slot = chosen.as_ref().and_then(|(slot, _)| slot.parse::<Slot>().ok());
        Some(Subject { app: app.clone(), slot })
    }

    /// The row of the selected instance.
    pub(crate) fn row<'a>(&self, fleet: &'a Fleet) -> Option<&'a StatusRow> {
        row_of(fleet, self.places.get(self.at)?)
    }
}

/// The row of a line of the list.
pub(crate) fn row_of<'a>(fleet: &'a Fleet, place: &Place) -> Option<&'a StatusRow> {
    fleet.apps.get(&place.app)?.rows.get(place.row?)
}

/// `web.1`
pub(crate) fn slot_of(row: &StatusRow) -> String {
    format!("{}.{}", row.process_type, row.index)
}

/// `web.1`; while the slot has two runs, with the run and its role: `web.1@17 incoming`.
pub(crate) fn name_of(app: &App, row: &StatusRow) -> String {
    let is_same = |other: &&StatusRow| (&other.process_type, other.index) == (&row.process_type, row.index);
    match (row.run, row.compared.or(row.role)) {
        (Some(run), Some(role)) if app.rows.iter().filter(is_same).count() > 1 || row.compared.is_some() => {
            format!("{}@{run} {role}", slot_of(row))
        }
        _ => slot_of(row),
    }
}

fn is_meant(row: &StatusRow, looked_for: &str) -> bool {
    format!("{} {} {}", row.app, slot_of(row), row.state).contains(looked_for)
}

#[cfg(test)]
mod tests {
    use formation::State;
    use ps_scheduler::Instance;

    use super::*;
    use crate::message::Answer;

    fn fleet(apps: &[(&str, &[(&str, u64)])]) -> Fleet {
        let mut fleet = Fleet::default();
        fleet.set_apps(apps.iter().map(|(name, _)| name.parse().expect("a name")).collect());
        for (name, slots) in apps {
            let row = |(slot, run): &(&str, u64)| {
                let instance = Instance::new(slot.parse().expect("a slot"), State::Running);
                StatusRow { run: Some(*run), ..StatusRow::of("native", name, instance) }
            };
            let rows = slots.iter().map(row).collect();
            let app = name.parse().expect("a name");
            fleet.answer(Answer { app, scheduler: "native".to_owned(), rows, troubles: Vec::new() });
        }
        fleet
    }

    fn chosen(list: &List) -> String {
        list.subject().map(|subject| subject.to_string()).unwrap_or_default()
    }

    #[test]
    fn what_is_chosen_stays_chosen_while_the_list_changes_around_it() {
        let mut list = List::default();
        list.arrange(&fleet(&[("b", &[("web.1", 1), ("web.2", 2)])]));
        list.go(2, &fleet(&[("b", &[("web.1", 1), ("web.2", 2)])]));
        assert_eq!(chosen(&list), "b web.2");
        list.arrange(&fleet(&[("a", &[("web.1", 1)]), ("b", &[("web.1", 1), ("web.2", 3)])]));
        assert_eq!((chosen(&list).as_str(), list.at), ("b web.2", 4));
        list.arrange(&fleet(&[("a", &[("web.1", 1)])]));
        assert_eq!(chosen(&list), "a web.1", "what stands last is chosen instead");
        list.arrange(&Fleet::default());
        assert_eq!((chosen(&list).as_str(), list.at), ("", 0));
    }

    #[test]
    fn a_filter_is_about_apps_instances_and_states() {
        let fleet = fleet(&[("blog", &[("web.1", 1)]), ("shop", &[("web.1", 1), ("job.1", 2)])]);
        for (filter, places) in [("", 5), ("shop", 3), ("JOB", 2), ("running", 5), ("web", 4), ("nothing", 0)]
        {
            let mut list = List { filter: filter.to_owned(), ..List::default() };
            list.arrange(&fleet);
            assert_eq!(list.places.len(), places, "{filter}");
        }
    }

    #[test]
    fn the_chosen_line_is_on_the_screen() {
        let fleet = fleet(&[("shop", &[("web.1", 1), ("web.2", 2), ("web.3", 3), ("web.4", 4)])]);
        let mut list = List::default();
        list.arrange(&fleet);
        list.go(3, &fleet);
        list.scroll(2);
        assert_eq!(list.first, 2);
        list.scroll(10);
        assert_eq!(list.first, 0);
        list.go(-9, &fleet);
        list.scroll(2);
        assert_eq!((list.at, list.first), (0, 0));
        list.scroll(0);
    }
}
