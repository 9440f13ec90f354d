//! Whether the supervisor can give the processes of a type the user and the limits that were set for it.

use std::os::unix::fs::MetadataExt;

use formation::ProcessType;
use ps_apps::Origin;
use ps_supervisor::{Confinement, Spec};
use rustix::process::{getegid, geteuid};

use crate::service::Service;

/// Refuses what it cannot, with the place where that was set.
pub(crate) fn judge(service: &Service, spec: &Spec, process_type: &ProcessType) -> Result<(), String> {
    let settings = spec.process(process_type).map(|process| &process.settings);
    let Some(confinement) = settings.and_then(Confinement::of) else { return Ok(()) };
    let (user, group) = supervisor(service);
    match confinement.refusal(user, group) {
        Some((setting, reason)) => Err(format!("{}: {reason}", place(service, process_type, setting))),
        None => Ok(()),
    }
}

/// The user and the group of the supervisor: root becomes the owner of the directory that it supervises, which is made for the owner of
/// all of them.
fn supervisor(service: &Service) -> (u32, u32) {
    let own = (geteuid().as_raw(), getegid().as_raw());
    let directories = [service.directory.as_path(), service.world.lib()];
    let owner = directories.into_iter().find_map(|directory| directory.metadata().ok());
    // The directory of root keeps root who it is.
    let becomes = |owner: &std::fs::Metadata| geteuid().is_root() && owner.uid() != own.0;
    owner.filter(becomes).map_or(own, |owner| (owner.uid(), owner.gid()))
}

/// Where a setting was made that holds for a type.
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
