//! Where an app's program comes from, and what lies there: a directory with a Procfile, an image, or one command.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use ::durable::ReadError;
use anyhow::{Context, Result, bail};
use formation::AppName;
use procfile::{Procfile, WarningKind};
use ps_apps::{DOKKU_SCALE, World, durable, nearby};
use ps_scheduler::Source;

/// What is recorded as the kind of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Directory,
    /// A directory whose Procfile, if it has one, was not used: a command was given.
    Command,
    Image,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Command => "command",
            Self::Image => "docker-image",
        }
    }

    /// The source that lies at `place`: a directory's path, or an image.
    fn source(self, place: String) -> Source {
        match self {
            Self::Directory | Self::Command => Source::Directory(PathBuf::from(place)),
            Self::Image => Source::Image(place),
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Directory, Self::Command, Self::Image].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A source, with the files it brought along.
#[derive(Debug)]
pub(crate) struct Checkout {
    kind: Kind,
    pub(crate) source: Source,
    /// The Procfile, whole; `None` for an image without one.
    pub(crate) procfile: Option<Vec<u8>>,
    /// The app.json, whole.
    pub(crate) app_json: Option<Vec<u8>>,
    /// The DOKKU_SCALE file, whole.
    pub(crate) dokku_scale: Option<Vec<u8>>,
}

impl Checkout {
    /// What lies in a directory. `command` stands in for a Procfile.
    pub(crate) fn of_directory(directory: &Path, procfile: &str, command: Option<&str>) -> Result<Self> {
        let typed = typed(directory)?;
        let found = typed.canonicalize();
        // All files are read where the path leads now, though a link in it may be flipped meanwhile.
        let directory =
            found.with_context(|| format!("open {}: name a directory that is there", typed.display()))?;
        if !directory.is_dir() {
            bail!("{} is not a directory: name the one that holds the Procfile", typed.display());
        }
        let procfile = match command {
            Some(command) => one_command(command)?,
            None => read(&directory.join(procfile))?.with_context(|| no_procfile(&directory, procfile))?,
        };
        let app_json = read(&directory.join("app.json"))?;
        let dokku_scale = read(&directory.join(DOKKU_SCALE))?;
        let kind = if command.is_some() { Kind::Command } else { Kind::Directory };
        Ok(Self { kind, source: Source::Directory(typed), procfile: Some(procfile), app_json, dokku_scale })
    }

    /// An image: it brings no files that could be read from here.
    pub(crate) fn of_image(image: &str) -> Result<Self> {
        if image.is_empty() || image.contains(char::is_whitespace) {
            bail!("{image:?} is no image reference: write <name>[:<tag>]");
        }
        Ok(Self {
            kind: Kind::Image,
            source: Source::Image(image.to_owned()),
            procfile: None,
            app_json: None,
            dokku_scale: None,
        })
    }

    /// The source of the last deploy, read anew.
    pub(crate) fn again(world: &World, app: &AppName, procfile: &str) -> Result<Self> {
        let Some((kind, place)) = recorded_place(world, app)? else {
            bail!("{app} was never deployed: say from where, with --dir, --image or --command")
        };
        let directory = Path::new(&place);
        match kind {
            Kind::Image => Self::of_image(&place),
            Kind::Directory => Self::of_directory(directory, procfile, None),
            // What was recorded as its Procfile is all there is.
            Kind::Command => {
                let recorded = durable::read(&world.procfile_path(app), true)?;
                let app_json = read(&directory.join("app.json"))?;
                let dokku_scale = read(&directory.join(DOKKU_SCALE))?;
                Ok(Self { kind, source: kind.source(place), procfile: recorded, app_json, dokku_scale })
            }
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

    /// The kind of the source, in the word that is recorded, and where it lies.
    pub(crate) fn place(&self) -> (&'static str, String) {
        let place = match &self.source {
            Source::Directory(directory) => directory.to_string_lossy().into_owned(),
            Source::Image(image) => image.clone(),
        };
        (self.kind.as_str(), place)
    }
}

/// A path as it was typed, made absolute without resolving a link in it: a `current` that leads elsewhere by the next verb
/// is a new release. A relative one begins where the shell says it is, which may be such a link as well.
fn typed(path: &Path) -> Result<PathBuf> {
    let absolute = match shell_directory().filter(|_| path.is_relative()) {
        // `.` and doubled slashes go, `..` stays: what it means depends on where a link leads.
        Some(here) => here.join(path).components().collect(),
        None => std::path::absolute(path).with_context(|| format!("open {}", path.display()))?,
    };
    let is_line = |text: &str| !text.contains(['\n', '\r', '\0']);
    if !absolute.to_str().is_some_and(is_line) {
        bail!("{} cannot be recorded: a path is one line of UTF-8", absolute.display());
    }
    Ok(absolute)
}

/// The working directory by the name that the shell has for it, links included (`PWD`), if it is that directory.
fn shell_directory() -> Option<PathBuf> {
    let named = PathBuf::from(env::var_os("PWD")?);
    let is_plain = named.is_absolute() && !named.components().any(|part| part == Component::ParentDir);
    let (there, here) = (fs::metadata(&named).ok()?, fs::metadata(".").ok()?);
    let is_here = (there.dev(), there.ino()) == (here.dev(), here.ino());
    Some(named).filter(|_| is_plain && is_here)
}

/// The source of the last deploy; `None` if there was none.
pub(crate) fn recorded(world: &World, app: &AppName) -> Result<Option<Source>> {
    Ok(recorded_place(world, app)?.map(|(kind, place)| kind.source(place)))
}

fn recorded_place(world: &World, app: &AppName) -> Result<Option<(Kind, String)>> {
    let recorded = world.deploy_source(app)?;
    Ok(recorded.and_then(|(kind, place)| Some((Kind::parse(&kind)?, place))))
}

/// The Procfile that a command stands for. There a blank before `#` or `//` begins a comment: a command that would lose what its
/// shell would have run is refused.
fn one_command(command: &str) -> Result<Vec<u8>> {
    if command.trim().is_empty() || command.contains(['\n', '\r']) {
        bail!("--command {command:?}: one command on one line is needed");
    }
    let procfile = format!("web: {command}\n").into_bytes();
    let Ok(parsed) = Procfile::parse(&procfile) else { return Ok(procfile) };
    let kept = parsed.entries().next().map_or(0, |entry| entry.command.len());
    let lost = command.trim().get(kept..).unwrap_or_default().trim_start();
    let is_in_quotes = parsed.changed_commands().iter().any(|odd| odd.kind == WarningKind::CutInQuotes);
    if lost.starts_with("//") || is_in_quotes {
        bail!(
            "--command {command:?}: {lost:?} would be a comment: put the command into a script, or remove the blank before it"
        );
    }
    Ok(procfile)
}

/// What to do where there is no Procfile; a file that is probably meant to be it is named.
fn no_procfile(directory: &Path, procfile: &str) -> String {
    let path = directory.join(procfile);
    let (parent, name) = (path.parent().unwrap_or(directory), path.file_name().unwrap_or_default());
    let name = name.to_string_lossy();
    let there = match (nearby::mistaken_for(parent, &name), &nearby::variants(parent, &name)[..]) {
        (Some(other), _) => format!(" (but {other}: call it {name})"),
        (None, []) => String::new(),
        (None, variants) => format!(" (but {})", variants.join(", ")),
    };
    format!("no {procfile} in {}{there}: write one (web: <command>), or pass --command", directory.display())
}

/// A file of the source; `None` if it is not there.
fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match ::durable::input(path, durable::MAX_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(ReadError::Missing) => Ok(None),
        Err(error) => bail!("{}: {error}: put an ordinary file there", path.display()),
    }
}
