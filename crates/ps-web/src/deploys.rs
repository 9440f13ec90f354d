//! The number of deploys of each app, by result, from its journal. A journal is only read if it has changed, and entries that were read
//! before are not counted again. So a count never decreases while `ps-web` runs, although the journal loses its older half at times.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use formation::AppName;
use ps_apps::World;
use ps_journal::{Entry, Event, Journal, Outcome, Unread};

/// The verbs that make a release.
const VERBS: [&str; 3] = ["deploy", "rebuild", "rollback"];

/// The counts so far.
#[derive(Debug, Default)]
pub(crate) struct Deploys(Mutex<BTreeMap<AppName, Read>>);

/// The number of deploys of one app, by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Results {
    pub(crate) done: u64,
    pub(crate) failed: u64,
}

#[derive(Debug, Default)]
struct Read {
    results: Results,
    last: Option<Entry>,
    /// The last result of [`Journal::state`].
    state: Option<(u64, u64)>,
}

impl Deploys {
    /// The counts for these apps.
    pub(crate) fn of<'a>(
        &self,
        world: &World,
        apps: impl Iterator<Item = &'a AppName>,
    ) -> BTreeMap<String, Results> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *known);
        for app in apps {
            let mut read = before.remove(app).unwrap_or_default();
            read.go_on(world, app);
            known.insert(app.clone(), read);
        }
        known.iter().map(|(app, read)| (app.to_string(), read.results)).collect()
    }
}

impl Read {
    fn go_on(&mut self, world: &World, app: &AppName) {
        let state = Journal::of(world, app).state();
        if state.is_none() || state == self.state {
            return;
        }
        let mut unread = Unread::of(world, app).behind(self.last.take());
        // A journal that cannot be read now is read when it has changed again.
        let news = unread.news().unwrap_or_default();
        (self.last, self.state) = (unread.last().cloned(), state);
        news.entries.iter().for_each(|entry| self.results.take(&entry.event));
    }
}

impl Results {
    fn take(&mut self, event: &Event) {
        match event {
            Event::Ended { verb, outcome, .. } if VERBS.contains(&verb.as_str()) => match outcome {
                Outcome::Done => self.done += 1,
                Outcome::Failed => self.failed += 1,
                Outcome::Unknown => (),
            },
            _ => (),
        }
    }
}
