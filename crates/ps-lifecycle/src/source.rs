//! Where an app's program comes from, and what lies there: a directory with a Procfile, an image, or one command.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use procfile::Procfile;
use ps_apps::durable::{self, Access, Directory};
use ps_apps::{AppName, Scope, World};
use ps_scheduler::Source;

const PLUGIN: &str = "apps";
const KIND: &str = "deploy-source";
const WHERE: &str = "deploy-source-metadata";

/// A source, with the files it brought along.
#[derive(Debug)]
pub(crate) struct Checkout {
    pub(crate) source: Source,
    /// The Procfile, whole; `None` for an image without one.
    pub(crate) procfile: Option<Vec<u8>>,
    /// The app.json, whole.
    pub(crate) app_json: Option<Vec<u8>>,
}

impl Checkout {
    /// What lies in a directory. `command` stands in for a Procfile.
    pub(crate) fn of_directory(directory: &Path, procfile: &str, command: Option<&str>) -> Result<Self> {
        let found = directory.canonicalize();
        let directory =
            found.with_context(|| format!("open {}: name a directory that is there", directory.display()))?;
        if !directory.is_dir() {
            bail!("{} is not a directory: name the one that holds the Procfile", directory.display());
        }
        let procfile = match command {
            Some(command) => format!("web: {command}\n").into_bytes(),
            None => read(&directory.join(procfile))?.with_context(|| {
                format!(
                    "no {procfile} in {}: write one (web: <command>), or pass --command",
                    directory.display()
                )
            })?,
        };
        let app_json = read(&directory.join("app.json"))?;
        Ok(Self { source: Source::Directory(directory), procfile: Some(procfile), app_json })
    }

    /// An image: it brings no files that could be read from here.
    pub(crate) fn of_image(image: &str) -> Result<Self> {
        if image.is_empty() || image.contains(char::is_whitespace) {
            bail!("{image:?} is no image reference: write <name>[:<tag>]");
        }
        Ok(Self { source: Source::Image(image.to_owned()), procfile: None, app_json: None })
    }

    /// The source of the last deploy, read anew.
    pub(crate) fn again(world: &World, app: &AppName, procfile: &str) -> Result<Self> {
        match recorded(world, app)? {
            Some(Source::Image(image)) => Self::of_image(&image),
            Some(Source::Directory(directory)) if directory.join(procfile).is_file() => {
                Self::of_directory(&directory, procfile, None)
            }
            // It was deployed with --command: what was recorded as its Procfile is all there is.
            Some(Source::Directory(directory)) => {
                let procfile = durable::read(&world.procfile_path(app), true)?;
                Ok(Self { source: Source::Directory(directory), procfile, app_json: None })
            }
            None => bail!("{app} was never deployed: say from where, with --dir, --image or --command"),
        }
    }

    /// The Procfile, read; a bad one names its lines.
    pub(crate) fn parsed(&self) -> Result<Option<Procfile>> {
        let Some(bytes) = &self.procfile else { return Ok(None) };
        let origin = match &self.source {
            Source::Directory(directory) => directory.display().to_string(),
            Source::Image(image) => image.clone(),
        };
        let hint = "procfile-util check shows more";
        Procfile::parse(bytes).map(Some).with_context(|| format!("the Procfile of {origin} ({hint})"))
    }

    /// Remembers the source and keeps copies of its files, as Dokku does after a deploy.
    pub(crate) fn record(&self, world: &World, app: &AppName) -> Result<()> {
        let (kind, place) = match &self.source {
            Source::Directory(directory) => ("directory", directory.to_string_lossy().into_owned()),
            Source::Image(image) => ("docker-image", image.clone()),
        };
        world.set_property(PLUGIN, Scope::App(app), KIND, kind)?;
        world.set_property(PLUGIN, Scope::App(app), WHERE, &place)?;
        keep(world, app, "ps", "Procfile", self.procfile.as_deref())?;
        keep(world, app, "app-json", "app.json", self.app_json.as_deref())
    }
}

/// The source of the last deploy; `None` if there was none.
pub(crate) fn recorded(world: &World, app: &AppName) -> Result<Option<Source>> {
    let kind = world.property(PLUGIN, Scope::App(app), KIND)?;
    let place = world.property(PLUGIN, Scope::App(app), WHERE)?;
    Ok(match (kind.as_deref(), place) {
        (Some("directory"), Some(place)) => Some(Source::Directory(PathBuf::from(place))),
        (Some("docker-image"), Some(place)) => Some(Source::Image(place)),
        _ => None,
    })
}

fn keep(world: &World, app: &AppName, plugin: &str, name: &str, bytes: Option<&[u8]>) -> Result<()> {
    let directory = Directory::open(world.lib(), &world.data_dir(plugin, app))?;
    match bytes {
        Some(bytes) => directory.write(name, bytes, Access::like(&world.app_dir(app), 0o644))?,
        None => directory.remove(name)?,
    }
    Ok(())
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
    }
}
