//! Which apps the caller may see. Inside Dokku a plugin can hide apps from a user by the trigger `user-auth-app`
//! (docs/contract.md#apps). A command about a hidden app answers as if the app did not exist, with the same words and status.

use formation::AppName;
use ps_apps::World;

use crate::{Error, Triggers};

const TRIGGER: &str = "user-auth-app";

/// The apps among `apps` that the caller may see, in the same order. Outside Dokku these are all, and also inside Dokku if
/// no plugin other than the event logger has a hook for the trigger. If a hook fails, the result is an error, and no
/// app is shown.
pub fn visible(world: &World, apps: Vec<AppName>) -> Result<Vec<AppName>, Error> {
    let triggers = Triggers::new(world);
    if apps.is_empty() || !world.inside_dokku() || !triggers.is_implemented(TRIGGER)? {
        return Ok(apps);
    }
    let mut arguments = vec![caller(["SSH_USER", "USER"]), caller(["SSH_NAME", "NAME"])];
    arguments.extend(apps.iter().map(ToString::to_string));
    let allowed = triggers.call(TRIGGER, &arguments)?.text();
    let is_allowed = |app: &AppName| allowed.split_whitespace().any(|name| name == app.as_str());
    Ok(apps.into_iter().filter(is_allowed).collect())
}

/// The app with that name. If it is hidden from the caller, the error is the same as for an app that does not exist.
pub fn visible_app<E: From<ps_apps::Error> + From<Error>>(world: &World, word: &str) -> Result<AppName, E> {
    let app = world.app(word)?.name;
    if visible(world, vec![app.clone()])?.is_empty() {
        return Err(hidden(world, &app).into());
    }
    Ok(app)
}

/// The error for an app that is hidden from the caller, which says that the app does not exist.
pub fn hidden(world: &World, app: &AppName) -> ps_apps::Error {
    ps_apps::Error::NoSuchApp { app: app.to_string(), searched: world.root().to_owned(), hint: String::new() }
}

/// The name of the caller, from the variables that Dokku's own programs read: the first one that is not empty, or
/// else `default`.
fn caller(variables: [&str; 2]) -> String {
    let given = variables.iter().find_map(|name| ps_apps::variable(name));
    given.map_or_else(|| "default".to_owned(), |name| name.to_string_lossy().into_owned())
}
