//! The startup checks of a new container, which are the gate of its rollout. They are made one after the other, each as
//! often as its `attempts` allow.

use std::time::Duration;

use formation::Slot;
use ps_release::{Ask, Check};
use ps_rollout::{Event, Run};

use crate::asking::{self, Miss, Subject};
use crate::containers::{Containers, Done};
use crate::end_in_words;
use crate::on_failure;

/// How long to try to connect to a `web` that has come up, before a warning says that it does not listen.
const A_MOMENT: Duration = Duration::from_secs(1);

/// The results of the checks of a container.
#[derive(Default)]
struct Came {
    /// Warnings, and failures of the command of `onFailure`.
    notes: Vec<String>,
    /// Why the container is not ready.
    failure: Option<String>,
}

impl Containers<'_> {
    /// Runs the startup checks of a new run. A container of the old release counts as ready at once, because nothing
    /// could replace it.
    pub(crate) async fn probe(&self, run: Run) -> Done {
        let (fresh, id) = (self.fresh.as_ref(), self.ids.borrow().get(&run).cloned());
        let (Some(fresh), Some(id), false) = (fresh, id, self.is_put_back(&run)) else {
            return Done::told(Event::Ready(run));
        };
        let subject = Subject::of(self.app, &run.slot, id);
        let startup = fresh.release.startup_checks(&run.slot.process_type);
        let mut came = self.ask_all(startup, &subject, &run.slot).await;
        if came.failure.is_none()
            && startup.is_empty()
            && !fresh.release.uptime(&run.slot.process_type).is_zero()
        {
            came.notes.extend(self.unconnected(&subject, &run.slot).await);
        }
        let note = (!came.notes.is_empty()).then(|| came.notes.join("; "));
        match came.failure {
            None => Done { note, ..Done::told(Event::Ready(run)) },
            Some(failure) => {
                let reason = end_in_words::with_words_of(self.app.engine, &subject.id, &failure).await;
                Done { note, ..Done::told(Event::NotReady { run, reason }) }
            }
        }
    }

    /// A warning that nothing listens on the port of a `web` without checks of its own. Dokku prints the same warning,
    /// and the deploy goes on.
    async fn unconnected(&self, subject: &Subject, slot: &Slot) -> Option<String> {
        let port = subject.port?;
        let listening = check(Ask::Listen, A_MOMENT);
        let Err(Miss::Fails(why)) = asking::attempt(self.app.engine, subject, &listening).await else {
            return None;
        };
        Some(format!("warning: {slot} does not listen on its port {port} (PORT): {why}"))
    }

    async fn ask_all(&self, checks: &[Check], subject: &Subject, slot: &Slot) -> Came {
        let mut came = Came::default();
        for check in checks {
            let Err(failure) = self.ask(check, subject).await else { continue };
            came.notes.extend(on_failure::run(self.app, slot, &subject.id, check).await);
            if check.only_warns {
                came.notes.push(format!("warning: {slot} {failure}"));
            } else {
                came.failure = Some(failure);
                break;
            }
        }
        came
    }

    /// Repeats one check until it holds or has failed as often as it may.
    async fn ask(&self, check: &Check, subject: &Subject) -> Result<(), String> {
        let delay = if let Ask::Live(life) = check.ask { life } else { check.initial_delay };
        tokio::time::sleep(delay).await;
        let mut failures = 0;
        loop {
            let Err(miss) = asking::attempt(self.app.engine, subject, check).await else { return Ok(()) };
            failures += 1;
            // The minimum life is checked once: a container that has ended or restarted in that time has failed.
            if failures >= check.attempts || matches!(check.ask, Ask::Live(_)) {
                return Err(check.failure(failures, miss.reason()));
            }
            tokio::time::sleep(check.wait).await;
        }
    }
}

fn check(ask: Ask, timeout: Duration) -> Check {
    let (on_failure, wait, initial_delay, port) = Default::default();
    Check { ask, attempts: 1, timeout, wait, initial_delay, only_warns: true, on_failure, port }
}
