//! The effective settings of an app's types, from properties, the app.json of the last deploy, and its Compose file.
//! Settings that the deploy ignored have no effect.

use std::collections::{BTreeMap, BTreeSet};

use app_json::AppJson;
use formation::{AppName, ProcessType};
use ps_apps::{EffectiveSetting, World, state_file};

use crate::{Error, services};

/// Every setting of one process type.
pub fn of_type(
    world: &World,
    app: &AppName,
    process_type: &ProcessType,
) -> Result<Vec<EffectiveSetting>, Error> {
    let (app_json, services) = (recorded(world, app)?, world.source_record(app)?.services);
    let of_files = services::settings(&app_json, services.get(process_type.as_str()), process_type);
    Ok(world.stored_settings(app)?.of_type(process_type, &of_files))
}

/// Every setting of each known process type of an app: the types of its Procfile, and others that have a setting.
pub fn of_types(world: &World, app: &AppName) -> Result<BTreeMap<ProcessType, Vec<EffectiveSetting>>, Error> {
    let (app_json, stored) = (recorded(world, app)?, world.stored_settings(app)?);
    let services = world.source_record(app)?.services;
    let mut types: BTreeSet<ProcessType> = world.known_types(app)?.unwrap_or_default();
    let set = stored.types().chain(app_json.types_with_settings());
    types.extend(set.filter_map(|name| name.parse().ok()));
    let of_type = |process_type: ProcessType| {
        let of_files = services::settings(&app_json, services.get(process_type.as_str()), &process_type);
        let effective = stored.of_type(&process_type, &of_files);
        (process_type, effective)
    };
    Ok(types.into_iter().map(of_type).collect())
}

/// The app.json of the last deploy.
pub(crate) fn recorded(world: &World, app: &AppName) -> Result<AppJson, Error> {
    let path = world.app_json_path(app);
    let bytes = state_file::read(&path, false)?.unwrap_or_default();
    AppJson::parse(&bytes).map_err(|broken| Error::BadRecord {
        path,
        app: app.to_string(),
        source: broken.into(),
    })
}
