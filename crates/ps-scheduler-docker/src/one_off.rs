//! One-off containers. The engine removes a one-off when it has ended. If the program that waits for it was killed, or its time is
//! over, `retire` removes it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use formation::{AppName, Exit, Slot};
use ps_container_talk::{Over, SIGPIPE, Talk, draw_name, missing_command, shell, waiter};
use ps_engine::{Container, ContainerCreateBody, Engine, Fault, Target};
use ps_scheduler::{Command, Ended, Entry, Error, OneOff, Source, Streams};

use crate::app::{self, App};
use crate::beside::{self, Beside};
use crate::docker_local::DockerLocal;
use crate::entrypoint;
use crate::failed::failed;
use crate::label;
use crate::network;

/// Dokku's name for the kind of a container that was started by `run`.
pub(crate) const KIND: &str = "run";
/// The time limit of a detached run without a limit of its own: a day, as in Dokku.
pub(crate) const USUAL: Duration = Duration::from_secs(86_400);
/// How often another random name is tried if one is taken.
const DRAWS: u32 = 5;

/// Runs the command to its end, or starts it.
pub(crate) fn run(docker: &DockerLocal, order: &OneOff<'_>) -> Result<Ended, Error> {
    let Source::Image(image) = &order.release.source else {
        return Err(Error::Unsupported {
            scheduler: "docker-local".to_owned(),
            what: "run a command for an app without an image of its own, such as one of a Compose file: use ps-lifecycle enter",
        });
    };
    let engine = docker.engine()?;
    let app = &order.release.app;
    let name = format!("{app}.{}", order.name);
    let body = behind_entrypoint(engine, image, order, description(docker, image, order));
    let networks = beside::networks(docker.world().root(), order.release, &order.process_type);
    engine.run(async {
        let id = engine.create(&name, body).await;
        let id = id.map_err(|fault| failed(fault, format!("create {name}")))?;
        let ended = match network::join(engine, &id, &networks).await {
            Ok(()) => once(engine, &id, order).await,
            Err((_, fault)) => Err(fault),
        };
        if ended.is_err() {
            // The container is removed whether its start succeeded or failed.
            let _ = engine.remove(&id).await;
        }
        match ended {
            Err(fault @ Fault::Refused { status: 400, .. }) => match missing_command(fault.reason()) {
                Some(exit) => Ok(Ended::Exit(exit)),
                None => Err(failed(fault, format!("run {name}"))),
            },
            ended => ended.map_err(|fault| failed(fault, format!("run {name}"))),
        }
    })
}

/// The next name that no container of the app has.
pub(crate) fn name(docker: &DockerLocal, app: &AppName) -> Result<Slot, Error> {
    let engine = docker.engine()?;
    let listed = engine.run(engine.list(&[format!("{}={app}", label::APP)]));
    let listed = listed.map_err(|fault| failed(fault, "list the containers"))?;
    let is_taken = |slot: &Slot| listed.iter().any(|container| container.name == format!("{app}.{slot}"));
    let mut drawn = (0..DRAWS).map(|_| draw_name());
    drawn.find(|slot| !is_taken(slot)).ok_or_else(|| Error::Backend {
        context: format!("find a name for a one-off of {app}"),
        reason: "every name that was tried is in use: ps-lifecycle retire removes old ones".to_owned(),
    })
}

async fn once(engine: &Engine, id: &str, order: &OneOff<'_>) -> Result<Ended, Fault> {
    let is_terminal = match order.streams {
        Streams::Ours { is_terminal } => is_terminal,
        Streams::Nobodys { tell } => {
            engine.start(id).await?;
            tell();
            return Ok(Ended::RunsOn);
        }
    };
    let streams = engine.attach(id, is_terminal).await?;
    let removal = engine.await_removal(id).await?;
    engine.start(id).await?;
    let OneOff { timeout, grace, signals, .. } = *order;
    let target = Target::Container(id);
    let talk = Talk { engine, container: id, target, is_terminal, signals, timeout, grace };
    match talk.hold(streams).await? {
        Over::TimedOut => removal.status().await.map(|_| Ended::TimedOut),
        Over::Unread => {
            engine.remove(id).await?;
            Ok(Ended::Exit(Exit::Signal(SIGPIPE)))
        }
        Over::Silent => Ok(Ended::Exit(exit(removal.status().await?))),
    }
}

pub(crate) fn exit(status: i64) -> Exit {
    ps_engine::exit_of(status).unwrap_or(Exit::Code(1))
}

/// The description that the engine creates the container from: it has the settings of the type, but is not one of its
/// instances.
fn description(docker: &DockerLocal, image: &str, order: &OneOff<'_>) -> ContainerCreateBody {
    let is_waited_for = matches!(order.streams, Streams::Ours { .. });
    // The grace period is part of the time limit.
    let deadline = order.timeout.or((!is_waited_for).then_some(USUAL));
    let deadline = deadline.map(|deadline| deadline.saturating_add(order.grace));
    let (process_type, name, env) = (&order.process_type, &order.name, order.env.as_slice());
    let beside = Beside { kind: KIND, process_type, name, env, deadline, is_waited_for };
    let mut body = beside::container(docker.world().root(), order.release, image, &beside);
    body.cmd = match &order.command {
        Command::OfType => body.cmd,
        Command::Words(words) => Some(words.clone()),
        Command::Shell => Some(shell()),
    };
    if let Some(host) = &mut body.host_config {
        host.auto_remove = Some(true);
    }
    if let Streams::Ours { is_terminal } = order.streams {
        let is_attached = Some(true);
        (body.attach_stdin, body.attach_stdout, body.attach_stderr) = (is_attached, is_attached, is_attached);
        (body.open_stdin, body.stdin_once, body.tty) = (is_attached, is_attached, Some(is_terminal));
    }
    body
}

/// Adapts the command to the image. If the image cannot be inspected, creating the container fails with the reason.
fn behind_entrypoint(
    engine: &Engine,
    image: &str,
    order: &OneOff<'_>,
    body: ContainerCreateBody,
) -> ContainerCreateBody {
    let Ok(image) = engine.run(engine.image(image)) else { return body };
    let process = order.release.process(&order.process_type);
    match (&order.command, process.and_then(|process| process.command.as_deref())) {
        (Command::OfType, Some(command)) => entrypoint::behind(body, command, &image),
        (Command::OfType, None) => body,
        (Command::Words(words), _) => entrypoint::with_words(body, words, &image),
        (Command::Shell, _) => entrypoint::with_words(body, &shell(), &image),
    }
}

/// Runs a command in the container of an instance.
pub(crate) fn enter(docker: &DockerLocal, entry: &Entry<'_>) -> Result<Ended, Error> {
    let records = app::records(docker.world(), entry.app)?;
    let record = records.slots.get(entry.slot).and_then(|record| record.id.clone());
    let id = record.ok_or_else(|| Error::NoSuchInstance {
        app: entry.app.clone(),
        which: entry.slot.to_string(),
        present: records.slots.keys().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    })?;
    let engine = docker.engine()?;
    let entered = engine.run(ps_container_talk::enter(engine, &id, entry));
    entered.map_err(|fault| failed(fault, format!("enter {} of {}", entry.slot, entry.app)))
}

/// Whether a one-off must be removed, because its time is over or the program that waits for it was killed.
pub(crate) fn is_due(container: &Container) -> bool {
    let is_abandoned = container.label(label::WAITS).is_some_and(|waits| !waiter::is_alive(waits));
    let limit = container.label(label::DEADLINE).and_then(|seconds| seconds.parse().ok());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let age = now.saturating_sub(container.created);
    is_abandoned || limit.is_some_and(|limit| age >= Duration::from_secs(limit))
}

impl App<'_> {
    /// Ends and removes every one-off of an app that is about to be destroyed.
    pub(crate) async fn remove_one_offs(&self, grace: Duration) -> Result<(), Error> {
        let root = format!("{}={}", label::ROOT, self.world.root().display());
        let listed = self.engine.list(&[root, format!("{}={}", label::APP, self.name)]).await;
        let listed = listed.map_err(|fault| self.error(fault, "list the one-off containers"))?;
        for container in listed.iter().filter(|container| label::is_one_off(container)) {
            let removed = remove(self.engine, container, grace).await;
            removed.map_err(|fault| self.error(fault, &format!("remove {}", container.name)))?;
        }
        Ok(())
    }
}

/// Ends a one-off with SIGTERM and after the grace period with SIGKILL, and removes it.
pub(crate) async fn remove(engine: &Engine, container: &Container, grace: Duration) -> Result<(), Fault> {
    if container.may_serve() {
        end(engine, &container.id, grace).await
    } else {
        clear(engine, &container.id).await
    }
}

/// Ends a container that may be running, in the same way.
pub(crate) async fn end(engine: &Engine, id: &str, grace: Duration) -> Result<(), Fault> {
    match engine.stop(id, grace).await {
        Err(fault) if !fault.is_gone() && !fault.is_conflict() => Err(fault),
        _ => clear(engine, id).await,
    }
}

async fn clear(engine: &Engine, id: &str) -> Result<(), Fault> {
    match engine.remove(id).await {
        // The engine removes the container by itself.
        Err(fault) if fault.is_conflict() => Ok(()),
        removed => removed,
    }
}
