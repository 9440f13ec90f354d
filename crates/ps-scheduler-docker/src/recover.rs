//! Before a verb changes an app, it recovers the app from a dead executor. A recorded rollout is taken over: it is finished
//! if its commit had begun, else undone. Then the app is tidied up: containers without a record are ended and removed, and
//! recorded ones get their final names.
//!
//! A rollout is not continued before its commit, because the plan that it came from is lost, and the verb has a plan of its
//! own.

use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use formation::{AppName, Slot};
use futures_util::{StreamExt, stream};
use ps_apps::{InstanceFiles, World};
use ps_engine::Container;
use ps_rollout::Event;
use ps_scheduler::{Cancel, Error, Progress, Requester};

use crate::app::{self, App, WAITING_AT_ONCE};
use crate::carry_out::Executor;
use crate::containers::Containers;
use crate::found;
use crate::label;
use crate::rollout_file::{Hold, RolloutFile, Terms, Written};

/// How long to try to take the lock of an app's rollouts.
const A_MOMENT: Duration = Duration::from_secs(1);

/// The state of an app after its recovery.
pub(crate) struct Recovered {
    /// The record of rollouts, in which none is in progress.
    pub(crate) written: Written,
    /// The current records of containers.
    pub(crate) records: InstanceFiles,
}

impl App<'_> {
    /// Takes the lock of an app's rollouts; an error if another verb executes one.
    pub(crate) fn hold(&self, file: &RolloutFile<'_>) -> Result<Option<File>, Error> {
        let begin = Instant::now();
        loop {
            match file.hold() {
                Hold::Mine(held) => return Ok(Some(held)),
                Hold::Nothing => return Ok(None),
                // A verb that stops a part of the app holds the lock for a moment, to find out whether a rollout is in
                // progress.
                Hold::Others if begin.elapsed() < A_MOMENT => thread::sleep(A_MOMENT / 20),
                Hold::Others => {
                    return Err(Error::Backend {
                        context: format!("change {}", self.name),
                        reason: "a deploy of it is under way: wait until it ends, or interrupt it".to_owned(),
                    });
                }
            }
        }
    }

    /// Finishes or undoes the rollout of a dead executor, and tidies up.
    pub(crate) fn recover(
        &self,
        file: &RolloutFile<'_>,
        grace: Duration,
        requester: &mut Requester<'_>,
    ) -> Result<Recovered, Error> {
        let (mut written, unreadable) = file.read();
        if let Some(reason) = unreadable {
            (requester.tell)(Progress::Note(format!(
                "what was written down of earlier rollouts is not used: {reason}"
            )));
        }
        if let Some(under_way) = written.unfinished() {
            let terms = under_way.terms.clone();
            written = self.take_over(file, written, terms, grace, requester)?;
        }
        written.under_way = None;
        let records = app::records(self.world, self.name)?;
        for line in self.engine.run(self.tidy(&records, grace))? {
            (requester.tell)(Progress::Note(line));
        }
        Ok(Recovered { written, records })
    }

    /// Takes over the rollout of a dead executor. It cannot be cancelled: undoing is carried through to its end.
    fn take_over(
        &self,
        file: &RolloutFile<'_>,
        written: Written,
        terms: Terms,
        grace: Duration,
        requester: &mut Requester<'_>,
    ) -> Result<Written, Error> {
        let records = app::records(self.world, self.name)?;
        let listed = self.engine.run(self.listed(&records))?;
        let runs = found::runs(&records, &listed);
        let containers = Containers::new(self, records, terms, grace);
        containers.know(&runs);
        let first = vec![Event::Resumed(found::observed(&runs)), Event::Cancel];
        let mut undisturbed =
            Requester { tell: &mut *requester.tell, cancel: &Cancel::default(), lock: requester.lock };
        let (outcome, written) =
            Executor::new(&containers, file, written).carry_out(first, &mut undisturbed)?;
        let what = if outcome.cause.is_some() { "put back" } else { "finished" };
        (requester.tell)(Progress::Note(format!(
            "an earlier deploy of {} was cut off: it was {what}",
            self.name
        )));
        for sentence in outcome.sentences() {
            (requester.tell)(Progress::Note(sentence));
        }
        Ok(written)
    }

    /// Removes containers without a record, and gives those with one their final names. Returns a sentence for each container
    /// that could not be removed.
    pub(crate) async fn tidy(&self, records: &InstanceFiles, grace: Duration) -> Result<Vec<String>, Error> {
        let (recorded, leftover): (Vec<_>, Vec<_>) =
            self.listed(records).await?.into_iter().partition(|container| records.contains(&container.id));
        for container in recorded.iter().filter(|container| label::is_upcoming(&container.name)) {
            let slot = records.slots.iter().find(|(_, record)| record.id.as_ref() == Some(&container.id));
            if let Some((slot, _)) = slot {
                self.name_finally(slot, &container.id).await;
            }
        }
        let removals = leftover.iter().map(|container| async move {
            let removed = self.remove_leftover(container, grace).await;
            removed
                .err()
                .map(|reason| format!("{} is left over and could not be removed: {reason}", container.name))
        });
        let left: Vec<Option<String>> = stream::iter(removals).buffered(WAITING_AT_ONCE).collect().await;
        Ok(left.into_iter().flatten().collect())
    }

    async fn remove_leftover(&self, container: &Container, grace: Duration) -> Result<(), String> {
        if container.may_serve() && !label::is_upcoming(&container.name) {
            let unfinished = self.engine.end(&container.id, label::grace(grace)).await.unfinished();
            unfinished.map_or(Ok(()), Err)?;
        }
        self.engine.remove(&container.id).await.map_err(|fault| fault.to_string())
    }
}

/// The file of an app's rollouts.
pub(crate) fn file<'a>(app: &App<'a>) -> RolloutFile<'a> {
    RolloutFile::new(app.world, app.name)
}

/// Whether a person stopped the instance of this container.
pub(crate) fn is_stopped(app: &App<'_>, slot: &Slot, id: &str) -> bool {
    file(app).read().0.stopped.get(slot).is_some_and(|stopped| stopped == id)
}

/// Whether an executor died during a rollout, recorded or not.
pub(crate) fn was_cut_off(world: &World, app: &AppName) -> bool {
    RolloutFile::new(world, app).read().0.unfinished().is_some()
}
