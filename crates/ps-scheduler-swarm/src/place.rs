//! Where the instances of an app run, as seen from this machine: an engine lists the processes of its own containers, and runs commands in
//! these alone. Of every other instance the node is named, and what to type there.

use formation::{AppName, Slot};
use ps_scheduler::{Cancel, Ended, Entry, Error, OsProcess};

use crate::failed::{backend, failed, of_swarm};
use crate::manager::Manager;
use crate::swarm::Swarm;
use crate::swarm_task::Phase;

/// How much of the id of a container is shown.
const SHORT: usize = 12;

/// A container of an instance.
struct Placed {
    slot: Slot,
    container: String,
    /// What its node is called; `None`: it is this one.
    elsewhere: Option<String>,
}

impl Swarm {
    /// Every process of the instances that run on the node whose engine is asked, in the order of the slots; and of each other instance a
    /// sentence that says where it runs.
    ///
    /// # Errors
    /// The app was never deployed, or the swarm does not answer.
    pub fn processes(&self, app: &AppName) -> Result<(Vec<OsProcess>, Vec<String>), Error> {
        let engine = self.engine()?;
        let (mut processes, mut sentences) = (Vec::new(), Vec::new());
        for Placed { slot, container, elsewhere } in placed(self, app)? {
            if let Some(node) = elsewhere {
                sentences
                    .push(format!("{slot} of {app} runs on {node}; there: docker top {}", short(&container)));
                continue;
            }
            match engine.run(engine.top(&container, OsProcess::COLUMNS)) {
                Ok(rows) => processes.extend(rows.iter().filter_map(|row| OsProcess::of_ps(&slot, row))),
                // It has ended meanwhile.
                Err(fault) if fault.is_gone() || fault.is_conflict() => (),
                Err(fault) => return Err(failed(&fault, &format!("list the processes of {slot} of {app}"))),
            }
        }
        Ok((processes, sentences))
    }
}

/// Runs a command in the container of an instance on the node that is asked; of any other instance, says where it runs and what to type there.
pub(crate) fn enter(swarm: &Swarm, entry: &Entry<'_>) -> Result<Ended, Error> {
    let (app, slot) = (entry.app, entry.slot);
    let placed = placed(swarm, app)?;
    let Some(Placed { container, elsewhere, .. }) = placed.iter().find(|placed| placed.slot == *slot) else {
        let present: Vec<String> = placed.iter().map(|placed| placed.slot.to_string()).collect();
        let (app, which) = (app.clone(), slot.to_string());
        return Err(Error::NoSuchInstance { app, which, present: present.join(" ") });
    };
    let what = format!("enter {slot} of {app}");
    let Some(node) = elsewhere else {
        let engine = swarm.engine()?;
        let entered = engine.run(ps_container_talk::enter(engine, container, entry));
        return entered.map_err(|fault| failed(&fault, &what));
    };
    let words = entry.words.map_or_else(|| "sh".to_owned(), |words| words.join(" "));
    let container = short(container);
    Err(backend(
        &what,
        format!(
            "only the engine of its node can do that; on node {node}: docker exec -it {container} {words}"
        ),
    ))
}

/// As much of the id of a container as a person types.
fn short(container: &str) -> &str {
    container.get(..SHORT).unwrap_or(container)
}

/// The containers of the instances that run.
fn placed(swarm: &Swarm, app: &AppName) -> Result<Vec<Placed>, Error> {
    let not_deployed = || Error::NotDeployed { app: app.clone() };
    let world = swarm.known_id()?.ok_or_else(not_deployed)?;
    let engine = swarm.engine()?;
    let cancel = Cancel::default();
    let manager = Manager::new(engine, &world, app, &cancel);
    let (seen, nodes) =
        engine.run(async { Ok::<_, Error>((manager.look().await?, manager.nodes().await?)) })?;
    if seen.services.is_empty() {
        return Err(not_deployed());
    }
    let what = format!("ask where {app} runs");
    let own = engine.run(engine.swarm_info()).map_err(|fault| of_swarm(&fault, &what))?;
    let own = own["NodeID"].as_str().unwrap_or_default();
    let mut placed: Vec<Placed> = Vec::new();
    for service in &seen.services {
        let running =
            seen.tasks_of(&service.id).filter(|task| task.is_current() && task.phase == Phase::Running);
        placed.extend(running.filter_map(|task| {
            Some(Placed {
                slot: Slot::new(service.process_type.clone(), task.slot),
                container: task.container.clone()?,
                elsewhere: (task.node != own).then(|| nodes.name(task)),
            })
        }));
    }
    placed.sort_by(|one, other| one.slot.cmp(&other.slot));
    Ok(placed)
}
