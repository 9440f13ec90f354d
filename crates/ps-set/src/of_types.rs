//! The effective settings of process types.

use std::collections::BTreeMap;

use anyhow::Result;
use formation::{AppName, ProcessType};
use ps_apps::{World, heeded};
use ps_release::settings::of_types;
use type_settings::{Disorder, Order, TypeSettings};

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
