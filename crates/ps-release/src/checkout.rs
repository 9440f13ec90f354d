//! The source of an app and its files: a directory, an image, or a single command.

mod kept;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use app_json::AppJson;
use durable::ReadError;
use formation::AppName;
use procfile::{Procfile, WarningKind};
use ps_apps::{Bytes, DOKKU_SCALE, Deployed, ServiceRecord, SourceRecord, World, nearby, state_file};

use crate::checks_file::CHECKS;
use crate::kind::Kind;
use crate::tree::{Decided, Tree};
use crate::{APP_JSON, Error, Source, checks_file};

/// A source, and the files that it brings.
#[derive(Debug)]
pub struct Checkout {
    kind: Kind,
    /// Its path or image, as it was named.
    place: String,
    /// The program: a directory or an image. An image that was looked up is identified by its id or digest.
    pub source: Source,
    /// Further data that are recorded about the source.
    pub record: SourceRecord,
    /// The Procfile, whole; `None` for an image without one.
    pub procfile: Option<Vec<u8>>,
    /// The bytes of the app.json; `None` if it does not exist.
    pub app_json: Option<Vec<u8>>,
    /// The bytes of the DOKKU_SCALE file; `None` if it does not exist.
    pub dokku_scale: Option<Vec<u8>>,
}

/// How the image of an app is obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageOf<'a> {
    /// No image: the source runs natively.
    Nothing,
    /// An image with this name.
    Name(&'a str),
    /// An image that is built by a Dockerfile in a directory.
    Dockerfile {
        /// The directory.
        directory: &'a Path,
        /// The Dockerfile in it.
        file: &'a str,
    },
    /// A directory is copied over another image.
    Base {
        /// The directory.
        directory: &'a Path,
        /// The other image.
        image: &'a str,
    },
    /// Each service of a Compose file has an image of its own.
    Compose {
        /// The directory.
        directory: &'a Path,
        /// The file in it.
        file: &'a str,
    },
}

impl Checkout {
    /// The source in a directory, with its files.
    pub fn of_directory(directory: &Path, tree: &Tree<'_>) -> Result<Self, Error> {
        let typed = typed(directory)?;
        // The path is resolved once and all files are read from the result, even if a link in the path is changed
        // meanwhile.
        let directory = match typed.canonicalize() {
            Ok(directory) if directory.is_dir() => directory,
            Ok(_) => return Err(Error::NotADirectory { path: typed }),
            Err(source) => return Err(Error::NoDirectory { path: typed, source }),
        };
        let Decided { kind, file } = tree.decide(&directory)?;
        let place = typed.to_string_lossy().into_owned();
        let record = SourceRecord {
            dockerfile: file.clone().filter(|_| kind == Kind::Dockerfile),
            compose: file.filter(|_| kind == Kind::Compose),
            base: tree.base.map(str::to_owned).filter(|_| kind == Kind::BaseImage),
            build_args: if kind.is_native() { BTreeMap::new() } else { tree.build_args.clone() },
            ..SourceRecord::default()
        };
        Ok(Self {
            kind,
            source: kind.source(&place, &record),
            place,
            record,
            procfile: procfile(kind, &directory, tree)?,
            app_json: app_json(&directory, tree)?,
            dokku_scale: read(&directory.join(DOKKU_SCALE))?,
        })
    }

    /// The source of a declaration: a directory in which its processes run, with this Procfile and app.json in place of
    /// those in the directory.
    pub fn of_declaration(
        directory: &Path,
        procfile: Vec<u8>,
        app_json: Option<Vec<u8>>,
    ) -> Result<Self, Error> {
        let typed = typed(directory)?;
        match typed.canonicalize() {
            Ok(directory) if directory.is_dir() => {}
            Ok(_) => return Err(Error::NotADirectory { path: typed }),
            Err(source) => return Err(Error::NoDirectory { path: typed, source }),
        }
        let place = typed.to_string_lossy().into_owned();
        let (kind, record) = (Kind::Declaration, SourceRecord::default());
        let source = kind.source(&place, &record);
        Ok(Self { kind, place, source, record, procfile: Some(procfile), app_json, dokku_scale: None })
    }

    /// An image. Its files are not read here: only the engine can look into it.
    pub fn of_image(image: &str) -> Result<Self, Error> {
        if image.is_empty() || image.contains(char::is_whitespace) {
            return Err(Error::NoImage { image: image.to_owned() });
        }
        Ok(Self {
            kind: Kind::Image,
            place: image.to_owned(),
            source: Source::Image(image.to_owned()),
            record: SourceRecord::default(),
            procfile: None,
            app_json: None,
            dokku_scale: None,
        })
    }

    /// The source of the last deploy, read again, with the same options.
    pub fn again(world: &World, app: &AppName, tree: &Tree<'_>) -> Result<Self, Error> {
        let Some((kind, place)) = recorded_place(world, app)? else {
            return Err(Error::NeverDeployed { app: app.to_string() });
        };
        let directory = Path::new(&place);
        let record = world.source_record(app)?;
        if kind == Kind::Image {
            return Self::of_image(&place);
        }
        if kind == Kind::Declaration {
            let procfile = state_file::read(&world.procfile_path(app), true)?.unwrap_or_default();
            let app_json = state_file::read(&world.app_json_path(app), true)?;
            return Self::of_declaration(directory, procfile, app_json);
        }
        if kind != Kind::Command {
            let again = Tree {
                base: record.base.as_deref(),
                dockerfile: record.dockerfile.as_deref(),
                compose: record.compose.as_deref(),
                build_args: record.build_args.clone(),
                in_containers: Some(!kind.is_native()),
                ..tree.clone()
            };
            let mut checkout = Self::of_directory(directory, &again)?;
            (checkout.record.archive, checkout.record.only) = (record.archive, record.only);
            return Ok(checkout);
        }
        // Without a checkout the recorded Procfile is the only source.
        let recorded = state_file::read(&world.procfile_path(app), true)?;
        Ok(Self {
            kind,
            source: kind.source(&place, &record),
            record,
            procfile: recorded,
            app_json: app_json(directory, tree)?,
            dokku_scale: read(&directory.join(DOKKU_SCALE))?,
            place,
        })
    }

    /// The source that an earlier deploy recorded, with the files of that time. The directory or image itself is used
    /// in its current state.
    pub fn of_record(record: &Deployed) -> Result<Self, Error> {
        let kind = Kind::parse(&record.kind);
        let kind = kind.ok_or_else(|| Error::UnknownSource { kind: record.kind.clone() })?;
        let source = kind.source(&record.place, &record.source);
        if let Source::Directory(path) = &source
            && !path.is_dir()
        {
            return Err(Error::NotADirectory { path: path.clone() });
        }
        let bytes = |file: &Option<Bytes>| file.as_ref().map(|bytes| bytes.0.clone());
        let (procfile, app_json) = (bytes(&record.procfile), bytes(&record.app_json));
        let (place, record) = (record.place.clone(), record.source.clone());
        Ok(Self { kind, place, source, record, procfile, app_json, dokku_scale: None })
    }

    /// The Procfile, parsed. The error for an invalid one names its lines.
    pub fn parsed(&self) -> Result<Option<Procfile>, Error> {
        let Some(bytes) = &self.procfile else { return Ok(None) };
        let bad = |source| Error::BadProcfile { origin: self.place.clone(), source };
        Procfile::parse(bytes).map(Some).map_err(bad)
    }

    /// The app.json, parsed. A source without one has an empty app.json.
    pub fn parsed_app_json(&self) -> Result<AppJson, Error> {
        AppJson::parse(self.app_json.as_deref().unwrap_or_default()).map_err(Error::BadAppJson)
    }

    /// The recorded name of the kind of source, and the directory or image.
    pub fn place(&self) -> (&'static str, String) {
        (self.kind.as_str(), self.place.clone())
    }

    /// Uses the same image as the last deploy, even if its name means another one now. A directory is read in its
    /// current state.
    pub fn replay(&mut self, world: &World, app: &AppName) -> Result<(), Error> {
        if self.kind == Kind::Image
            && let Some(image) = world.source_record(app)?.image
        {
            self.settle(image);
        }
        Ok(())
    }

    /// How the image is obtained. A recorded image, such as that of a kept release, is not made again.
    pub fn image(&self) -> ImageOf<'_> {
        let directory = Path::new(&self.place);
        if let (Kind::Dockerfile | Kind::BaseImage, Some(image)) = (self.kind, &self.record.image) {
            return ImageOf::Name(image);
        }
        match self.kind {
            Kind::Directory | Kind::Command | Kind::Declaration => ImageOf::Nothing,
            Kind::Image => match &self.source {
                Source::Image(image) => ImageOf::Name(image),
                Source::Directory(_) | Source::Services(_) => ImageOf::Nothing,
            },
            Kind::Dockerfile => ImageOf::Dockerfile {
                directory,
                file: self.record.dockerfile.as_deref().unwrap_or("Dockerfile"),
            },
            Kind::BaseImage => {
                ImageOf::Base { directory, image: self.record.base.as_deref().unwrap_or_default() }
            }
            Kind::Compose if self.has_all_services() => ImageOf::Nothing,
            Kind::Compose => {
                ImageOf::Compose { directory, file: self.record.compose.as_deref().unwrap_or("compose.yaml") }
            }
        }
    }

    fn has_all_services(&self) -> bool {
        let services = &self.record.services;
        !services.is_empty() && services.values().all(|service| !service.image.is_empty())
    }

    /// The services of its Compose file, each with its image if that is known.
    pub fn take_services(&mut self, services: BTreeMap<String, ServiceRecord>) {
        self.source = Source::Services(services.clone());
        self.record.services = services;
    }

    /// Sets the image that was found. It is used even if its name means another image later.
    pub fn settle(&mut self, image: String) {
        self.source = Source::Image(image.clone());
        self.record.image = Some(image);
    }
}

/// The path as it was typed, made absolute without resolving its links. If `current` is a link and leads elsewhere at
/// the next deploy, that is a new release. A relative path starts from the shell's working directory, whose name may
/// contain such a link as well.
fn typed(path: &Path) -> Result<PathBuf, Error> {
    let absolute = match shell_directory().filter(|_| path.is_relative()) {
        Some(here) => without_dots(&here.join(path)),
        None => without_dots(
            &std::path::absolute(path)
                .map_err(|source| Error::NotAbsolute { path: path.to_owned(), source })?,
        ),
    };
    let is_line = |text: &str| !text.contains(['\n', '\r', '\0']);
    if !absolute.to_str().is_some_and(is_line) {
        return Err(Error::NotALine { path: absolute });
    }
    Ok(absolute)
}

/// The path without `.`, doubled slashes and `..`. A `..` behind a link stays, because its meaning depends on where the link leads.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        let is_behind_a_directory = fs::symlink_metadata(&plain).is_ok_and(|there| there.is_dir())
            && matches!(plain.components().next_back(), Some(Component::Normal(_)));
        if part == Component::ParentDir && is_behind_a_directory {
            plain.pop();
        } else {
            plain.push(part);
        }
    }
    plain
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

/// The source of the last deploy; `None` if there was none.
pub fn recorded(world: &World, app: &AppName) -> Result<Option<Source>, Error> {
    let Some((kind, place)) = recorded_place(world, app)? else { return Ok(None) };
    let record = if kind.is_native() { SourceRecord::default() } else { world.source_record(app)? };
    Ok(Some(kind.source(&place, &record)))
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

/// The Procfile of a directory that is deployed as `kind`; `None` if it is missing and not needed.
fn procfile(kind: Kind, directory: &Path, tree: &Tree<'_>) -> Result<Option<Vec<u8>>, Error> {
    if let Some(command) = tree.command.filter(|_| kind == Kind::Command) {
        return one_command(command).map(Some);
    }
    let is_needed = match kind {
        Kind::Directory | Kind::Command | Kind::Declaration | Kind::BaseImage => true,
        Kind::Dockerfile => tree.procfile_is_named,
        // The services say what is run.
        Kind::Image | Kind::Compose => return Ok(None),
    };
    let found = read(&directory.join(tree.procfile))?;
    if found.is_none() && is_needed {
        return Err(no_procfile(directory, tree.procfile));
    }
    Ok(found)
}

/// The app.json of a directory. If its path was set, it must exist.
fn app_json(directory: &Path, tree: &Tree<'_>) -> Result<Option<Vec<u8>>, Error> {
    let found = read(&directory.join(tree.app_json))?;
    if found.is_none() && tree.app_json != APP_JSON {
        let (path, place) = (tree.app_json.to_owned(), directory.display().to_string());
        return Err(Error::NamedFileMissing { property: "appjson-path", path, place });
    }
    checks_file::heeded(read(&directory.join(CHECKS))?, found)
}

/// The error for a missing Procfile. It names a file that is probably meant to be one.
fn no_procfile(directory: &Path, procfile: &str) -> Error {
    let path = directory.join(procfile);
    let (parent, name) = (path.parent().unwrap_or(directory), path.file_name().unwrap_or_default());
    let name = name.to_string_lossy();
    let there = match (nearby::mistaken_for(parent, &name), &nearby::variants(parent, &name)[..]) {
        (Some(other), _) => format!(" (but {other}: call it {name})"),
        (None, []) => match Tree::recipe(directory) {
            Some(recipe) => format!(" (but {recipe}: --scheduler docker-local makes an image as it says)"),
            None => String::new(),
        },
        (None, variants) => format!(" (but {})", variants.join(", ")),
    };
    Error::NoProcfile { procfile: procfile.to_owned(), directory: directory.to_owned(), there }
}

/// The bytes of a file of the source; `None` if it does not exist.
fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match durable::input(path, state_file::MAX_BYTES) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(ReadError::Missing) => Ok(None),
        Err(reason) => Err(Error::Unreadable { path: path.to_owned(), reason }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_dots_are_left_out_behind_a_directory_and_stay_behind_a_link() {
        let top = tempfile::tempdir().expect("a directory");
        for directory in ["a/b", "real/inner"] {
            fs::create_dir_all(top.path().join(directory)).expect("a directory");
        }
        std::os::unix::fs::symlink("real/inner", top.path().join("link")).expect("a link");
        let of = |path: &str| without_dots(&top.path().join(path));
        assert_eq!(of("a/b/../../real/./inner/"), top.path().join("real/inner"));
        assert_eq!(of("link/../inner"), top.path().join("link/../inner"));
        assert_eq!(of("nowhere/../a"), top.path().join("nowhere/../a"));
        assert_eq!(without_dots(Path::new("/../a")), Path::new("/../a"));
    }
}
