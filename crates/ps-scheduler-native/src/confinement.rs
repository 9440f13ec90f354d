//! Checks whether the supervisor may apply the user, the limits and the sandbox that were set for a type.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use formation::ProcessType;
use ps_apps::{OfSource, Origin};
use ps_service::Service;
use ps_supervisor::{Confinement, Lacking, ProcessSpec, Spec};
use rustix::process::{getegid, geteuid};

/// Refuses a setting that the supervisor may not apply. The reason says where the setting was made.
pub(crate) fn judge(service: &Service, spec: &Spec, process_type: &ProcessType) -> Result<(), String> {
    let Some(process) = spec.process(process_type) else { return Ok(()) };
    let refused = |(setting, reason): (&str, String)| {
        Err(format!("{}: {reason}", place(service, process_type, setting)))
    };
    if let Some(confinement) = Confinement::of(&process.settings) {
        let (user, group) = supervisor(service);
        let refusal =
            confinement.refusal(user, group).or_else(|| hidden(service, spec, process, &confinement));
        if let Some(refusal) = refusal {
            return refused(refusal);
        }
    }
    match lacking_limits(service, process) {
        Some(Lacking { setting, sentence, is_refused: true }) => refused((setting, sentence)),
        Some(_) | None => Ok(()),
    }
}

/// The limits of a type that cannot be enforced for its instances, as a sentence for people; `None` if there are none.
pub(crate) fn lacking(service: &Service, spec: &Spec, process_type: &ProcessType) -> Option<String> {
    let lacking = lacking_limits(service, spec.process(process_type)?)?;
    Some(format!("{process_type}: {}", lacking.sentence))
}

fn lacking_limits(service: &Service, process: &ProcessSpec) -> Option<Lacking> {
    // Cgroups are made where the supervisor lives, or where the root lives that will start one.
    let keeper = || {
        let living = ps_supervisor::living_supervisors(&service.directory).first().copied();
        living.or_else(|| ps_supervisor::living_root(service.world.lib()))
    };
    ps_supervisor::lacking_limits(&process.settings, || (keeper(), supervisor(service).0))
}

/// If instances have a /tmp of their own: a directory that they need and would not see any more, with the setting that
/// hides it.
fn hidden(
    service: &Service,
    spec: &Spec,
    process: &ProcessSpec,
    confinement: &Confinement,
) -> Option<(&'static str, String)> {
    let below = |path: &Path, what: &str| {
        let place = confinement.hides(path)?.display();
        Some((
            "private-tmp",
            format!("{what} {} lies below {place}, where an instance would not see it", path.display()),
        ))
    };
    let speaks = process.health.as_ref().is_some_and(ps_supervisor::Health::is_told);
    below(&spec.directory, "the app's directory").or_else(|| {
        below(&service.directory, "the socket for messages about its state, in").filter(|_| speaks)
    })
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
        stored
            .of_type(process_type, &OfSource::default())
            .into_iter()
            .find(|found| found.setting.name == setting)
    });
    match found.map(|found| found.origin) {
        Some(Origin::Type) => format!("ps-set {app} {process_type}.{setting}"),
        Some(Origin::App) => format!("ps-set {app} {setting}"),
        Some(Origin::Global) => format!("ps-set --global {setting}"),
        Some(Origin::AppJson | Origin::Compose | Origin::Default) | None => {
            format!("app.json: formation.{process_type}.{}", setting.replace('-', "_"))
        }
    }
}
