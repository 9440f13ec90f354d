//! How many deploys each app has had, by result, as its journal tells. A journal is read only if it has changed, and what was read before is
//! not counted again; so a count never becomes smaller while `ps-web` runs, although the journal forgets its older half.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use formation::AppName;
use ps_apps::World;
use ps_journal::{Entry, Event, Journal, Outcome, Unread};

/// The verbs that bring a release.
const VERBS: [&str; 3] = ["deploy", "rebuild", "rollback"];

/// What was counted until now.
#[derive(Debug, Default)]
pub(crate) struct Deploys(Mutex<BTreeMap<AppName, Read>>);

/// How many deploys of one app came to which end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Results {
    pub(crate) done: u64,
    pub(crate) failed: u64,
}

#[derive(Debug, Default)]
struct Read {
    results: Results,
    last: Option<Entry>,
    /// As [`Journal::state`] was.
    state: Option<(u64, u64)>,
}

impl Deploys {
    /// The deploys of these apps until now.
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
        // What cannot be read now is read when the journal has changed again.
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
