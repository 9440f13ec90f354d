//! Makes a checkout from the arguments that name the source of a deploy.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use formation::AppName;
use ps_apps::{SchedulerName, Scope, World};
use ps_release::{APP_JSON, Checkout, Tree};

use crate::archive::Unpacked;
use crate::source_args::SourceArgs;
use crate::{compose, tags};

const PROCFILE: &str = "Procfile";

impl SourceArgs {
    /// The source and its files, as far as they are on disk.
    pub(crate) fn checkout(
        &self,
        world: &World,
        app: &AppName,
        scheduler: Option<&str>,
        unpacked: Option<&Unpacked>,
    ) -> Result<Checkout> {
        if self.tag.is_some() {
            // The app has images, so it exists.
            let tag = tags::find(world, &world.app(app.as_str())?.name, self.tag.as_deref())?;
            return Ok(Checkout::of_image(&format!("{}:{}", tag.repository, tag.tag))?);
        }
        let command = self.line()?;
        let named = world.ps_property(app, "procfile-path")?;
        let app_json = app_json_path(world, app)?;
        let tree = Tree {
            procfile: named.as_deref().unwrap_or(PROCFILE),
            procfile_is_named: named.is_some(),
            app_json: &app_json,
            command: command.as_deref(),
            base: self.base.as_deref(),
            dockerfile: self.dockerfile.as_deref(),
            compose: self.compose.as_deref(),
            build_args: self.build_args()?,
            in_containers: in_containers(world, app, scheduler)?,
        };
        let says_how = command.is_some()
            || [&self.base, &self.dockerfile, &self.compose].into_iter().any(Option::is_some)
            || !self.build_arg.is_empty();
        let directory = self.dir.as_deref().or_else(|| unpacked.map(|unpacked| unpacked.directory.as_path()));
        let mut checkout = match (&self.image, directory) {
            (Some(image), _) => Checkout::of_image(image)?,
            (None, Some(directory)) => Checkout::of_directory(directory, &tree)?,
            (None, None) if says_how => Checkout::of_directory(Path::new("."), &tree)?,
            (None, None) => Checkout::again(world, app, &tree)?,
        };
        if let Some(unpacked) = unpacked {
            checkout.record.archive = Some(unpacked.name.clone());
        }
        if !self.only.is_empty() {
            checkout.record.only.clone_from(&self.only);
        }
        compose::read_into(&mut checkout, app)?;
        Ok(checkout)
    }

    /// The arguments of the build; one without a value has that of the environment.
    fn build_args(&self) -> Result<BTreeMap<String, String>> {
        let mut arguments = BTreeMap::new();
        for word in &self.build_arg {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, value.to_owned()),
                None => match ps_apps::variable(word).map(std::ffi::OsString::into_string) {
                    Some(Ok(value)) => (word.as_str(), value),
                    Some(Err(_)) => bail!("--build-arg {word}: the value in the environment is not UTF-8"),
                    None => bail!("--build-arg {word}: no such variable is set: write {word}=VALUE"),
                },
            };
            if name.is_empty() {
                bail!("--build-arg {word:?}: write NAME=VALUE");
            }
            arguments.insert(name.to_owned(), value);
        }
        Ok(arguments)
    }
}

/// The path of app.json in a source: the property of Dokku's plugin, of the app or of all apps.
pub(crate) fn app_json_path(world: &World, app: &AppName) -> Result<String> {
    for scope in [Scope::App(app), Scope::Global] {
        let path = world.property("app-json", scope, "appjson-path")?.unwrap_or_default();
        let path = path.trim_matches('/');
        if !path.is_empty() {
            return Ok(path.to_owned());
        }
    }
    Ok(APP_JSON.to_owned())
}

/// Whether the app runs in containers, if that is decided already: by this command line, or by an earlier choice.
fn in_containers(world: &World, app: &AppName, scheduler: Option<&str>) -> Result<Option<bool>> {
    let of = |name: SchedulerName| matches!(name, SchedulerName::DockerLocal | SchedulerName::Swarm);
    if let Some(name) = scheduler {
        return Ok(Some(of(name.into())));
    }
    for scope in [Scope::App(app), Scope::Global] {
        if let Some(name) = world.chosen_scheduler(scope)? {
            return Ok(Some(of(name)));
        }
    }
    Ok(None)
}
