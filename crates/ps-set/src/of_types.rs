//! What the settings of process types come to.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use app_json::AppJson;
use formation::{AppName, ProcessType};
use ps_apps::{EffectiveSetting, World, state_file};

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
    let mut types: BTreeSet<ProcessType> = world.known_types(app)?.unwrap_or_default();
    let set = stored.types().chain(app_json.types_with_settings());
    types.extend(set.filter_map(|name| name.parse().ok()));
    let mut rows = Vec::new();
    for process_type in types {
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

/// The app.json of the last deploy.
fn recorded(world: &World, app: &AppName) -> Result<AppJson> {
    let path = world.app_json_path(app);
    let bytes = state_file::read(&path, false)?.unwrap_or_default();
    AppJson::parse(&bytes).with_context(|| path.display().to_string())
}
