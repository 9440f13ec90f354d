//! The hook `install`: creates directories for properties and data, and moves what older versions of Dokku kept
//! elsewhere: `--restart` among the docker options, DOKKU_SCALE files, and five variables of an app's environment.

use std::error::Error as _;
use std::fs;
use std::io;

use formation::{AppName, RestartPolicy};
use procfile::{EnvFile, Grammar, Reading};
use ps_apps::{Scope, World, state_file};

use crate::{Caller, Error};

const RESTART: &str = "--restart=";
const DOCKER_OPTIONS: (&str, &str) = ("docker-options", "_default_.deploy");

/// A variable of an app's environment that is a property today.
struct Variable {
    name: &'static str,
    property: &'static str,
    is_global: bool,
    value: fn(&str) -> String,
}

const fn variable(name: &'static str, property: &'static str) -> Variable {
    Variable { name, property, is_global: false, value: str::to_owned }
}

static VARIABLES: [Variable; 5] = [
    variable("DOKKU_DOCKER_STOP_TIMEOUT", "stop-timeout-seconds"),
    Variable { value: restore, ..variable("DOKKU_APP_RESTORE", "restore") },
    Variable { is_global: true, ..variable("DOKKU_SKIP_DEPLOY", "skip-deploy") },
    variable("DOKKU_START_CMD", "start-cmd"),
    variable("DOKKU_DOCKERFILE_START_CMD", "dockerfile-start-cmd"),
];

fn restore(value: &str) -> String {
    if value == "0" { "false" } else { "true" }.to_owned()
}

/// A message while data is moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A step that begins.
    Step(String),
    /// Something that could not be done. The rest is done all the same.
    Warning(String),
}

/// Can be repeated: what is already there stays. An app that cannot be migrated is named, and the others are
/// migrated.
pub fn install(world: &World, caller: &Caller, say: &mut dyn FnMut(Line)) -> Result<(), Error> {
    for kind in ["config", "data"] {
        durable::create_below(world.lib(), &world.lib().join(kind).join("ps"))?;
    }
    let apps: Vec<AppName> = world.apps()?.into_iter().map(|app| app.name).collect();
    for app in &apps {
        durable::create_below(world.lib(), &world.data_dir("ps", app))?;
    }
    if let Err(error) = caller.ask("config-migrate-env", &[]) {
        say(Line::Warning(format!("Unable to migrate legacy env files: {error}")));
    }
    migrate_variables(world, caller, Scope::Global, say);
    for app in &apps {
        for done in [migrate_restart_policy(world, app), forget_scale_files(world, app)] {
            warn_of(done, say);
        }
        migrate_variables(world, caller, Scope::App(app), say);
    }
    Ok(())
}

fn warn_of(done: Result<(), Error>, say: &mut dyn FnMut(Line)) {
    if let Err(error) = done {
        let because = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        say(Line::Warning(format!("{error}{because}")));
    }
}

fn migrate_restart_policy(world: &World, app: &AppName) -> Result<(), Error> {
    let (plugin, key) = DOCKER_OPTIONS;
    let scope = Scope::App(app);
    let Some(options) = world.property(plugin, scope, key)? else { return Ok(()) };
    let (policies, others): (Vec<&str>, Vec<&str>) = options
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .partition(|line| line.starts_with(RESTART));
    let Some(policy) = policies.first().map(|option| &option[RESTART.len()..]) else { return Ok(()) };
    let is_meant = !policy.is_empty() && policy != RestartPolicy::default().to_string();
    if is_meant && world.property("ps", scope, "restart-policy")?.is_none() {
        world.set_property("ps", scope, "restart-policy", policy)?;
    }
    let others: String = others.iter().flat_map(|option| [option, "\n"]).collect();
    Ok(world.set_property(plugin, scope, key, &others)?)
}

fn forget_scale_files(world: &World, app: &AppName) -> Result<(), Error> {
    for name in ["DOKKU_SCALE", "DOKKU_SCALE.extracted"] {
        let path = world.app_dir(app).join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io(format!("remove {}", path.display()))(error));
            }
            _ => (),
        }
    }
    Ok(())
}

fn migrate_variables(world: &World, caller: &Caller, scope: Scope<'_>, say: &mut dyn FnMut(Line)) {
    let migrated = variables_of(world, scope).and_then(|found| {
        found.into_iter().try_for_each(|(variable, value)| {
            if world.property("ps", scope, variable.property)?.is_none() {
                say(Line::Step(migration(variable, scope)));
                world.set_property("ps", scope, variable.property, &(variable.value)(&value))?;
                caller.ask("config-unset", &[scope.as_str(), variable.name])?;
            }
            Ok(())
        })
    });
    warn_of(migrated, say);
}

/// The variables of an environment that are properties today, with their values.
fn variables_of(world: &World, scope: Scope<'_>) -> Result<Vec<(&'static Variable, String)>, Error> {
    let path = match scope {
        Scope::App(app) => world.env_path(app),
        Scope::Global => world.global_env_path(),
    };
    let bytes = state_file::read(&path, false)?.unwrap_or_default();
    let reading = Reading { grammar: Grammar::Dokku, known: &|_| None };
    let environment =
        EnvFile::parse_with(&bytes, &reading).map_err(|source| Error::BadEnvFile { path, source })?;
    let is_meant = |variable: &&Variable| scope != Scope::Global || variable.is_global;
    let found = VARIABLES.iter().filter(is_meant).filter_map(|variable| {
        let value = environment.get(variable.name).filter(|value| !value.is_empty())?;
        Some((variable, value.to_owned()))
    });
    Ok(found.collect())
}

fn migration(variable: &Variable, scope: Scope<'_>) -> String {
    let (name, property, whose) = (variable.name, variable.property, scope.as_str());
    let (global, owner) = match scope {
        Scope::Global => ("global ", String::new()),
        Scope::App(app) => ("", format!(" for {app}")),
    };
    format!(
        "Migrating deprecated {global}{name} to ps {property} property{owner}. Use 'dokku ps:set {whose} {property} \
         <value>' to manage this going forward."
    )
}
