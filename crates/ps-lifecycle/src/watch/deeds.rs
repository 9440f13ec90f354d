//! The work of a watch: one process for each app at a time, and a queue of further work for each app.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use formation::{AppName, Slot};
use ps_apps::World;
use ps_cli::say;
use ps_scheduler_docker::{Deed, What};

use crate::journal;

/// How long a pending action waits for another verb that changes the app.
const PATIENCE_SECONDS: &str = "600";

/// The work in progress and the queues, by app.
pub(super) struct Deeds {
    world: World,
    program: PathBuf,
    under_way: BTreeMap<AppName, UnderWay>,
}

struct UnderWay {
    deed: Deed,
    child: Child,
    next: VecDeque<Deed>,
}

impl Deeds {
    pub(super) fn new(world: &World) -> Result<Self> {
        let program = os_process::sister("ps-lifecycle").context("the program ps-lifecycle is not found")?;
        Ok(Self { world: world.clone(), program, under_way: BTreeMap::new() })
    }

    /// Begins this work, or queues it behind the work in progress for its app. Work that is already in the queue is
    /// not added again.
    pub(super) fn take(&mut self, deed: Deed) {
        match self.under_way.get_mut(&deed.app) {
            Some(under_way) if under_way.next.iter().any(|next| next.what == deed.what) => (),
            Some(under_way) => under_way.next.push_back(deed),
            None => self.begin(deed, VecDeque::new()),
        }
    }

    /// Reaps processes that have ended, returns their work, and begins what is next in the queues.
    pub(super) fn turn(&mut self) -> Vec<Deed> {
        let ended = |under_way: &mut UnderWay| !matches!(under_way.child.try_wait(), Ok(None));
        let over: Vec<AppName> =
            self.under_way.iter_mut().filter_map(|(app, all)| ended(all).then(|| app.clone())).collect();
        let mut done = Vec::new();
        for app in over {
            let Some(UnderWay { deed, mut child, mut next }) = self.under_way.remove(&app) else { continue };
            match child.wait() {
                Ok(status) if status.success() => (),
                Ok(status) => say::warning(&format!("{} failed ({status})", line(&deed))),
                Err(error) => say::warning(&format!("{}: {error}", line(&deed))),
            }
            done.push(deed);
            if let Some(deed) = next.pop_front() {
                self.begin(deed, next);
            }
        }
        done
    }

    fn begin(&mut self, deed: Deed, mut next: VecDeque<Deed>) {
        if let Some(slot) = slot(&deed) {
            journal::happened(&self.world, &deed.app, "containers", slot, &deed.why);
        }
        let mut command = Command::new(&self.program);
        command.args(["--quiet", "--wait", PATIENCE_SECONDS, "mend", deed.app.as_str()]);
        match &deed.what {
            What::Replace(slot, id) => command.args(["replace", &slot.to_string(), id]),
            What::Start(slot, id) => command.args(["start", &slot.to_string(), id]),
            What::Redirect => command.arg("redirect"),
        };
        command.env("DOKKU_ROOT", self.world.root()).env("DOKKU_LIB_ROOT", self.world.lib());
        match command.stdin(Stdio::null()).spawn() {
            Ok(child) => {
                self.under_way.insert(deed.app.clone(), UnderWay { deed, child, next });
            }
            Err(error) => {
                say::warning(&format!("{}: {error}", line(&deed)));
                if let Some(deed) = next.pop_front() {
                    self.begin(deed, next);
                }
            }
        }
    }
}

fn slot(deed: &Deed) -> Option<&Slot> {
    match &deed.what {
        What::Replace(slot, _) | What::Start(slot, _) => Some(slot),
        What::Redirect => None,
    }
}

/// The work as a line for people.
pub(super) fn line(deed: &Deed) -> String {
    let Deed { app, what, why } = deed;
    match what {
        What::Replace(slot, _) => format!("{slot} of {app} {why}: it is replaced"),
        What::Start(slot, _) => format!("{slot} of {app} is started again: {why}"),
        What::Redirect => format!("the addresses behind {app} are updated: {why}"),
    }
}
