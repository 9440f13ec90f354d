//! The tasks of a deploy, each as a service of one task that is never restarted. A job of a swarm is not used, because
//! it cannot be told to end, and its tasks are started again if their node is lost: a migration must not run twice.

use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::time::Instant;

use formation::{AppName, Exit};
use futures_util::StreamExt;
use ps_engine::{Engine, LogOutput, Moment, OutputRange};
use ps_scheduler::{Cancel, Error, LAST_LINES, Progress, Release, Requester, Task};
use serde_json::{Value, json};

use crate::failed::of_swarm;
use crate::manager::{AFTER_GRACE, LOOK, Manager};
use crate::sealed::Seal;
use crate::swarm::Swarm;
use crate::swarm_task::{Phase, SwarmTask};
use crate::{label, secret, spec};

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
    let manager = Manager { engine, world: &world, app, cancel: requester.cancel, clients: None };
    let mut last = VecDeque::new();
    let over = engine.run(async {
        forget_all(&manager).await?;
        requester.cancel.check()?;
        (requester.tell)(Progress::Note(format!("Running {}: {}", task.process_type, task.command)));
        let service = begin(&manager, release, task).await?;
        let over = attend(&manager, &service, (release, task), requester, &mut last).await;
        let manager = Manager { cancel: &Cancel::default(), ..manager };
        forget_all(&manager).await?;
        secret::collect(&manager).await?;
        over
    })?;
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
    if let Some(seal) = Seal::of(manager, release, std::iter::once(process_type)).await? {
        seal.put_on(&mut spec["TaskTemplate"]["ContainerSpec"], process_type);
    }
    let name = name(manager.app, &spec);
    spec["Name"] = json!(name);
    // Whoever does not know whether it was made does not make another one.
    let made = manager.engine.create_service(&spec).await;
    match made {
        Ok(answer) => Ok(answer["ID"].as_str().unwrap_or(&name).to_owned()),
        Err(fault) => {
            let filter = [("name", name.as_str())];
            let found = manager.patiently(&what, || manager.engine.swarm_services(&filter, false)).await?;
            let id = found.as_array().into_iter().flatten().find(|json| json["Spec"]["Name"] == *name);
            let id = id.and_then(|json| json["ID"].as_str());
            id.map_or_else(|| Err(of_swarm(&fault, &what)), |id| Ok(id.to_owned()))
        }
    }
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
    let mut reader = Reader::default();
    let filter = [("service", service)];
    loop {
        if requester.cancel.check().is_err() {
            return Ok(Over::Cancelled);
        }
        let list =
            manager.patiently("look at a task of the deploy", || manager.engine.swarm_tasks(&filter)).await?;
        let now = SwarmTask::read_all(&list).pop();
        if let Some(now) = &now
            && now.container.is_some()
        {
            reader
                .read(manager.engine, &now.id, &mut |line| {
                    if last.len() == LAST_LINES {
                        last.pop_front();
                    }
                    last.push_back(line.clone());
                    (requester.tell)(Progress::Output(line));
                })
                .await;
        }
        if let Some(now) = now.filter(|now| now.phase.is_over()) {
            let why = now.end_in_words().unwrap_or_default();
            let exit = now.exit.filter(|_| now.phase != Phase::Rejected);
            return Ok(Over::Ended(exit, why));
        }
        if Instant::now() >= until {
            return Ok(Over::TooLate);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Reads on in the log of a task, line by line.
#[derive(Default)]
struct Reader {
    after: Option<Moment>,
    begun: Vec<u8>,
}

impl Reader {
    async fn read(&mut self, engine: &Engine, task: &str, line: &mut dyn FnMut(String)) {
        let range = OutputRange::default();
        let mut pieces = Box::pin(engine.task_logs(task, &range, false, self.after.clone()));
        while let Some(Ok((moment, piece))) = pieces.next().await {
            self.after = moment.or(self.after.take());
            let _ = self.take(&piece, line);
        }
    }

    fn take(&mut self, piece: &LogOutput, line: &mut dyn FnMut(String)) -> ControlFlow<()> {
        self.begun.extend_from_slice(piece.as_ref());
        while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
            let whole: Vec<u8> = self.begun.drain(..=end).collect();
            line(String::from_utf8_lossy(&whole).trim_end_matches(['\r', '\n']).to_owned());
        }
        ControlFlow::Continue(())
    }
}

/// Ends and removes the tasks of deploys that are no longer waited for.
pub(crate) async fn forget_all(manager: &Manager<'_>) -> Result<(), Error> {
    let what = format!("end the tasks of earlier deploys of {}", manager.app);
    let mut labels = label::filter(manager.world, Some(manager.app));
    labels.push(label::TASK.to_owned());
    let filter: Vec<(&str, &str)> = labels.iter().map(|label| ("label", label.as_str())).collect();
    let list = manager.patiently(&what, || manager.engine.swarm_services(&filter, false)).await?;
    let left: BTreeSet<&str> =
        list.as_array().into_iter().flatten().filter_map(|json| json["ID"].as_str()).collect();
    for id in left {
        end(manager, id, &what).await?;
        manager.remove(id).await?;
    }
    Ok(())
}

/// Ends the only task of a service, and waits for its end. Once a service is removed, the swarm does not report whether
/// its containers have ended.
async fn end(manager: &Manager<'_>, id: &str, what: &str) -> Result<(), Error> {
    let until = Instant::now() + AFTER_GRACE;
    let filter = [("service", id)];
    loop {
        let list = manager.patiently(what, || manager.engine.swarm_tasks(&filter)).await?;
        if SwarmTask::read_all(&list).iter().all(|task| task.phase.is_over()) || Instant::now() >= until {
            return Ok(());
        }
        let json = manager.patiently(what, || manager.engine.service(id)).await?;
        let mut spec = json["Spec"].clone();
        if spec["Mode"]["Replicated"]["Replicas"] != 0 {
            spec["Mode"]["Replicated"]["Replicas"] = json!(0);
            let version = json["Version"]["Index"].as_u64().unwrap_or_default();
            // Whether it has come to be is looked at in the next round.
            let _ = manager.engine.update_service(id, version, &spec).await;
        }
        tokio::time::sleep(LOOK).await;
    }
}
