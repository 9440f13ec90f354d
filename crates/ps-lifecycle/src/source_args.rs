//! What a deploy is told of its source, and the checkout that this comes to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::ValueEnum;
use formation::AppName;
use ps_apps::{SchedulerName, Scope, World};
use ps_release::{APP_JSON, Checkout, CommandLine, Tree};
use ps_scheduler_docker::Pull;

use crate::archive::Unpacked;
use crate::{compose, tags};

const PROCFILE: &str = "Procfile";

/// The part of the command line of `deploy` that is about the source.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct SourceArgs {
    /// Run from this directory: natively as its Procfile says, or in containers of an image that is made of it
    #[arg(long, value_name = "DIR", conflicts_with = "image")]
    pub(crate) dir: Option<PathBuf>,
    /// Run from this tar archive, also one that is compressed with gzip; -: that on standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dir", "image", "dry_run"])]
    pub(crate) archive: Option<PathBuf>,
    /// Run this image; it is pulled if the engine does not have it
    #[arg(long, value_name = "REF")]
    pub(crate) image: Option<String>,
    /// Run the image of the app with this tag (see tags)
    #[arg(long, value_name = "TAG", conflicts_with_all = [
        "dir", "archive", "image", "base", "dockerfile", "compose", "build_arg", "command", "arguments",
    ])]
    pub(crate) tag: Option<String>,
    /// Lay the directory over this image, and run its Procfile there
    #[arg(long, value_name = "REF", conflicts_with_all = ["image", "command", "dockerfile", "build_arg"])]
    pub(crate) base: Option<String>,
    /// Build the image as this file of the directory says
    #[arg(long, value_name = "FILE", conflicts_with_all = ["image", "command"])]
    pub(crate) dockerfile: Option<String>,
    /// Run the services of this Compose file of the directory
    #[arg(long, value_name = "FILE", conflicts_with_all = ["image", "command", "base", "dockerfile", "build_arg"])]
    pub(crate) compose: Option<String>,
    /// The value of an argument of the build; without a value that of the environment; can be repeated
    #[arg(long, value_name = "NAME[=VALUE]", conflicts_with_all = ["image", "command"])]
    pub(crate) build_arg: Vec<String>,
    /// When an image is pulled from its registry [default: missing]
    #[arg(long, value_name = "WHEN", value_enum)]
    pub(crate) pull: Option<PullWhen>,
    /// Run this command as `web`, without a Procfile
    #[arg(long, value_name = "CMD", conflicts_with = "image")]
    pub(crate) command: Option<String>,
    /// The program that runs the script which --command names
    #[arg(long, value_name = "PROGRAM", requires = "command")]
    pub(crate) interpreter: Option<String>,
    /// Arguments of the command, each exactly as it is; without --command the first one is the program
    #[arg(last = true, value_name = "ARGUMENT", conflicts_with_all = ["image", "base", "dockerfile", "compose", "build_arg"])]
    pub(crate) arguments: Vec<String>,
}

/// When an image is pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PullWhen {
    /// Not at all
    Never,
    /// If the engine does not have it
    Missing,
    /// In any case
    Always,
}

impl SourceArgs {
    /// Whether a command was given, which stands in for a Procfile.
    pub(crate) fn is_command(&self) -> bool {
        self.command.is_some() || !self.arguments.is_empty()
    }

    /// When an image is pulled.
    pub(crate) fn pull(&self) -> Pull {
        match self.pull {
            Some(PullWhen::Never) => Pull::Never,
            Some(PullWhen::Missing) | None => Pull::Missing,
            Some(PullWhen::Always) => Pull::Always,
        }
    }

    /// The source and its files, as far as they lie on disk.
    pub(crate) fn checkout(
        &self,
        world: &World,
        app: &AppName,
        scheduler: Option<&str>,
        unpacked: Option<&Unpacked>,
    ) -> Result<Checkout> {
        if self.tag.is_some() {
            // It has images, so it is there.
            let tag = tags::find(world, &world.app(app.as_str())?.name, self.tag.as_deref())?;
            return Ok(Checkout::of_image(&format!("{}:{}", tag.repository, tag.tag))?);
        }
        let command = CommandLine {
            command: self.command.as_deref(),
            interpreter: self.interpreter.as_deref(),
            arguments: &self.arguments,
        };
        let command = command.line()?;
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

/// Where app.json lies in a source: the property of Dokku's plugin, of the app or of all apps.
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

/// Whether the app is to run in containers, where that is settled: by this command line, or by what was chosen before.
fn in_containers(world: &World, app: &AppName, scheduler: Option<&str>) -> Result<Option<bool>> {
    let of = |name: SchedulerName| name == SchedulerName::DockerLocal;
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
