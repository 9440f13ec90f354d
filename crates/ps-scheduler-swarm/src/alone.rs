//! Services of one task that is never restarted: the tasks of a deploy, and one-offs. A job of a swarm is not used, because
//! it cannot be told to end, and its tasks are started again if their node is lost: a migration must not run twice.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use ps_engine::{Engine, LogOutput, Moment, OutputRange};
use ps_scheduler::Error;
use serde_json::{Value, json};

use crate::failed::of_swarm;
use crate::label;
use crate::limit::Limit;
use crate::manager::{AFTER_GRACE, LOOK, Manager};
use crate::service::grace;
use crate::swarm_task::SwarmTask;

/// Makes a service of this specification, which has a name of its own; its id. Whoever does not know whether it was made does not make
/// another one.
pub(crate) async fn make(manager: &Manager<'_>, spec: &Value, what: &str) -> Result<String, Error> {
    let name = spec["Name"].as_str().unwrap_or_default();
    manager.contact.has_begun.set(true);
    match manager.engine.create_service(spec, manager.auth(spec).as_deref()).await {
        Ok(answer) => Ok(answer["ID"].as_str().unwrap_or(name).to_owned()),
        Err(fault) if fault.is_conflict() => Err(of_swarm(&fault, what)),
        Err(fault) => {
            let filter = [("name", name)];
            let found = manager.patiently(what, || manager.engine.swarm_services(&filter, false)).await?;
            let id = found.as_array().into_iter().flatten().find(|json| json["Spec"]["Name"] == *name);
            let id = id.and_then(|json| json["ID"].as_str());
            id.map_or_else(|| Err(of_swarm(&fault, what)), |id| Ok(id.to_owned()))
        }
    }
}

/// The task of such a service that is the current one; `None` while the swarm has not made it, and once it has removed it.
pub(crate) async fn task(
    manager: &Manager<'_>,
    service: &str,
    what: &str,
) -> Result<Option<SwarmTask>, Error> {
    let filter = [("service", service)];
    let list = manager.patiently(what, || manager.engine.swarm_tasks(&filter)).await?;
    Ok(SwarmTask::read_all(&list).pop())
}

/// The services of an app that have this label.
pub(crate) async fn list(manager: &Manager<'_>, kind: &str, what: &str) -> Result<Vec<Value>, Error> {
    let mut labels = label::filter(manager.world, Some(manager.app));
    labels.push(kind.to_owned());
    let filter: Vec<(&str, &str)> = labels.iter().map(|label| ("label", label.as_str())).collect();
    let list = manager.patiently(what, || manager.engine.swarm_services(&filter, false)).await?;
    Ok(list.as_array().cloned().unwrap_or_default())
}

/// Ends and removes the services of an app that have this label.
pub(crate) async fn remove_all(manager: &Manager<'_>, kind: &str, what: &str) -> Result<(), Error> {
    let list = list(manager, kind, what).await?;
    let left: BTreeSet<&str> = list.iter().filter_map(|json| json["ID"].as_str()).collect();
    remove(manager, &left, what).await
}

/// Ends the tasks of some services, waits for their ends, and removes the services. The order matters: once a service is removed, the swarm does
/// not report whether its containers have ended. A service that is gone is success. All of them end at the same time, so that the longest of
/// their grace periods is the time for all.
pub(crate) async fn remove(manager: &Manager<'_>, ids: &BTreeSet<&str>, what: &str) -> Result<(), Error> {
    let mut longest = Duration::ZERO;
    for id in ids {
        longest = longest.max(tell_to_end(manager, id, what).await?.unwrap_or_default());
    }
    let waits = longest.saturating_add(AFTER_GRACE);
    let until = Instant::now() + waits;
    let ended = async {
        for id in ids {
            end(manager, id, what, until).await?;
            manager.remove(id).await?;
        }
        Ok(())
    };
    Limit::of(format!("what was asked of the swarm ({what})"), manager.app, waits)
        .hold(&manager.contact, ended)
        .await
}

async fn end(manager: &Manager<'_>, id: &str, what: &str, until: Instant) -> Result<(), Error> {
    let filter = [("service", id)];
    loop {
        let list = match manager.answered(|| manager.engine.swarm_tasks(&filter)).await? {
            Err(fault) if fault.is_gone() => return Ok(()),
            list => list.map_err(|fault| of_swarm(&fault, what))?,
        };
        if SwarmTask::read_all(&list).iter().all(|task| task.phase.is_over()) {
            return Ok(());
        }
        if tell_to_end(manager, id, what).await?.is_none() || Instant::now() >= until {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Tells the task of a service to end, if it was not told before. How long it has for that; `None` if the service is gone. Whether it has
/// been told is for the caller to look at in the next round: nothing is told twice.
pub(crate) async fn tell_to_end(
    manager: &Manager<'_>,
    id: &str,
    what: &str,
) -> Result<Option<Duration>, Error> {
    let json = match manager.answered(|| manager.engine.service(id)).await? {
        Err(fault) if fault.is_gone() => return Ok(None),
        json => json.map_err(|fault| of_swarm(&fault, what))?,
    };
    let mut spec = json["Spec"].clone();
    if spec["Mode"]["Replicated"]["Replicas"] != 0 {
        spec["Mode"]["Replicated"]["Replicas"] = json!(0);
        let version = json["Version"]["Index"].as_u64().unwrap_or_default();
        manager.contact.has_begun.set(true);
        let _ = manager.engine.update_service(id, version, &spec, None).await;
    }
    Ok(Some(grace(&spec)))
}

/// How long is read on in the log of a task until its caller looks at other things again: a task may write faster than anybody reads.
const AT_A_TIME: Duration = Duration::from_secs(2);

/// How long the rest of what a task wrote is waited for, after the last piece that came.
pub(crate) const FOR_THE_REST: Duration = Duration::from_secs(10);

/// Reads on in the log of a task.
#[derive(Default)]
pub(crate) struct Reader {
    after: Option<Moment>,
}

impl Reader {
    /// Hands out what was not handed out yet, until now. Whether that was all: its node has answered, `take` wants more, and it was not too
    /// much for one time.
    pub(crate) async fn read(
        &mut self,
        engine: &Engine,
        task: &str,
        take: &mut dyn FnMut(&LogOutput) -> bool,
    ) -> bool {
        let (range, begin) = (OutputRange::default(), Instant::now());
        let mut pieces = Box::pin(engine.task_logs(task, &range, false, self.after.clone()));
        while let Some(piece) = pieces.next().await {
            let Ok((moment, piece)) = piece else { return false };
            self.after = moment.or(self.after.take());
            if !take(&piece) || begin.elapsed() >= AT_A_TIME {
                return false;
            }
        }
        true
    }

    /// Hands out the rest of what a task has written that has ended. A busy node hands it out slowly: it is waited for as long as something
    /// comes, and `patience` after that. Whether that was all, and `take` wanted all of it.
    pub(crate) async fn rest(
        &mut self,
        engine: &Engine,
        task: &str,
        take: &mut dyn FnMut(&LogOutput) -> bool,
        patience: Duration,
    ) -> bool {
        let mut until = Instant::now() + patience;
        let mut is_wanted = true;
        loop {
            let before = self.after.clone();
            let mut take = |piece: &LogOutput| {
                is_wanted = take(piece);
                is_wanted
            };
            if self.read(engine, task, &mut take).await {
                return true;
            }
            if self.after != before {
                until = Instant::now() + patience;
            }
            if !is_wanted || Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
