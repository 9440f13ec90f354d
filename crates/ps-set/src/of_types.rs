//! The effective settings of process types.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::Result;
use formation::{AppName, ProcessType};
use ps_apps::{OfSource, World, heeded};
use ps_release::settings::of_types;
use ps_supervisor::Confinement;
use type_settings::{Disorder, Order, Setting, TypeSettings};

use crate::print::Row;

/// The settings of each type of an app that are set for this type alone, by a property or in app.json.
pub(crate) fn rows(world: &World, app: &AppName) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (process_type, effective) in of_types(world, app)? {
        let meant = effective.into_iter().filter(|setting| setting.origin.is_of_a_type());
        rows.extend(meant.map(|effective| Row {
            app: app.to_string(),
            property: format!("{process_type}.{}", effective.setting.name),
            value: effective.value,
            source: effective.origin.as_str(),
            default: effective.setting.default,
            is_nonsense: false,
        }));
    }
    Ok(rows)
}

/// The reason why a type could never start if one type of the app waited for these types; `None` if there is none.
pub(crate) fn disorder(
    world: &World,
    app: &AppName,
    process_type: &ProcessType,
    after: &str,
) -> Result<Option<Disorder>> {
    let known = of_types(world, app)?.into_iter();
    let mut all: BTreeMap<ProcessType, TypeSettings> =
        known.map(|(name, effective)| (name, heeded(&effective))).collect();
    all.entry(process_type.clone()).or_default().after = after.parse().ok();
    let usual = world.restart_policy(app)?;
    let policy =
        |name: &ProcessType| all.get(name).and_then(|settings| settings.restart_policy).unwrap_or(usual);
    let has_schedule = |name: &ProcessType| all.get(name).is_some_and(|settings| settings.schedule.is_some());
    // The next deploy may bring types that the last one did not have.
    Ok(Order::of(&all.iter().collect::<Vec<_>>()).disorder(None, policy, has_schedule))
}

/// Whether a process of this machine has to be made another one for this value: by its user, its limits and the like.
pub(crate) fn is_of_processes(setting: &Setting, value: &str) -> bool {
    let mut alone = TypeSettings::default();
    setting.take(value, &mut alone) && Confinement::of(&alone).is_some()
}

/// Why the supervisor cannot apply this setting to a type of the app, or to any of its types; `None`: it can, or no type has it.
pub(crate) fn refusal(
    world: &World,
    app: &AppName,
    process_type: Option<&ProcessType>,
    setting: &Setting,
) -> Result<Option<String>> {
    let mut meant: Vec<TypeSettings> = of_types(world, app)?
        .into_iter()
        .filter(|(name, _)| process_type.is_none_or(|only| only == name))
        .map(|(_, effective)| heeded(&effective))
        .collect();
    if meant.is_empty() {
        // The app was not deployed, or does not have the type yet.
        let stored = world.stored_settings(app)?;
        let any = process_type.cloned().unwrap_or_else(|| "web".parse().expect("a name of a type"));
        meant.push(heeded(&stored.of_type(&any, &OfSource::default())));
    }
    // A supervisor that root starts becomes the owner of the files of all apps.
    let own = Path::new("/proc/self").metadata()?;
    let owner = world.lib().metadata().ok().filter(|_| own.uid() == 0);
    let (user, group) = owner.map_or((own.uid(), own.gid()), |owner| (owner.uid(), owner.gid()));
    let refused = |settings: &TypeSettings| Confinement::of(settings)?.refusal(user, group);
    let mut refused = meant.iter().filter_map(refused);
    Ok(refused.find(|(name, _)| *name == setting.name).map(|(_, reason)| reason))
}
