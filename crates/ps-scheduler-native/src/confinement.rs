//! Checks whether the supervisor may apply the user and the limits that were set for a type.

use std::os::unix::fs::MetadataExt;

use formation::ProcessType;
use ps_apps::Origin;
use ps_supervisor::{Confinement, Spec};
use rustix::process::{getegid, geteuid};

use crate::service::Service;

/// Refuses a setting that it may not apply, and says where the setting was made.
pub(crate) fn judge(service: &Service, spec: &Spec, process_type: &ProcessType) -> Result<(), String> {
    let settings = spec.process(process_type).map(|process| &process.settings);
    let Some(confinement) = settings.and_then(Confinement::of) else { return Ok(()) };
    let (user, group) = supervisor(service);
    match confinement.refusal(user, group) {
        Some((setting, reason)) => Err(format!("{}: {reason}", place(service, process_type, setting))),
        None => Ok(()),
    }
}

/// The user and group of the supervisor. A supervisor that root starts becomes the owner of the app's service directory,
/// which was made for the owner of the directory of all services.
fn supervisor(service: &Service) -> (u32, u32) {
    let own = (geteuid().as_raw(), getegid().as_raw());
    let directories = [service.directory.as_path(), service.world.lib()];
    let owner = directories.into_iter().find_map(|directory| directory.metadata().ok());
    // If root owns the directory, the supervisor stays root.
    let becomes = |owner: &std::fs::Metadata| geteuid().is_root() && owner.uid() != own.0;
    owner.filter(becomes).map_or(own, |owner| (owner.uid(), owner.gid()))
}

/// The place where a setting of a type was made, for people.
fn place(service: &Service, process_type: &ProcessType, setting: &str) -> String {
    let app = &service.app;
    let stored = service.world.stored_settings(app).ok();
    let found = stored.and_then(|stored| {
        stored.of_type(process_type, &[]).into_iter().find(|found| found.setting.name == setting)
    });
    match found.map(|found| found.origin) {
        Some(Origin::Type) => format!("ps-set {app} {process_type}.{setting}"),
        Some(Origin::App) => format!("ps-set {app} {setting}"),
        Some(Origin::Global) => format!("ps-set --global {setting}"),
        Some(Origin::AppJson | Origin::Default) | None => {
            format!("app.json: formation.{process_type}.{}", setting.replace('-', "_"))
        }
    }
}
