//! Which apps the caller may see. Inside Dokku a plugin can hide apps from a user by the trigger `user-auth-app`
//! (docs/contract.md#apps). A command about a hidden app answers as if the app did not exist, with the same words and status.

use formation::AppName;
use ps_apps::World;

use crate::{Error, Triggers};

const TRIGGER: &str = "user-auth-app";

/// Those of `apps` that the caller may know of, in the same order. All of them outside Dokku, and where no plugin but
/// the event logger has a say. A plugin that fails hides everything: it is an error.
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

/// The app of that name; one that is hidden from the caller does not exist for them.
pub fn visible_app<E: From<ps_apps::Error> + From<Error>>(world: &World, word: &str) -> Result<AppName, E> {
    let app = world.app(word)?.name;
    if visible(world, vec![app.clone()])?.is_empty() {
        return Err(hidden(world, &app).into());
    }
    Ok(app)
}

/// What is said of an app that is hidden from the caller: it does not exist.
pub fn hidden(world: &World, app: &AppName) -> ps_apps::Error {
    ps_apps::Error::NoSuchApp { app: app.to_string(), searched: world.root().to_owned(), hint: String::new() }
}

/// Dokku's names for who calls: the first variable that is not empty, else `default`.
fn caller(variables: [&str; 2]) -> String {
    let given = variables.iter().find_map(|name| ps_apps::variable(name));
    given.map_or_else(|| "default".to_owned(), |name| name.to_string_lossy().into_owned())
}
