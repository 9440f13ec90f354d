//! Compares the stored formation with the running instances. The differences are printed on stderr.

use std::collections::BTreeMap;

use formation::{Formation, RELEASE};
use ps_apps::Error;

use crate::status::Seen;

/// One text such as `web: 3 wanted, 2 running` for each type of a deployed app that has another number of instances than wanted. The
/// formation is read only if it is needed: nothing is reported if the scheduler does not answer or cannot tell instances apart.
pub(crate) fn gaps(
    seen: &Seen,
    wanted: impl FnOnce() -> Result<Formation, Error>,
) -> Result<Vec<String>, Error> {
    let is_counted = usize::try_from(seen.processes) == Ok(seen.slots.len());
    if seen.is_unknown() || !is_counted {
        return Ok(Vec::new());
    }
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (name, quantity) in wanted()?.iter() {
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
