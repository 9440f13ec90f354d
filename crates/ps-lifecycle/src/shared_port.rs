//! Instances that share a port by themselves (`SO_REUSEPORT`). Each has a queue of its own there, and the kernel resets what waits in the queue of one
//! that ends, so a deploy cannot promise that no connection fails. The deploy says so.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use formation::ProcessType;
use os_process::{Listeners, Processes};
use ps_scheduler::{Plan, Scheduler};
use ps_service::Service;

use crate::session::Session;

/// Says which ports instances of one type share, after a deploy of an app without an address. Of an app with one instance of each type nothing
/// is looked at.
pub(crate) fn tell(session: &Session, scheduler: &dyn Scheduler, plan: &Plan) -> Result<()> {
    let release = &plan.release;
    let has_several = plan.wanted.iter().any(|(_, count)| count.get() > 1);
    if !has_several || !release.listen.is_empty() || !release.source.is_native() {
        return Ok(());
    }
    // What cannot be seen is not told: the deploy has succeeded.
    let Ok(status) = scheduler.status_of(&release.app) else { return Ok(()) };
    let directory = Service::of(&session.world, &release.app, None).directory;
    let mut processes = Processes::new(ps_supervisor::MARKER);
    let mut groups = BTreeMap::<ProcessType, Vec<BTreeSet<u32>>>::new();
    for instance in status.instances {
        let Some(main) = instance.pid else { continue };
        let mark = ps_supervisor::mark(&directory, &instance.slot, instance.run.unwrap_or(0));
        let pids = processes.of(&mark, main).into_iter().collect();
        groups.entry(instance.slot.process_type).or_default().push(pids);
    }
    let mut listeners = Listeners::default();
    for (process_type, groups) in groups.into_iter().filter(|(_, groups)| groups.len() > 1) {
        for port in listeners.ports_of_two(groups) {
            session.detail(&format!(
                "the instances of {process_type} share port {port} (SO_REUSEPORT): connections that wait for one that ends are reset, \
                 so clients may notice a deploy; with an address (--listen) they do not"
            ))?;
        }
    }
    Ok(())
}
