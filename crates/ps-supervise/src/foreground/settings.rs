//! The settings of app.json for the types that run: the order in which they start, which of them run once, their
//! schedules, and how long a run may take. The watched files come from the command line.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};
use formation::ProcessType;
use ps_cli::exit::Refusal;
use ps_supervisor::Spec;
use type_settings::Disorder;

use super::counts::{APP_JSON, app_json};
use crate::args::Args;

/// Sets these settings in `spec`. The other settings of app.json apply only to apps that are deployed.
pub(crate) fn set(spec: &mut Spec, root: &Path, args: &Args) -> Result<()> {
    let app_json = app_json(root)?;
    let watch = &args.watch;
    for process in spec.processes.iter_mut().filter(|process| process.quantity > 0) {
        let own = app_json.type_settings(&process.process_type).context(APP_JSON)?;
        process.settings.after = own.after;
        // With --any-exit nothing is started again.
        process.settings.restart_policy = own.restart_policy.filter(|_| !args.run.any_exit);
        process.settings.run_timeout = own.run_timeout;
        process.settings.schedule = own.schedule;
        process.settings.schedule_missed = own.schedule_missed;
        process.settings.schedule_overlap = own.schedule_overlap;
        process.settings.schedule_zone = own.schedule_zone;
        if let Some(paths) = &watch.watch {
            process.settings.watch_paths = Some(paths.clone());
            process.settings.watch_ignore = watch.watch_ignore.clone().or(own.watch_ignore);
        }
    }
    refuse_disorder(spec)
}

/// Refuses an order in which some type would never start, such as a circle.
fn refuse_disorder(spec: &Spec) -> Result<()> {
    let known: BTreeSet<ProcessType> =
        spec.processes.iter().map(|process| ProcessType::of_legal(&process.process_type)).collect();
    let order = spec.order();
    let disorder = order.disorder(Some(&known), |name| spec.policy(name), |name| spec.is_scheduled(name));
    disorder.map_or(Ok(()), |Disorder { process_type, what }| {
        Err(Refusal::failed(format!("{APP_JSON}: formation.{process_type}: {what}")))
    })
}
