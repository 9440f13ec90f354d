//! The differences between two snapshots.

use std::sync::Arc;

use ps_rows::StatusRow;
use serde::Serialize;

use crate::snapshot::{Silence, Snapshot};

/// The changes by app: an app with any changed row is sent with all its rows.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Changes<'a> {
    /// The time, in RFC 3339, UTC.
    pub(crate) at: String,
    pub(crate) apps: Vec<OfApp<'a>>,
    /// The apps that do not exist any more.
    pub(crate) gone: Vec<String>,
    /// All questions that have no answer at this time.
    pub(crate) silent: Vec<Silence>,
}

/// All rows of an app.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct OfApp<'a> {
    pub(crate) app: String,
    pub(crate) rows: &'a [StatusRow],
}

impl<'a> Changes<'a> {
    /// The changes between two snapshots; `None` if there are none.
    pub(crate) fn between(before: &Snapshot, now: &'a Snapshot) -> Option<Self> {
        let is_new = |(app, rows): &(_, &Arc<Vec<StatusRow>>)| {
            !before.apps.get(*app).is_some_and(|before| Arc::ptr_eq(before, rows) || before == *rows)
        };
        let apps: Vec<OfApp<'_>> = now
            .apps
            .iter()
            .filter(is_new)
            .map(|(app, rows)| OfApp { app: app.to_string(), rows: rows.as_slice() })
            .collect();
        let is_gone = |app: &&_| !now.apps.contains_key(*app);
        let gone: Vec<String> = before.apps.keys().filter(is_gone).map(ToString::to_string).collect();
        if apps.is_empty() && gone.is_empty() && before.silent == now.silent {
            return None;
        }
        Some(Self { at: format!("{:.3}", now.at), apps, gone, silent: now.silent.clone() })
    }
}

#[cfg(test)]
mod tests {
    use formation::State;
    use ps_scheduler::Instance;

    use super::*;

    fn snapshot(apps: &[(&str, State)], silent: &[&str]) -> Snapshot {
        let rows = |(app, state): &(&str, State)| {
            let instance = Instance::new("web.1".parse().expect("a slot"), *state);
            (app.parse().expect("a name"), Arc::new(vec![StatusRow::of("native", app, instance)]))
        };
        let silent =
            silent.iter().map(|app| Silence::of(vec![(*app).to_owned()], "no answer".to_owned())).collect();
        Snapshot { apps: apps.iter().map(rows).collect(), silent, ..Snapshot::empty() }
    }

    #[test]
    fn only_apps_that_are_different_are_told() {
        let before = snapshot(&[("a", State::Running), ("b", State::Running), ("c", State::Running)], &[]);
        let now = snapshot(&[("a", State::Running), ("b", State::Backoff), ("d", State::Starting)], &[]);
        let changes = Changes::between(&before, &now).expect("there are some");
        let told: Vec<&str> = changes.apps.iter().map(|app| app.app.as_str()).collect();
        assert_eq!((told, changes.gone), (vec!["b", "d"], vec!["c".to_owned()]));
        assert_eq!(Changes::between(&now, &now), None);
    }

    #[test]
    fn that_a_scheduler_no_longer_answers_is_a_change_and_that_it_does_again() {
        let (well, ill) = (snapshot(&[], &[]), snapshot(&[], &["shop"]));
        assert_eq!(Changes::between(&well, &ill).expect("one").silent.len(), 1);
        assert_eq!(Changes::between(&ill, &well).expect("one").silent, []);
    }
}
