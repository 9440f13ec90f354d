//! A look at the new containers of a rollout: which of them have ended since the last one, how, and what they wrote last.

use std::collections::BTreeMap;
use std::time::Duration;

use ps_engine::{Container, Fault};
use ps_rollout::{Event, Run};

use crate::clock;
use crate::containers::Containers;

/// How many of the last lines that a container wrote are told.
const LAST_LINES: usize = 10;
/// Until when an end is told as that of a container that never came up.
const FIRST_SECOND: Duration = Duration::from_secs(1);

/// What a look has shown.
pub(crate) struct Sight {
    /// When it was.
    pub(crate) time: Duration,
    /// The runs that lived then.
    pub(crate) alive: Vec<Run>,
    /// The others, and what has happened to them.
    pub(crate) ends: Vec<(Run, Event)>,
}

/// How these runs are, which began to live at these times.
pub(crate) async fn look(
    containers: &Containers<'_>,
    living: &BTreeMap<Run, Duration>,
) -> Result<Sight, Fault> {
    let time = clock::now();
    let listed = containers.app.engine.list(&containers.app.filters()).await?;
    let (mut alive, mut ends) = (Vec::new(), Vec::new());
    for (run, since) in living {
        let id = containers.ids.borrow().get(run).cloned();
        let Some(id) = id else { continue };
        let container = listed.iter().find(|container| container.id == id);
        if container.is_some_and(Container::may_serve) {
            alive.push(run.clone());
            continue;
        }
        let is_early = time.saturating_sub(*since) < FIRST_SECOND;
        if container.is_some_and(|container| !is_early && containers.may_finish(container)) {
            ends.push((run.clone(), Event::Ended(run.clone())));
        } else {
            let how = told(containers, &id, container, is_early).await;
            ends.push((run.clone(), Event::Died { run: run.clone(), how }));
        }
    }
    Ok(Sight { time, alive, ends })
}

async fn told(
    containers: &Containers<'_>,
    id: &str,
    container: Option<&Container>,
    is_early: bool,
) -> String {
    let when = if is_early { " in its first second" } else { "" };
    let what = match container.map(|container| container.last_exit) {
        None => return "was removed by somebody while it started".to_owned(),
        Some(Some(exit)) => format!("ended with {exit}{when}"),
        Some(None) => format!("ended{when}"),
    };
    let lines = containers.app.engine.last_lines(id, LAST_LINES).await;
    if lines.is_empty() {
        return format!("{what}; it wrote nothing");
    }
    format!("{what}; the last it wrote:\n    {}", lines.join("\n    "))
}
