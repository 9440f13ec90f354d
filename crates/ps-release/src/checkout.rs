//! What an app is run from, and the files that it brings: a directory with a Procfile, an image, or one command.

mod kept;

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use app_json::AppJson;
use durable::ReadError;
use formation::AppName;
use procfile::{Procfile, WarningKind};
use ps_apps::{Bytes, DOKKU_SCALE, Deployed, World, nearby, state_file};

use crate::{APP_JSON, Error, Source, checks_file};

/// The kind of a source, as it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Directory,
    /// A directory whose Procfile, if it has one, was not used because a command was given.
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

    /// The source of this kind. `place` is the path of a directory, or the name of an image.
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

/// A source, and the files that it brings.
#[derive(Debug)]
pub struct Checkout {
    kind: Kind,
    /// The source.
    pub source: Source,
    /// The bytes of the Procfile; `None` for an image without one.
    pub procfile: Option<Vec<u8>>,
    /// The bytes of the app.json; `None` if there is none.
    pub app_json: Option<Vec<u8>>,
    /// The bytes of the DOKKU_SCALE file; `None` if there is none.
    pub dokku_scale: Option<Vec<u8>>,
}

impl Checkout {
    /// Reads a directory. If `command` is given, it takes the place of the Procfile.
    pub fn of_directory(directory: &Path, procfile: &str, command: Option<&str>) -> Result<Self, Error> {
        let typed = typed(directory)?;
        // The path is resolved once and all files are read from the result, even if a link in the path is changed
        // meanwhile.
        let directory = match typed.canonicalize() {
            Ok(directory) if directory.is_dir() => directory,
            Ok(_) => return Err(Error::NotADirectory { path: typed }),
            Err(source) => return Err(Error::NoDirectory { path: typed, source }),
        };
        let procfile = match command {
            Some(command) => one_command(command)?,
            None => read(&directory.join(procfile))?.ok_or_else(|| no_procfile(&directory, procfile))?,
        };
        let app_json = checks_file::heeded(&directory, read(&directory.join(APP_JSON))?)?;
        let dokku_scale = read(&directory.join(DOKKU_SCALE))?;
        let kind = if command.is_some() { Kind::Command } else { Kind::Directory };
        Ok(Self { kind, source: Source::Directory(typed), procfile: Some(procfile), app_json, dokku_scale })
    }

    /// An image. It brings no files, because nothing of an image can be read without the engine.
    pub fn of_image(image: &str) -> Result<Self, Error> {
        if image.is_empty() || image.contains(char::is_whitespace) {
            return Err(Error::NoImage { image: image.to_owned() });
        }
        Ok(Self {
            kind: Kind::Image,
            source: Source::Image(image.to_owned()),
            procfile: None,
            app_json: None,
            dokku_scale: None,
        })
    }

    /// Reads the source of the last deploy again.
    pub fn again(world: &World, app: &AppName, procfile: &str) -> Result<Self, Error> {
        let Some((kind, place)) = recorded_place(world, app)? else {
            return Err(Error::NeverDeployed { app: app.to_string() });
        };
        let directory = Path::new(&place);
        match kind {
            Kind::Image => Self::of_image(&place),
            Kind::Directory => Self::of_directory(directory, procfile, None),
            // A command has no file that could be read again, so the recorded Procfile is used.
            Kind::Command => {
                let recorded = state_file::read(&world.procfile_path(app), true)?;
                let app_json = read(&directory.join(APP_JSON))?;
                let dokku_scale = read(&directory.join(DOKKU_SCALE))?;
                Ok(Self { kind, source: kind.source(place), procfile: recorded, app_json, dokku_scale })
            }
        }
    }

    /// The source that an earlier deploy recorded, with its files as they were then. The directory or image itself is
    /// used as it is now.
    pub fn of_record(record: &Deployed) -> Result<Self, Error> {
        let kind = Kind::parse(&record.kind);
        let kind = kind.ok_or_else(|| Error::UnknownSource { kind: record.kind.clone() })?;
        let source = kind.source(record.place.clone());
        if let Source::Directory(path) = &source
            && !path.is_dir()
        {
            return Err(Error::NotADirectory { path: path.clone() });
        }
        let bytes = |file: &Option<Bytes>| file.as_ref().map(|bytes| bytes.0.clone());
        let (procfile, app_json) = (bytes(&record.procfile), bytes(&record.app_json));
        Ok(Self { kind, source, procfile, app_json, dokku_scale: None })
    }

    /// The Procfile, parsed. The error for an invalid one names its lines.
    pub fn parsed(&self) -> Result<Option<Procfile>, Error> {
        let Some(bytes) = &self.procfile else { return Ok(None) };
        let origin = match &self.source {
            Source::Directory(directory) => directory.display().to_string(),
            Source::Image(image) => image.clone(),
        };
        Procfile::parse(bytes).map(Some).map_err(|source| Error::BadProcfile { origin, source })
    }

    /// The app.json, parsed. A source without one has an empty app.json.
    pub fn parsed_app_json(&self) -> Result<AppJson, Error> {
        AppJson::parse(self.app_json.as_deref().unwrap_or_default()).map_err(Error::BadAppJson)
    }

    /// The kind of the source, in the word that is recorded, and the directory or image.
    pub fn place(&self) -> (&'static str, String) {
        let place = match &self.source {
            Source::Directory(directory) => directory.to_string_lossy().into_owned(),
            Source::Image(image) => image.clone(),
        };
        (self.kind.as_str(), place)
    }
}

/// The path as it was typed, made absolute without resolving its links. If `current` is a link and leads elsewhere at
/// the next deploy, that is a new release. A relative path starts from the shell's working directory, whose name may
/// contain such a link as well.
fn typed(path: &Path) -> Result<PathBuf, Error> {
    let absolute = match shell_directory().filter(|_| path.is_relative()) {
        // `.` and doubled slashes are removed. `..` stays, because its meaning depends on where a link before it
        // leads.
        Some(here) => here.join(path).components().collect(),
        None => std::path::absolute(path)
            .map_err(|source| Error::NotAbsolute { path: path.to_owned(), source })?,
    };
    let is_line = |text: &str| !text.contains(['\n', '\r', '\0']);
    if !absolute.to_str().is_some_and(is_line) {
        return Err(Error::NotALine { path: absolute });
    }
    Ok(absolute)
}

/// The working directory under the name that the shell has for it (`PWD`), links included; `None` if that is another
/// directory.
fn shell_directory() -> Option<PathBuf> {
    let named = PathBuf::from(env::var_os("PWD")?);
    let is_plain = named.is_absolute() && !named.components().any(|part| part == Component::ParentDir);
    let (there, here) = (fs::metadata(&named).ok()?, fs::metadata(".").ok()?);
    let is_here = (there.dev(), there.ino()) == (here.dev(), here.ino());
    Some(named).filter(|_| is_plain && is_here)
}

/// The source of the last deploy; `None` if there was no deploy.
pub fn recorded(world: &World, app: &AppName) -> Result<Option<Source>, Error> {
    Ok(recorded_place(world, app)?.map(|(kind, place)| kind.source(place)))
}

fn recorded_place(world: &World, app: &AppName) -> Result<Option<(Kind, String)>, Error> {
    let recorded = world.deploy_source(app)?;
    Ok(recorded.and_then(|(kind, place)| Some((Kind::parse(&kind)?, place))))
}

/// A Procfile with this command for `web`. In a Procfile a blank before `#` or `//` begins a comment, but a shell
/// would run such a command differently; a command that would lose a part in this way is refused.
fn one_command(command: &str) -> Result<Vec<u8>, Error> {
    if command.trim().is_empty() || command.contains(['\n', '\r']) {
        return Err(Error::NotOneCommand { command: command.to_owned() });
    }
    let procfile = format!("web: {command}\n").into_bytes();
    let Ok(parsed) = Procfile::parse(&procfile) else { return Ok(procfile) };
    let kept = parsed.entries().next().map_or(0, |entry| entry.command.len());
    let lost = command.trim().get(kept..).unwrap_or_default().trim_start();
    let is_in_quotes = parsed.changed_commands().iter().any(|odd| odd.kind == WarningKind::CutInQuotes);
    if lost.starts_with("//") || is_in_quotes {
        return Err(Error::CutCommand { command: command.to_owned(), lost: lost.to_owned() });
    }
    Ok(procfile)
}

/// The error for a missing Procfile. If there is a file that was probably meant, the error names it.
fn no_procfile(directory: &Path, procfile: &str) -> Error {
    let path = directory.join(procfile);
    let (parent, name) = (path.parent().unwrap_or(directory), path.file_name().unwrap_or_default());
    let name = name.to_string_lossy();
    let there = match (nearby::mistaken_for(parent, &name), &nearby::variants(parent, &name)[..]) {
        (Some(other), _) => format!(" (but {other}: call it {name})"),
        (None, []) => String::new(),
        (None, variants) => format!(" (but {})", variants.join(", ")),
    };
    Error::NoProcfile { procfile: procfile.to_owned(), directory: directory.to_owned(), there }
}

/// A file of the source; `None` if there is no such file.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match durable::input(path, state_file::MAX_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(ReadError::Missing) => Ok(None),
        Err(reason) => Err(Error::Unreadable { path: path.to_owned(), reason }),
    }
}
