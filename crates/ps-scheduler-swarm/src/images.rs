//! Whether an image can be had, asked before anything changes. A swarm finds out by tasks that are rejected, and by then it may have ended containers
//! of the release that runs: what it puts back, it puts back in new ones.

use std::collections::{BTreeMap, BTreeSet};

use formation::ProcessType;
use ps_engine::Fault;
use ps_scheduler::{Error, Release};

use crate::changes::ServiceChange;
use crate::failed::{backend, failed};
use crate::manager::Manager;

/// Refuses a change for which an image is needed that this machine does not have and no registry hands out. An image that is here may still be
/// missing elsewhere, which only the other nodes know.
pub(crate) async fn refuse_missing(
    manager: &Manager<'_>,
    release: &Release,
    changes: &BTreeMap<ProcessType, ServiceChange>,
) -> Result<(), Error> {
    let specified = changes.iter().filter(|(_, change)| change.is_specified());
    let images: BTreeSet<&str> =
        specified.filter_map(|(process_type, _)| release.source.image(process_type)).collect();
    for image in images {
        match manager.engine.image(image).await {
            Ok(_) => continue,
            Err(fault) if fault.is_gone() => {}
            Err(fault) => return Err(failed(&fault, &format!("look for the image {image}"))),
        }
        let Err(fault) = manager.engine.describe_in_registry(image).await else { continue };
        return Err(backend(&format!("deploy {}", manager.app), missing(image, &fault)));
    }
    Ok(())
}

fn missing(image: &str, fault: &Fault) -> String {
    format!(
        "this machine does not have the image {image}, and no registry hands it out ({}): push it, or docker pull it here; nothing was changed",
        fault.reason()
    )
}
