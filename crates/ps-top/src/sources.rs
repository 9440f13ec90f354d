//! The threads that read data and send messages, so that the screen never waits. There is one for each scheduler, so
//! that a scheduler which does not answer does not delay the others. If the system reports changes, nothing is read
//! again before it has changed.

mod askers;
mod changes;
mod follower;
mod growth;
mod journals;
mod scope;
pub(crate) mod signals;
mod sisters;
mod thread;
mod usage;

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use ps_apps::World;

use crate::message::{Effect, Message};
use crate::model::Model;
use crate::subject::Subject;
use askers::Askers;
use changes::Changes;
use follower::Follower;
use journals::Journals;
pub(crate) use scope::Scope;
use usage::Meter;

/// How long a selection must last before its data are read: a user who holds a key down passes many lines.
const SETTLES: Duration = Duration::from_millis(120);
/// How often, in seconds, visible apps are read again without a reported change, because a supervisor that was killed reports nothing.
const ROUND: u64 = 5;

/// All threads that read data.
pub(crate) struct Sources {
    world: World,
    to: SyncSender<Message>,
    askers: Arc<Askers>,
    journals: Journals,
    follower: Follower,
    meter: Meter,
    /// The selection that is followed once it has lasted for a moment.
    next: Option<(Instant, u64, Subject)>,
    seconds: u64,
}

impl Sources {
    /// Starts the threads.
    pub(crate) fn begin(world: &World, scope: Scope, to: &SyncSender<Message>) -> Self {
        let askers = Arc::new(Askers::new(world, to.clone()));
        let journals = Journals::begin(world, to.clone());
        Changes::begin(world, scope, Arc::clone(&askers), journals.clone(), to.clone());
        growth::begin(world, to.clone());
        Self {
            world: world.clone(),
            to: to.clone(),
            askers,
            journals,
            follower: Follower::new(to.clone()),
            meter: Meter::default(),
            next: None,
            seconds: 0,
        }
    }

    /// Measures usage, once a second.
    pub(crate) fn second(&mut self, model: &Model) -> [Message; 2] {
        self.seconds += 1;
        if self.seconds.is_multiple_of(ROUND) {
            let apps = match model.shortfall {
                None => model.shown_apps(),
                Some(_) => model.fleet.apps.keys().cloned().collect(),
            };
            // The other schedulers are asked by their own threads at their own pace.
            for app in apps.iter().filter(|app| self.askers.is_native(app)) {
                self.askers.ask(app);
            }
        }
        let (used, gone) = self.meter.measure(&model.measured());
        for app in gone.iter().filter_map(|pid| model.fleet.app_of(*pid)) {
            self.askers.ask(app);
        }
        [Message::Slow(self.askers.slow()), Message::Used(used)]
    }

    /// When the selection has lasted long enough.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.next.as_ref().map(|(at, ..)| *at)
    }

    /// Begins to follow the selection, if it has lasted long enough.
    pub(crate) fn begin_due(&mut self) {
        if let Some((_, turn, subject)) = self.next.take_if(|(at, ..)| *at <= Instant::now()) {
            self.journals.follow(&subject.app);
            self.follower.follow(turn, &subject);
        }
    }

    /// Carries out an effect, except those of the screen itself.
    pub(crate) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Follow { turn, subject } => self.next = Some((Instant::now() + SETTLES, turn, subject)),
            Effect::Explain(subject) => sisters::explain(subject, self.to.clone()),
            Effect::Foresee { app, process_type, by } => {
                let world = self.world.clone();
                sisters::foresee(world, (app, process_type, by), self.to.clone());
            }
            Effect::Do { deed, command } => sisters::carry_out(deed, command, self.to.clone()),
            Effect::Suspend | Effect::Quit(_) => (),
        }
    }
}
