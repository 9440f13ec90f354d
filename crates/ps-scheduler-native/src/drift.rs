//! Differences between running instances and their present settings. They are found from files alone: the settings that
//! an instance was started with are in its status, and those that its supervisor applies in the spec.

use formation::RestartPolicy;
use ps_scheduler::{Drift, Error, Release};
use ps_service::{Service, backend};
use ps_supervisor::{Spec, Status};
use type_settings::{Setting, TypeSettings, Whole};

/// The settings in which running instances of an app differ from the present ones, by slot. A run of an earlier version did not record
/// its settings; for it only the spec of its supervisor is compared.
pub(crate) fn drift(service: &Service, release: &Release) -> Result<Vec<Drift>, Error> {
    let Some(spec) = service.spec()? else { return Ok(Vec::new()) };
    let listing = service.listing()?;
    let statuses = service.statuses(&listing);
    let mut found = Vec::new();
    for slot in &listing.slots {
        let unreadable = |error| backend(format!("read the status of {slot} of {}", service.app), &error);
        let runs = statuses.read_all(slot).map_err(|error| unreadable(error.to_string()))?;
        let living = runs.iter().filter(|status| is_alive(status));
        found.extend(living.flat_map(|status| of_run(status, &spec, release)));
    }
    Ok(found)
}

fn is_alive(status: &Status) -> bool {
    status.process.as_ref().is_some_and(|process| process.stat().is_some())
}

/// The differences of one run. A type that is missing in the release, or in the spec so far, cannot be compared.
fn of_run(status: &Status, spec: &Spec, release: &Release) -> Vec<Drift> {
    let process_type = &status.slot.process_type;
    let (Some(specified), Some(process)) = (spec.process(process_type), release.process(process_type)) else {
        return Vec::new();
    };
    let grace = |seconds: u64| seconds.to_string().parse().ok();
    let in_force = whole(&specified.settings, spec.restart_policy, grace(spec.stop_timeout_seconds));
    let of_today = whole(&process.settings, release.restart_policy, grace(release.stop_timeout.as_secs()));
    let differing = |setting: &&'static Setting| !setting.is_only_for_containers;
    let mut found = Vec::new();
    for setting in Setting::all().iter().filter(differing) {
        let runs_with = match (&status.start_settings, setting.holds_from_start) {
            (Some(begun), true) => begun.text(setting).map(str::to_owned),
            (None, true) => continue,
            (_, false) => setting.text(&in_force),
        };
        let or_default = |text: Option<String>| text.or_else(|| setting.default.map(str::to_owned));
        let (runs_with, is_set) = (or_default(runs_with), or_default(setting.text(&of_today)));
        if runs_with != is_set {
            found.push(Drift { slot: status.slot.clone(), setting: setting.name, runs_with, is_set });
        }
    }
    found
}

/// The settings of a type, completed with those of the whole app.
fn whole(own: &TypeSettings, restart_policy: RestartPolicy, grace: Option<Whole<0, 86_400>>) -> TypeSettings {
    // A scheduled type is not restarted: it runs again at its next due time.
    let usual = if own.schedule.is_some() { RestartPolicy::No } else { restart_policy };
    TypeSettings {
        restart_policy: own.restart_policy.or(Some(usual)),
        stop_timeout_seconds: own.stop_timeout_seconds.or(grace),
        ..own.clone()
    }
}
