//! The tasks of a deploy, each in a container of the new image that is not an instance. Its output is passed on line by
//! line. The engine removes the container when it has ended. If the deploy was killed, the next task of the app, or
//! `retire`, ends it.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::pin::pin;
use std::time::Duration;

use formation::{Exit, Stream};
use futures_util::future::{Either, select};
use ps_engine::{Container, ContainerCreateBody, Fault, LogOutput, Output};
use ps_scheduler::{Cancel, Error, LAST_LINES, LogLine, Progress, Release, Requester, Source, Task};
use tokio::time::Instant;

use crate::app::App;
use crate::beside::{self, Beside};
use crate::docker_local::DockerLocal;
use crate::lines::{Lines, Writer};
use crate::{blueprint, entrypoint, label, network, one_off};

/// The pause between two looks whether the verb was cancelled, or the time of the task is over.
const LOOK: Duration = Duration::from_millis(50);

/// How a task ended.
pub(crate) enum Over {
    Ended(Exit),
    TooLate,
    Cancelled,
}

/// Runs a task to its end.
pub(crate) fn run(
    docker: &DockerLocal,
    release: &Release,
    task: &Task,
    requester: &mut Requester<'_>,
) -> Result<(), Error> {
    let Source::Image(image) = &release.source else {
        return Err(Error::Unsupported {
            scheduler: "docker-local".to_owned(),
            what: "run the tasks of a deploy without an image",
        });
    };
    let app = App { engine: docker.engine()?, world: docker.world(), name: &release.app };
    let name = app.announce(release, task, requester)?;
    let mut last = VecDeque::new();
    let over = app.engine.run(async {
        let body = app.described(release, image, task).await;
        let id = app.engine.create(&name, body).await?;
        let networks = beside::networks(app.world.root(), release, &task.process_type);
        let over = match network::join(app.engine, &id, &networks).await {
            Ok(()) => app.attend(&id, (release, task), requester, &mut last).await,
            Err((_, fault)) => Err(fault),
        };
        match over {
            Ok(Over::Ended(_)) => (),
            Ok(Over::TooLate | Over::Cancelled) => {
                one_off::end(app.engine, &id, release.grace(&task.process_type)).await?;
            }
            // The container is removed whether its start succeeded or failed.
            Err(_) => drop(app.engine.remove(&id).await),
        }
        over
    });
    concluded(&app, over, (release, task), &last)
}

/// The result of a task for its deploy.
pub(crate) fn concluded(
    app: &App<'_>,
    over: Result<Over, Fault>,
    (release, task): (&Release, &Task),
    last: &VecDeque<String>,
) -> Result<(), Error> {
    match over {
        Ok(Over::Ended(exit)) if exit.is_success() => Ok(()),
        Ok(Over::Ended(exit)) => Err(task.failed(release, &format!("failed ({exit})"), last)),
        Ok(Over::TooLate) => Err(task.failed(release, &release.overdue(&task.process_type), last)),
        Ok(Over::Cancelled) => Err(Error::Cancelled),
        Err(fault @ Fault::Refused { .. }) => {
            Err(task.failed(release, &format!("could not be run: {fault}"), last))
        }
        Err(fault) => Err(unknown(app, fault, task)),
    }
}

/// The error of a task during which the engine has stopped answering, so that it is unknown how far the task came.
fn unknown(app: &App<'_>, fault: Fault, task: &Task) -> Error {
    let slot = task.slot();
    let told = |reason: String| {
        let app = app.name;
        format!(
            "{reason}. Whether {slot} of {app} has done what it does is not known: look at that before the next deploy, which ends what is left of it"
        )
    };
    match app.error(fault, &format!("run the {}", task.process_type)) {
        Error::Unreachable { backend, reason } => Error::Unreachable { backend, reason: told(reason) },
        Error::Backend { context, reason } => Error::Backend { context, reason: told(reason) },
        error => error,
    }
}

impl App<'_> {
    /// Ends what is left of earlier tasks, and reports that this one runs. Returns a name for its container.
    pub(crate) fn announce(
        &self,
        release: &Release,
        task: &Task,
        requester: &mut Requester<'_>,
    ) -> Result<String, Error> {
        let process_type = &task.process_type;
        self.engine.run(self.end_abandoned(release.grace(process_type), requester))?;
        requester.cancel.check()?;
        (requester.tell)(Progress::Note(format!("Running {process_type}: {}", task.command)));
        let number = RandomState::new().hash_one(process_type) % 1_000_000_000;
        Ok(format!("{}.{process_type}.{number}", self.name))
    }

    /// Ends the tasks of deploys that were killed.
    async fn end_abandoned(&self, grace: Duration, requester: &mut Requester<'_>) -> Result<(), Error> {
        let [root, ours, _] = self.filters();
        let listed = self.engine.list(&[root, ours, label::TASK.to_owned()]).await;
        let listed = listed.map_err(|fault| self.error(fault, "list the tasks"))?;
        let is_left = |container: &&Container| {
            label::task(container).is_some() && (container.is_over || one_off::is_due(container))
        };
        for container in listed.iter().filter(is_left) {
            if container.state.is_alive() {
                let what = label::task(container).unwrap_or_default();
                let text = format!("Ending the {what} of an earlier deploy, which still runs");
                (requester.tell)(Progress::Note(text));
            }
            let removed = one_off::remove(self.engine, container, grace).await;
            removed.map_err(|fault| self.error(fault, &format!("remove {}", container.name)))?;
        }
        Ok(())
    }

    pub(crate) async fn described(&self, release: &Release, image: &str, task: &Task) -> ContainerCreateBody {
        let (slot, grace) = (task.slot(), release.grace(&task.process_type));
        let beside = Beside {
            kind: one_off::KIND,
            process_type: &task.process_type,
            name: &slot,
            env: &[],
            // The grace period is part of the time limit.
            deadline: Some(release.run_timeout(&task.process_type).saturating_add(grace)),
            is_waited_for: true,
        };
        let mut body = beside::container(self.world.root(), release, image, &beside);
        body.cmd = Some(blueprint::words(release, &slot, &task.command));
        if let Some(host) = &mut body.host_config {
            host.auto_remove = Some(true);
        }
        let labels = body.labels.get_or_insert_default();
        labels.insert(label::TASK.to_owned(), task.process_type.to_string());
        match self.engine.image(image).await {
            Ok(image) => entrypoint::behind(body, &task.command, &image),
            // If the image cannot be inspected, creating the container fails with the reason.
            Err(_) => body,
        }
    }

    /// Starts the container, and waits for its end.
    async fn attend(
        &self,
        id: &str,
        (release, task): (&Release, &Task),
        requester: &mut Requester<'_>,
        last: &mut VecDeque<String>,
    ) -> Result<Over, Fault> {
        let (_, output) = self.engine.attach(id, false).await?;
        let removal = self.engine.await_removal(id).await?;
        self.engine.start(id).await?;
        let Requester { tell, cancel, .. } = requester;
        let ended = pin!(async {
            pass_on(output, task, *tell, last).await;
            removal.status().await
        });
        let told = pin!(until_told(cancel, release.run_timeout(&task.process_type)));
        match select(ended, told).await {
            Either::Left((status, _)) => Ok(Over::Ended(one_off::exit(status?))),
            Either::Right((over, _)) => Ok(over),
        }
    }
}

/// Passes on the output until it ends. A broken connection ends it too; the caller then asks the engine how the container ended.
pub(crate) async fn pass_on(
    mut output: Output,
    task: &Task,
    tell: &mut dyn FnMut(Progress),
    last: &mut VecDeque<String>,
) {
    let writer = Writer { slot: task.slot(), run: None, id: String::new() };
    let mut lines = Lines::default();
    let mut sink = |line: &LogLine| {
        let text = String::from_utf8_lossy(&line.bytes).trim_end_matches('\r').to_owned();
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(text.clone());
        tell(Progress::Output(text));
        ControlFlow::Continue(())
    };
    while let Ok(Some((stream, bytes))) = output.next().await {
        let message = bytes.into();
        let frame = match stream {
            Stream::Stdout => LogOutput::StdOut { message },
            Stream::Stderr => LogOutput::StdErr { message },
        };
        // The sink takes every line, so the result does not matter.
        let _ = lines.take(&writer, None, &frame, &mut sink);
    }
    let _ = lines.finish(&writer, &mut sink);
}

/// Returns when the task is to end.
pub(crate) async fn until_told(cancel: &Cancel, timeout: Duration) -> Over {
    let ends_at = Instant::now().checked_add(timeout);
    loop {
        tokio::time::sleep(LOOK).await;
        if cancel.check().is_err() {
            return Over::Cancelled;
        }
        if ends_at.is_some_and(|at| at <= Instant::now()) {
            return Over::TooLate;
        }
    }
}
