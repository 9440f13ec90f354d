//! The apps and instances that are selected by the command line.

use anyhow::Result;
use formation::{AppName, Which};
use ps_apps::{Error as AppsError, World};
use ps_scheduler::Error;

/// The apps, and which of their instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Targets {
    pub(crate) apps: Vec<AppName>,
    pub(crate) which: Which,
}

/// The meaning of the words. Each is an app; the last of several may be a type or an instance, if there is no app of that
/// name.
pub(crate) fn of(world: &World, words: &[String]) -> Result<Targets> {
    if words.is_empty() {
        let apps = world.apps()?.into_iter().map(|app| app.name).collect();
        return Ok(Targets { apps: ps_triggers::visible(world, apps)?, which: Which::All });
    }
    let mut targets = Targets { apps: Vec::new(), which: Which::All };
    for (index, word) in words.iter().enumerate() {
        let is_last_of_several = index > 0 && index + 1 == words.len();
        match ps_triggers::visible_app::<anyhow::Error>(world, word) {
            Ok(app) if targets.apps.contains(&app) => (),
            Ok(app) => targets.apps.push(app),
            Err(error) if is_last_of_several && is_missing(&error) => {
                targets.which = word.parse().map_err(|_| error)?;
            }
            Err(error) => return Err(error),
        }
    }
    if let [app] = &targets.apps[..] {
        refuse_unknown(world, app, &targets.which)?;
    }
    Ok(targets)
}

fn is_missing(error: &anyhow::Error) -> bool {
    let error: Option<&AppsError> = error.chain().find_map(|cause| cause.downcast_ref());
    matches!(error, Some(AppsError::NoSuchApp { .. } | AppsError::InvalidAppName(_)))
}

/// Refuses an app that was never deployed, and a type or instance that the app does not have, so that a typing error does
/// not look like an empty log.
fn refuse_unknown(world: &World, app: &AppName, which: &Which) -> Result<()> {
    if !ps_dokku::is_deployed(world, app)? {
        return Err(Error::NotDeployed { app: app.clone() }.into());
    }
    let formation = world.formation(app)?;
    let is_type = matches!(which, Which::Type(name) if formation.effective().contains_key(name.as_str()));
    if *which == Which::All || is_type {
        return Ok(());
    }
    let instances = ps_schedulers::of(world, app)?.status_of(app)?.instances;
    if instances.iter().any(|instance| which.includes(&instance.slot)) {
        return Ok(());
    }
    let present: Vec<String> =
        formation.wanted().iter().map(|(name, count)| format!("{name}={count}")).collect();
    let (app, which, present) = (app.clone(), which.to_string(), present.join(" "));
    Err(Error::NoSuchInstance { app, which, present }.into())
}
