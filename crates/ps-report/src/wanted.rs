//! Intent beside reality: what the formation on disk asks for, where it is not what runs. It is talk, on our own only,
//! because Dokku's report has no place for it and its bytes are a contract.

use std::collections::BTreeMap;

use formation::{AppName, RELEASE};
use ps_apps::{Error, World};

use crate::status::Seen;

/// `web: 3 wanted, 2 running`, for each type of a deployed app that is not what was asked for. An app that was stopped
/// on purpose (`restore` is `false`) wants nothing, and nothing is said of a scheduler that does not answer or does not tell
/// instances apart.
pub(crate) fn gaps(
    world: &World,
    app: &AppName,
    seen: &Seen,
    (deployed, restore): (&str, &str),
) -> Result<Vec<String>, Error> {
    let is_counted = usize::try_from(seen.processes) == Ok(seen.slots.len());
    if world.inside_dokku() || seen.is_unknown() || !is_counted || restore == "false" || deployed != "true" {
        return Ok(Vec::new());
    }
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (name, quantity) in world.formation(app)?.wanted().iter() {
        counts.entry(name.to_string()).or_default().0 = usize::from(quantity.get());
    }
    for seen in seen.slots.iter().filter(|seen| seen.is_alive) {
        let name = seen.slot.as_ref().map_or(&*seen.name, |slot| slot.process_type.as_str());
        counts.entry(name.to_owned()).or_default().1 += 1;
    }
    counts.remove(RELEASE);
    let differ = counts.into_iter().filter(|(_, (wanted, running))| wanted != running);
    Ok(differ
        .map(|(name, (wanted, running))| format!("{name}: {wanted} wanted, {running} running"))
        .collect())
}
