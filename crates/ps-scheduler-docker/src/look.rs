//! Inspects the new containers of a rollout: which have ended since the last time, how, and their last output.

use std::collections::BTreeMap;
use std::time::Duration;

use ps_engine::{Container, Fault};
use ps_rollout::{Event, Run};

use crate::clock;
use crate::containers::Containers;
use crate::end_in_words;

/// A container that ends within this time is reported as one that never came up.
const FIRST_SECOND: Duration = Duration::from_secs(1);

/// The result of a look.
pub(crate) struct Sight {
    /// The time of the look.
    pub(crate) time: Duration,
    /// The runs that were alive.
    pub(crate) alive: Vec<Run>,
    /// The runs that were not alive, each with its event.
    pub(crate) ends: Vec<(Run, Event)>,
}

/// Looks at these runs, which were started at these times.
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
        let is_early = time.saturating_sub(*since) < FIRST_SECOND && !may_end(containers, run);
        if container.is_some_and(|container| !is_early && containers.may_finish(&run.slot, container)) {
            ends.push((run.clone(), Event::Ended(run.clone())));
        } else {
            let how = end_in_words::of(containers.app.engine, &id, container, is_early).await;
            ends.push((run.clone(), Event::Died { run: run.clone(), how }));
        }
    }
    Ok(Sight { time, alive, ends })
}

/// Whether a run may be done at once, because other types wait for that, or because the type is not restarted.
fn may_end(containers: &Containers<'_>, run: &Run) -> bool {
    let (release, of) = (containers.fresh.as_ref().map(|fresh| fresh.release), &run.slot.process_type);
    release
        .is_some_and(|release| release.order().is_awaited_to_be_done(of) || release.is_left_when_it_ends(of))
}
