//! Whether the checks of a plan can be made at all. Otherwise a swarm would end each instance after a while as one that is sick.

use std::collections::{BTreeSet, HashMap};

use formation::ProcessType;
use ps_scheduler::{Change, Error, Plan};

use crate::sealed;
use crate::shell::{self, SHELL};
use crate::spec::Proof;
use crate::swarm::Swarm;

/// Why the checks of a plan could never succeed: an image without a shell. `None`: nothing is known to be in their way. A type that goes on
/// with the specification that it has is not looked at, nor is an image that this machine does not have.
pub(crate) async fn refusal(swarm: &Swarm, plan: &Plan) -> Result<Option<String>, Error> {
    let (release, engine) = (&plan.release, swarm.engine()?);
    let mut shells: HashMap<&str, bool> = HashMap::new();
    for process_type in specified(plan) {
        // Without a shell nothing could be exported either, which is refused with a reason of its own.
        let is_checked = plan.rules.get(process_type).is_some_and(|rules| {
            Proof::of(release, process_type, rules).health.is_some()
                && !sealed::is_sealed(release, process_type)
        });
        let Some(image) = release.source.image(process_type).filter(|_| is_checked) else { continue };
        let has_shell = match shells.get(image) {
            Some(has_shell) => *has_shell,
            None => match shell::is_in(engine, swarm, &release.app, image).await {
                Err(fault) if fault.is_gone() => true,
                looked => looked.map_err(|fault| shell::of_image(&fault, &release.app, image))?,
            },
        };
        shells.insert(image, has_shell);
        if !has_shell {
            // An app that was never deployed has no settings of its own yet.
            let is_known = swarm.world().recorded_as_deployed(&release.app).is_ok_and(|is| is == Some(true));
            let setting = if is_known {
                format!("ps-set {} {process_type}.checks skipped", release.app)
            } else {
                "ps-set --global checks skipped".to_owned()
            };
            return Ok(Some(format!(
                "the image {image} of {process_type} has no {SHELL}, with which a swarm makes the checks of an instance: deploy one that has \
                 it, or go without checks: {setting}"
            )));
        }
    }
    Ok(None)
}

/// The types whose services this plan specifies anew, or may have to make.
fn specified(plan: &Plan) -> BTreeSet<&ProcessType> {
    let of = |change: Change| plan.slots(change).map(|slot| &slot.process_type);
    let kept: BTreeSet<&ProcessType> = of(Change::Keep).collect();
    of(Change::Replace).chain(of(Change::Start).filter(|process_type| !kept.contains(process_type))).collect()
}
