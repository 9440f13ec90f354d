//! What the settings of process types come to.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use app_json::AppJson;
use formation::{AppName, ProcessType};
use ps_apps::{EffectiveSetting, StoredSettings, World, heeded, state_file};
use type_settings::{Disorder, Order};

use crate::print::Row;

/// Every setting of one type of an app.
pub(crate) fn effective(
    world: &World,
    app: &AppName,
    process_type: &ProcessType,
) -> Result<Vec<EffectiveSetting>> {
    let app_json = recorded(world, app)?;
    let of_file = app_json.settings(process_type.as_str()).unwrap_or_default();
    Ok(world.stored_settings(app)?.of_type(process_type, of_file))
}

/// What is set for each type of an app alone, by a property or in app.json.
pub(crate) fn rows(world: &World, app: &AppName) -> Result<Vec<Row>> {
    let (app_json, stored) = (recorded(world, app)?, world.stored_settings(app)?);
    let mut rows = Vec::new();
    for process_type in types(world, app, &app_json, &stored)? {
        // What the last deploy passed over has no effect.
        let of_file = app_json.settings(process_type.as_str()).unwrap_or_default();
        let effective = stored.of_type(&process_type, of_file);
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

/// What could never start if a type of an app waited for these types.
pub(crate) fn disorder(
    world: &World,
    app: &AppName,
    process_type: &ProcessType,
    after: &str,
) -> Result<Option<Disorder>> {
    let (app_json, stored) = (recorded(world, app)?, world.stored_settings(app)?);
    let mut all = BTreeMap::new();
    for name in types(world, app, &app_json, &stored)? {
        let of_file = app_json.settings(name.as_str()).unwrap_or_default();
        let settings = heeded(&stored.of_type(&name, of_file));
        all.insert(name, settings);
    }
    all.entry(process_type.clone()).or_default().after = after.parse().ok();
    let usual = world.restart_policy(app)?;
    let policy =
        |name: &ProcessType| all.get(name).and_then(|settings| settings.restart_policy).unwrap_or(usual);
    let has_schedule = |name: &ProcessType| all.get(name).is_some_and(|settings| settings.schedule.is_some());
    // The next deploy may bring types that the last one did not have.
    Ok(Order::of(&all.iter().collect::<Vec<_>>()).disorder(None, policy, has_schedule))
}

/// The types that an app has, and those for which something is set.
fn types(
    world: &World,
    app: &AppName,
    app_json: &AppJson,
    stored: &StoredSettings,
) -> Result<BTreeSet<ProcessType>> {
    let mut types: BTreeSet<ProcessType> = world.known_types(app)?.unwrap_or_default();
    let set = stored.types().chain(app_json.types_with_settings());
    types.extend(set.filter_map(|name| name.parse().ok()));
    Ok(types)
}

/// The app.json of the last deploy.
fn recorded(world: &World, app: &AppName) -> Result<AppJson> {
    let path = world.app_json_path(app);
    let bytes = state_file::read(&path, false)?.unwrap_or_default();
    AppJson::parse(&bytes).with_context(|| path.display().to_string())
}
