//! Finds out which apps exist, and which of them have changed: the system reports files that are written.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use app_watch::{AppWatch, Changed};
use formation::AppName;
use ps_apps::World;

use super::askers::Askers;
use super::journals::Journals;
use super::scope::Scope;
use super::thread::spawn;
use crate::message::Message;

/// How often to look for directories that do not exist yet.
const AGAIN: Duration = Duration::from_secs(5);

/// The watch, and the apps that are selected.
pub(crate) struct Changes {
    world: World,
    scope: Scope,
    watch: AppWatch,
    has_shortfall: bool,
}

impl Changes {
    /// Starts a thread that watches. Each app is asked about once.
    pub(crate) fn begin(
        world: &World,
        scope: Scope,
        askers: Arc<Askers>,
        journals: Journals,
        to: SyncSender<Message>,
    ) {
        let (world, last) = (world.clone(), to.clone());
        spawn("changes", &last, move || {
            let watch = match AppWatch::new(&world) {
                Ok(watch) => watch,
                Err(error) => {
                    let _ = to.send(Message::Shortfall(format!("changes are not reported ({error})")));
                    return Self::list_once(&world, &scope, &askers, &to);
                }
            };
            let mut changes = Self { world, scope, watch, has_shortfall: false };
            changes.run(&askers, &journals, &to);
        });
    }

    fn list_once(world: &World, scope: &Scope, askers: &Askers, to: &SyncSender<Message>) {
        let apps = listed(world, scope);
        let _ = to.send(Message::Apps(apps.clone()));
        for app in &apps {
            askers.ask(app);
        }
    }

    fn run(&mut self, askers: &Askers, journals: &Journals, to: &SyncSender<Message>) {
        let mut changed = Changed { apps: true, ..Changed::default() };
        loop {
            let mut all_there = true;
            if changed.apps {
                all_there = self.watch.watch_parents();
                changed.states.extend(self.list(to, askers));
            }
            for app in &changed.states {
                askers.ask(app);
            }
            for app in &changed.journals {
                journals.changed(app);
                if !askers.is_native(app) {
                    askers.ask(app);
                }
            }
            self.tell_shortfall(to);
            changed = self.watch.wait((!all_there).then_some(AGAIN));
            changed.apps |= !all_there;
        }
    }

    /// Lists the apps. Returns the new ones.
    fn list(&mut self, to: &SyncSender<Message>, askers: &Askers) -> Vec<AppName> {
        let apps: BTreeSet<AppName> = listed(&self.world, &self.scope).into_iter().collect();
        if apps != *self.watch.apps() || apps.is_empty() {
            askers.retain(&apps);
            let _ = to.send(Message::Apps(apps.iter().cloned().collect()));
        }
        self.watch.know(apps)
    }

    fn tell_shortfall(&mut self, to: &SyncSender<Message>) {
        let Some(why) = self.watch.shortfall().filter(|_| !self.has_shortfall) else { return };
        let _ = to.send(Message::Shortfall(format!("looks again only every 5 s ({why})")));
        self.has_shortfall = true;
    }
}

/// The existing apps that are selected.
fn listed(world: &World, scope: &Scope) -> Vec<AppName> {
    let all: Vec<AppName> = world.apps().unwrap_or_default().into_iter().map(|app| app.name).collect();
    match scope {
        Scope::All => ps_triggers::visible(world, all).unwrap_or_default(),
        Scope::These(these) => all.into_iter().filter(|app| these.contains(app)).collect(),
    }
}
