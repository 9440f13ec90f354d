//! The trait, and the types in its signatures. It is synchronous: a scheduler that needs async (docker-local, for bollard) keeps
//! it inside its own crate. A caller that wants to cancel a verb passes a [`Cancel`] in and sets it.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use formation::{AppName, Exit, Slot, Stream, Which};
use ps_rollout::{Fate, Strategy};

use crate::{AppStatus, Error, Plan, SignalOrder, Signalled};

/// Something that keeps the instances of apps running.
pub trait Scheduler {
    /// `native`, `docker-local`, `swarm`, or whatever Dokku calls it.
    fn name(&self) -> &str;

    /// In which order old and new instances follow each other where the app does not say.
    fn usual_strategy(&self) -> Strategy;

    /// One [`AppStatus`] for each app, in the order asked; one round trip for all of them together. An app that
    /// was never deployed has no instances.
    fn status(&self, apps: &[AppName]) -> Result<Vec<AppStatus>, Error>;

    /// The status of one app.
    fn status_of(&self, app: &AppName) -> Result<AppStatus, Error> {
        let status = self.status(std::slice::from_ref(app))?.into_iter().next();
        Ok(status.expect("each app that is asked for gets a status"))
    }

    /// Carries the plan out as a rollout, by the rules of each type.
    ///
    /// **The promise.** Until every new instance has passed its gate, what ran before runs on: the very same processes and
    /// containers. If one does not pass, or the deploy is cancelled, or an input is refused, they still do, and the answer is an
    /// error. The one exception is a type whose strategy is stop-first: its earlier instances ended before the first new one
    /// started, so after a failure its earlier release is started again, as other processes, and the error says how long nobody
    /// answered. What fails after the gate is put back in the same way, and the error says slot for slot what is where.
    ///
    /// Of a caller that died, whoever calls a verb of the app next finishes what it began, or puts it back.
    fn deploy(&self, plan: &Plan, watch: &mut Watch<'_>) -> Result<DeployOutcome, Error>;

    /// Called where a plan has nothing to do: starts what keeps the app's instances alive, if that is missing, and sees to what a
    /// caller that died had begun. The native scheduler starts a supervisor here; docker-local puts a rollout back, or finishes it.
    fn tend(&self, plan: &Plan, watch: &mut Watch<'_>) -> Result<(), Error> {
        let _ = (plan, watch);
        Ok(())
    }

    /// Ends instances, and says which ended and how, and which did not. If there is nothing to stop, that is success.
    fn stop(&self, order: &StopOrder, watch: &mut Watch<'_>) -> Result<Stopped, Error>;

    /// Sends a signal to what runs, and says what has come of it for each slot that the order names. What does not run gets
    /// none, and is told apart.
    fn signal(&self, order: &SignalOrder) -> Result<Vec<(Slot, Signalled)>, Error> {
        let _ = order;
        Err(Error::Unsupported { scheduler: self.name().to_owned(), what: "send a signal to instances" })
    }

    /// Forgets how often instances died and were started again. What runs is left alone.
    fn reset(&self, app: &AppName, which: &Which) -> Result<(), Error> {
        let _ = (app, which);
        Err(Error::Unsupported { scheduler: self.name().to_owned(), what: "reset the counters of instances" })
    }

    /// Has whoever carries out a rollout of the app, in another program, take this stop in: the slots are empty from then on, before
    /// its commit and after it. `None`: nobody does, so that [`Scheduler::stop`] is what to call, under the app's lock.
    fn stop_beside(&self, order: &StopOrder, watch: &mut Watch<'_>) -> Result<Option<Stopped>, Error> {
        let _ = (order, watch);
        Ok(None)
    }

    /// Raw descriptions of the app's instances: an array, as the engine has them. May hold secrets.
    fn inspect(&self, app: &AppName) -> Result<serde_json::Value, Error>;

    /// Hands lines of output to `sink` until there are no more, or it breaks.
    fn logs(
        &self,
        request: &LogRequest,
        sink: &mut dyn FnMut(&LogLine) -> ControlFlow<()>,
    ) -> Result<(), Error>;

    /// Removes what earlier deploys left behind, of one app or of all; says what was removed.
    fn retire(&self, app: Option<&AppName>) -> Result<Vec<String>, Error>;
}

/// What a long verb is given besides its order: somebody to tell, a way to be stopped, and the lock that it works under.
pub struct Watch<'a> {
    /// Called for each thing that happens, while it happens.
    pub say: &'a mut dyn FnMut(Progress),
    /// Looked at between steps; if it is set, the verb undoes what it began and ends with [`Error::Cancelled`].
    pub cancel: &'a Cancel,
    /// The app's lock, if the caller holds it. A process that the verb runs to its end, such as `release`, inherits this file.
    /// So the app stays locked until that process ends, even if the caller is killed.
    pub lock: Option<&'a File>,
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
    /// It ended; `None` if nobody could see how.
    Ended(Slot, Option<Exit>),
    /// A line of output of a process that runs to its end, such as `release`.
    Output(String),
}

/// Set from a signal handler or another thread; asked by long verbs between steps.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A flag that somebody else sets, for example `signal_hook::flag::register`.
    pub fn from_flag(flag: Arc<AtomicBool>) -> Self {
        Self(flag)
    }

    /// Asks the verb to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the verb should stop; `Err(Error::Cancelled)` if so.
    pub fn check(&self) -> Result<(), Error> {
        if self.0.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
    }
}

/// What a deploy did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeployOutcome {
    /// Instances started, replacements included.
    pub started: Vec<Slot>,
    /// Instances ended that have no successor.
    pub stopped: Vec<Slot>,
    /// Instances left alone.
    pub kept: Vec<Slot>,
    /// What has become of each slot; empty from a scheduler that knows no runs.
    pub fates: BTreeMap<Slot, Fate>,
}

/// What is to be stopped, and how patiently.
#[derive(Clone, Debug)]
pub struct StopOrder {
    /// The app.
    pub app: AppName,
    /// Which of its instances.
    pub which: Which,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
    /// Also forget them: remove containers, records and logs.
    pub remove: bool,
}

/// What a stop did. Each instance that was to end is in exactly one of the two lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    /// What ended, and how (`None` if nobody could see).
    pub ended: Vec<(Slot, Option<Exit>)>,
    /// What did not end, and why.
    pub remaining: Vec<(Slot, String)>,
}

/// Which output is wanted.
#[derive(Clone, Debug)]
pub struct LogRequest {
    /// The app.
    pub app: AppName,
    /// Which of its instances.
    pub which: Which,
    /// How many of the last lines of each instance; `None`: all that is kept.
    pub tail: Option<usize>,
    /// Stay and hand out new lines as they come.
    pub follow: bool,
}

/// One line of output, without its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Who wrote it.
    pub slot: Slot,
    /// Where to.
    pub stream: Stream,
    /// The bytes, as written.
    pub bytes: Vec<u8>,
}
