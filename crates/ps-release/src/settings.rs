//! The effective settings of an app's process types, from properties and from the app.json of the last deploy.

use std::collections::{BTreeMap, BTreeSet};

use app_json::AppJson;
use formation::{AppName, ProcessType};
use ps_apps::{EffectiveSetting, World, state_file};

use crate::Error;

/// Every setting of one process type.
pub fn of_type(
    world: &World,
    app: &AppName,
    process_type: &ProcessType,
) -> Result<Vec<EffectiveSetting>, Error> {
    let app_json = recorded(world, app)?;
    Ok(world.stored_settings(app)?.of_type(process_type, of_file(&app_json, process_type)))
}

/// Every setting of each process type that is known of an app: the types of its Procfile, and those for which
/// something is set.
pub fn of_types(world: &World, app: &AppName) -> Result<BTreeMap<ProcessType, Vec<EffectiveSetting>>, Error> {
    let (app_json, stored) = (recorded(world, app)?, world.stored_settings(app)?);
    let mut types: BTreeSet<ProcessType> = world.known_types(app)?.unwrap_or_default();
    let set = stored.types().chain(app_json.types_with_settings());
    types.extend(set.filter_map(|name| name.parse().ok()));
    let of_type = |process_type: ProcessType| {
        let effective = stored.of_type(&process_type, of_file(&app_json, &process_type));
        (process_type, effective)
    };
    Ok(types.into_iter().map(of_type).collect())
}

/// The settings of a type in app.json. A file whose settings the last deploy ignored has no effect here either.
fn of_file<'a>(
    app_json: &'a AppJson,
    process_type: &ProcessType,
) -> &'a [(&'static type_settings::Setting, String)] {
    app_json.settings(process_type.as_str()).unwrap_or_default()
}

/// The app.json that the last deploy recorded.
pub(crate) fn recorded(world: &World, app: &AppName) -> Result<AppJson, Error> {
    let path = world.app_json_path(app);
    let bytes = state_file::read(&path, false)?.unwrap_or_default();
    AppJson::parse(&bytes).map_err(|broken| Error::BadRecord {
        path,
        app: app.to_string(),
        source: broken.into(),
    })
}
