//! Compares what the stored formation asks for with what runs. The differences are printed on stderr, and only
//! outside Dokku: Dokku's report has no place for them, and its output must stay the same byte for byte.

use std::collections::BTreeMap;

use formation::{AppName, RELEASE};
use ps_apps::{Error, World};

use crate::status::Seen;

/// One text such as `web: 3 wanted, 2 running` for each type of a deployed app whose number of instances is not the
/// wanted one. An app that was stopped on purpose (`restore` is `false`) wants none. Nothing is reported if the
/// scheduler does not answer or cannot tell instances apart.
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
    for (name, quantity) in world.wanted_formation(app)?.iter() {
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
