//! The trait, and the types in its signatures. It is synchronous: a scheduler that needs async (docker-local, for bollard) keeps
//! it inside its own crate. A caller that wants to cancel a verb passes a [`Cancel`] in and sets it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use balance::Receipt;
use formation::{AppName, Exit, Slot, State, Which};
use log_store::Upkeep;
use ps_rollout::{Fate, Finding, Strategy};

use crate::output::{LogRequest, LogSink};
use crate::{
    AppStatus, Drift, Ended, Entry, Error, OneOff, Plan, Reached, Release, SignalOrder, Signalled, Task,
};

/// Keeps the instances of apps running.
pub trait Scheduler {
    /// `native`, `docker-local`, or the name that Dokku uses.
    fn name(&self) -> &str;

    /// The order of old and new instances if the app does not choose one.
    fn usual_strategy(&self) -> Strategy;

    /// Returns one [`AppStatus`] for each app, in the order asked, with a single request for all of them. An app that was never deployed
    /// has no instances.
    fn status(&self, apps: &[AppName]) -> Result<Vec<AppStatus>, Error>;

    /// The status of one app.
    fn status_of(&self, app: &AppName) -> Result<AppStatus, Error> {
        let status = self.status(std::slice::from_ref(app))?.into_iter().next();
        Ok(status.expect("each app that is asked for gets a status"))
    }

    /// Carries the plan out as a rollout, by the rules of each type.
    ///
    /// **The guarantee.** Until every new instance has passed its gate, the earlier instances run on, as the same processes and
    /// containers. If a new instance does not pass, the deploy is cancelled or an input is refused, they still run on, and an error is
    /// returned. The one exception is a type whose strategy is stop-first: its earlier instances end before the first new one starts, so
    /// after a failure its earlier release is started again, in new processes, and the error says how long nobody answered. What fails
    /// after the gate is put back in the same way, and the error says for each slot what runs there.
    ///
    /// If the caller dies, the next verb of the app finishes what the caller had begun, or puts it back.
    fn deploy(&self, plan: &Plan, requester: &mut Requester<'_>) -> Result<DeployOutcome, Error>;

    /// Refuses a plan that [`Scheduler::deploy`] would refuse before it changes anything, as far as can be known so early. Nothing is
    /// changed, and nothing is started.
    fn judge(&self, plan: &Plan) -> Result<(), Error> {
        let _ = plan;
        Ok(())
    }

    /// The settings in which running instances of an app differ from what the release would give them now.
    fn drift(&self, release: &Release) -> Result<Vec<Drift>, Error> {
        let _ = release;
        Ok(Vec::new())
    }

    /// Called if a plan has nothing to do. Starts what keeps the app's instances alive, if it is missing, and finishes or
    /// undoes what a dead caller began. The native scheduler starts a supervisor; docker-local handles an interrupted
    /// rollout, and removes ended containers that are no longer needed.
    fn tend(&self, plan: &Plan, requester: &mut Requester<'_>) -> Result<(), Error> {
        let _ = (plan, requester);
        Ok(())
    }

    /// The file, below `DOKKU_LIB_ROOT`, that records which deploy of an app was committed last: a JSON document with the
    /// field `deploy`, which is replaced atomically in the step that commits. `None` if the scheduler has no such file.
    fn witness(&self, app: &AppName) -> Option<PathBuf> {
        let _ = app;
        None
    }

    /// Ends a rollout whose caller was killed.
    fn end_interrupted(
        &self,
        app: &AppName,
        leftover: Leftover,
        requester: &mut Requester<'_>,
    ) -> Result<(), Error> {
        let _ = (app, leftover, requester);
        Ok(())
    }

    /// The addresses of an app and the settings of its connections that are in force, read from the spec of its
    /// supervisor without asking the supervisor.
    fn reached(&self, app: &AppName) -> Result<Reached, Error> {
        let _ = app;
        Ok(Reached::default())
    }

    /// Moves an app to the addresses and connection settings of this release. The release is the running one, apart from these. No
    /// instance is replaced, and no connection is closed.
    ///
    /// # Errors
    /// One of the addresses cannot be listened on, or the supervisor does not answer. Nothing has changed then.
    fn reach(&self, release: &Release) -> Result<Moved, Error> {
        let _ = release;
        Err(Error::Unsupported { scheduler: self.name().to_owned(), what: "give an app an address" })
    }

    /// Ends instances, and reports which ended and how, and which did not. Having nothing to stop is success.
    fn stop(&self, order: &StopOrder, requester: &mut Requester<'_>) -> Result<Stopped, Error>;

    /// Sends a signal to running instances, and returns the result for each slot that the order names, also for those that
    /// do not run.
    fn signal(&self, order: &SignalOrder) -> Result<Vec<(Slot, Signalled)>, Error> {
        let _ = order;
        Err(Error::Unsupported { scheduler: self.name().to_owned(), what: "send a signal to instances" })
    }

    /// Clears the record of deaths and restarts. Running instances go on.
    fn reset(&self, app: &AppName, which: &Which) -> Result<(), Error> {
        let _ = (app, which);
        Err(Error::Unsupported { scheduler: self.name().to_owned(), what: "reset the counters of instances" })
    }

    /// Whether a slot is to be filled, also by a rollout in progress whose deploy was not recorded yet. Its instance need not
    /// run yet.
    fn is_to_fill(&self, app: &AppName, which: &Which) -> bool {
        let _ = (app, which);
        false
    }

    /// Hands this stop to the rollout that another program is executing: the slots are empty from then on, before its
    /// commit and after it. `None`: there is no rollout, so the caller uses [`Scheduler::stop`] under the app's lock.
    fn stop_beside(
        &self,
        order: &StopOrder,
        requester: &mut Requester<'_>,
    ) -> Result<Option<Stopped>, Error> {
        let _ = (order, requester);
        Ok(None)
    }

    /// Returns a name for a one-off that nothing else of the app has.
    fn name_for_one_off(&self, app: &AppName) -> Result<Slot, Error> {
        let _ = app;
        Err(Error::Unsupported { scheduler: self.name().to_owned(), what: "run a command once" })
    }

    /// Runs a command once, beside the instances: no status, stop or plan includes it. When it has ended, nothing of it is left. If this
    /// program is killed meanwhile, [`Scheduler::retire`] removes what is left.
    fn run_once(&self, order: &OneOff<'_>) -> Result<Ended, Error> {
        let _ = order;
        Err(Error::Unsupported { scheduler: self.name().to_owned(), what: "run a command once" })
    }

    /// Runs a task of a deploy to its end, and passes on its output line by line. Nothing of the task is left when it has ended, had to be
    /// ended, or the verb was cancelled. If the caller dies, the next task of the app ends what is left. The tasks of a plan are run by
    /// [`Scheduler::deploy`] itself.
    fn run_task(&self, plan: &Plan, task: &Task, requester: &mut Requester<'_>) -> Result<(), Error> {
        let _ = (plan, task, requester);
        Err(Error::Unsupported { scheduler: self.name().to_owned(), what: "run the tasks of a deploy" })
    }

    /// Runs a command where an instance runs: in its container, or in its directory with its variables.
    fn enter(&self, entry: &Entry<'_>) -> Result<Ended, Error> {
        let _ = entry;
        Err(Error::Unsupported {
            scheduler: self.name().to_owned(),
            what: "run a command beside an instance",
        })
    }

    /// Raw descriptions of the app's instances: an array, as the engine has them. May hold secrets.
    fn inspect(&self, app: &AppName) -> Result<serde_json::Value, Error>;

    /// Passes lines of output to `sink` until there are no more, or `sink` breaks. While following there are no more once the app is gone.
    fn logs(&self, request: &LogRequest, sink: &mut dyn LogSink) -> Result<(), Error>;

    /// Has the logs of these instances rotated or emptied, by the process that has them open. Returns how many bytes of output were rotated or
    /// removed.
    fn keep_up_logs(&self, app: &AppName, which: &Which, upkeep: Upkeep) -> Result<u64, Error> {
        let _ = (app, which);
        let what = match upkeep {
            Upkeep::Rotate => "rotate logs: its engine keeps them, and rotates them by its own settings",
            Upkeep::Flush => "empty logs: its engine keeps them, and cannot empty them",
        };
        Err(Error::Unsupported { scheduler: self.name().to_owned(), what })
    }

    /// Removes what earlier deploys left behind, of one app or of all; returns what was removed.
    fn retire(&self, app: Option<&AppName>) -> Result<Vec<String>, Error>;
}

/// The result of [`Scheduler::reach`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// The app is reached at the addresses of the release. If none of its instances runs, it will be once one does.
    Done,
    /// Nothing was done: the instances listen at ports that conflict with the address, and have to be replaced first.
    NeedsRollout,
}

/// What becomes of a rollout whose caller died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// It is put back, or finished if it is too late to put it back, because the new verb wants another result.
    PutBack,
    /// The rollout is waited for if another program is carrying it out; otherwise it is put back.
    Awaited,
}

/// The program that asked for a verb, from the verb's point of view: it receives the events, it may cancel the verb, and it
/// may hold the app's lock meanwhile.
pub struct Requester<'a> {
    /// Called for each event when it happens.
    pub tell: &'a mut dyn FnMut(Progress),
    /// Checked between steps. If it is set, the verb undoes its changes and returns [`Error::Cancelled`].
    pub cancel: &'a Cancel,
    /// The app's lock, if the caller holds it. A process that the verb runs to its end, such as `release`, inherits this file.
    /// So the app stays locked until that process ends, even if the caller is killed.
    pub lock: Option<&'a File>,
}

impl Requester<'_> {
    /// Passes these events on to the requester, in their order.
    pub fn tell_all(&mut self, told: impl IntoIterator<Item = Progress>) {
        for progress in told {
            (self.tell)(progress);
        }
    }
}

/// What happened to one instance during a verb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// A line about the whole verb.
    Note(String),
    /// It was started.
    Started(Slot),
    /// It is ready.
    Ready(Slot),
    /// It ended; `None` if nobody knows how.
    Ended(Slot, Option<Exit>),
    /// It had no process: it waited for its time, for other types or for its next start, and does not get one any more.
    CalledOff(Slot),
    /// A line of output of a process that runs to its end, such as `release`.
    Output(String),
    /// The current state of a run, sent as soon as it changes. It is meant for displays and reports that show each instance; people who
    /// read lines get the important changes by the other events.
    Now {
        /// The slot.
        slot: Slot,
        /// The number of the run, where it is known.
        run: Option<u64>,
        /// The state of the run. `Crashed` and `Backoff` are the end of a run that did not become ready.
        state: State,
        /// What it waits for, or why it ended: a phrase for people.
        note: Option<String>,
    },
    /// The effects of a finished rollout on the clients of an app with an address.
    Receipt(Receipt),
    /// How far the comparison of a new release with the earlier one is.
    Canary(Finding),
    /// The result for each slot of a rollout, sent if the rollout's error does not contain it, such as
    /// [`Error::Cancelled`].
    Fates(BTreeMap<Slot, Fate>),
    /// Hooks write to the terminal themselves from now until [`Progress::Alone`].
    Aside,
    /// The hooks have ended.
    Alone,
}

/// A flag that is set from a signal handler or another thread, and checked by long verbs between steps.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    /// The time from which on the flag counts as set; `None`: only the flag decides.
    until: Option<Instant>,
}

impl Cancel {
    /// A flag that another part sets, for example `signal_hook::flag::register`.
    pub fn from_flag(flag: Arc<AtomicBool>) -> Self {
        Self { flag, until: None }
    }

    /// Asks the verb to stop.
    pub fn cancel(&self) {
        self.flag.store(true, Ordering::Relaxed);
    }

    /// The same flag, which counts as set after this time.
    #[must_use]
    pub fn within(&self, time: Duration) -> Self {
        Self { flag: Arc::clone(&self.flag), until: Instant::now().checked_add(time) }
    }

    /// Whether the verb should stop; `Err(Error::Cancelled)` if so.
    pub fn check(&self) -> Result<(), Error> {
        let is_late = self.until.is_some_and(|until| Instant::now() >= until);
        if is_late || self.flag.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
    }
}

/// What a deploy did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeployOutcome {
    /// Instances started, replacements included.
    pub started: Vec<Slot>,
    /// Instances that ended without a successor.
    pub stopped: Vec<Slot>,
    /// Instances that were kept.
    pub kept: Vec<Slot>,
    /// The result for each slot; empty from a scheduler without runs.
    pub fates: BTreeMap<Slot, Fate>,
}

/// An order to stop instances.
#[derive(Clone, Debug)]
pub struct StopOrder {
    /// The app.
    pub app: AppName,
    /// Which of its instances.
    pub which: Which,
    /// The grace period, from SIGTERM to SIGKILL.
    pub grace: Duration,
    /// Whether to remove containers, records and logs as well.
    pub remove: bool,
}

/// The result of a stop. Each instance that was to end is in exactly one of the two lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    /// The instances that ended, and how (`None` if that is unknown).
    pub ended: Vec<(Slot, Option<Exit>)>,
    /// The instances that did not end, and why.
    pub remaining: Vec<(Slot, String)>,
}
