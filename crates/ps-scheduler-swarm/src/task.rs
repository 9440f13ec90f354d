//! The tasks of a deploy, each as a service of one task that is never restarted.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use formation::{AppName, Exit};
use ps_engine::LogOutput;
use ps_scheduler::{Cancel, Error, LAST_LINES, Progress, Release, Requester, Task};
use serde_json::{Value, json};

use crate::alone::{self, FOR_THE_REST, Reader};
use crate::image_kind::Launched;
use crate::limit::Limit;
use crate::manager::{AFTER_GRACE, LOOK, Manager};
use crate::sealed::Seal;
use crate::swarm::Swarm;
use crate::{images, label, secret, spec};

/// How the task of a deploy has ended.
enum Over {
    Ended(Option<Exit>, String),
    TooLate,
    Cancelled,
}

/// Runs a task to its end.
pub(crate) fn run(
    swarm: &Swarm,
    release: &Release,
    task: &Task,
    requester: &mut Requester<'_>,
) -> Result<(), Error> {
    let world = swarm.ensured_id()?;
    let engine = swarm.engine()?;
    let app = &release.app;
    let logins = swarm.logins(app, requester.tell);
    let manager = Manager { logins: &logins, ..Manager::new(engine, &world, app, requester.cancel) };
    let mut last = VecDeque::new();
    let ends_within = release.grace(&task.process_type).saturating_add(AFTER_GRACE);
    let waits = release.run_timeout(&task.process_type).saturating_add(ends_within.saturating_mul(2));
    let limit = Limit::of(format!("the {} of {app}", task.process_type), app, waits);
    let contact = Rc::clone(&manager.contact);
    let over = engine.run(limit.hold(&contact, async {
        forget_all(&manager).await?;
        requester.cancel.check()?;
        (requester.tell)(Progress::Note(format!("Running {}: {}", task.process_type, task.command)));
        let service = begin(&manager, release, task).await?;
        let over = attend(&manager, &service, (release, task), requester, &mut last).await;
        let manager = Manager { cancel: &Cancel::default(), ..manager };
        forget_all(&manager).await?;
        secret::collect(&manager).await?;
        over
    }))?;
    match over {
        Over::Ended(Some(exit), _) if exit.is_success() => Ok(()),
        Over::Ended(Some(exit), _) => Err(task.failed(release, &format!("failed ({exit})"), &last)),
        Over::Ended(None, why) => Err(task.failed(release, &why, &last)),
        Over::TooLate => Err(task.failed(release, &release.overdue(&task.process_type), &last)),
        Over::Cancelled => Err(Error::Cancelled),
    }
}

/// Makes the service; its id.
async fn begin(manager: &Manager<'_>, release: &Release, task: &Task) -> Result<String, Error> {
    let what = format!("run the {} of {}", task.process_type, manager.app);
    let mut spec = spec::of_task(release, task, manager.world);
    let process_type = &task.process_type;
    let launched = Launched::of(manager, release.source.image(process_type)).await?;
    launched.run_line(&mut spec["TaskTemplate"]["ContainerSpec"], Some(&task.command));
    if let Some(seal) = Seal::of(manager, release, std::iter::once(process_type)).await? {
        seal.put_on(&mut spec["TaskTemplate"]["ContainerSpec"], process_type);
    }
    spec["Name"] = json!(name(manager.app, &spec));
    alone::make(manager, &spec, &what).await
}

fn name(app: &AppName, spec: &Value) -> String {
    let revision =
        spec["TaskTemplate"]["ContainerSpec"]["Labels"][label::REVISION].as_str().unwrap_or_default();
    let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let app: String = app.as_str().chars().filter(|c| is_legal(*c)).take(30).collect();
    format!("task-{app}-{revision}")
}

/// Waits for its end, and passes on what it writes.
async fn attend(
    manager: &Manager<'_>,
    service: &str,
    (release, task): (&Release, &Task),
    requester: &mut Requester<'_>,
    last: &mut VecDeque<String>,
) -> Result<Over, Error> {
    let until = Instant::now() + release.run_timeout(&task.process_type);
    let mut log = Reader::default();
    let mut lines = Lines::default();
    loop {
        if requester.cancel.check().is_err() {
            return Ok(Over::Cancelled);
        }
        let now = alone::task(manager, service, "look at a task of the deploy").await?;
        if let Some(now) = now.as_ref().filter(|now| now.container.is_some()) {
            let mut line = |line: String| {
                if last.len() == LAST_LINES {
                    last.pop_front();
                }
                last.push_back(line.clone());
                (requester.tell)(Progress::Output(line));
            };
            let mut take = |piece: &LogOutput| {
                lines.take(piece, &mut line);
                true
            };
            if now.phase.is_over() {
                let is_all = log.rest(manager.engine, &now.id, &mut take, FOR_THE_REST).await;
                if !is_all {
                    let unheard =
                        format!("{}: its node did not hand out all that it wrote", task.process_type);
                    (requester.tell)(Progress::Note(unheard));
                }
            } else {
                log.read(manager.engine, &now.id, &mut take).await;
            }
        }
        if let Some(now) = now.filter(|now| now.phase.is_over()) {
            let why = now.end_in_words().unwrap_or_default();
            let why = images::explained(manager, release.source.image(&task.process_type), &now, why).await?;
            return Ok(Over::Ended(now.exit, why));
        }
        if Instant::now() >= until {
            return Ok(Over::TooLate);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Makes lines of pieces of output.
#[derive(Default)]
struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    fn take(&mut self, piece: &LogOutput, line: &mut dyn FnMut(String)) {
        self.begun.extend_from_slice(piece.as_ref());
        while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
            let whole: Vec<u8> = self.begun.drain(..=end).collect();
            line(String::from_utf8_lossy(&whole).trim_end_matches(['\r', '\n']).to_owned());
        }
    }
}

/// Ends and removes the tasks of deploys that are no longer waited for.
pub(crate) async fn forget_all(manager: &Manager<'_>) -> Result<(), Error> {
    let what = format!("end the tasks of earlier deploys of {}", manager.app);
    alone::remove_all(manager, label::TASK, &what).await
}
