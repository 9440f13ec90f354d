//! The hook `core-post-extract`: keeps the Procfile of the coming deploy as `Procfile.<DOKKU_PID>`, or creates the
//! empty file `Procfile.<DOKKU_PID>.missing` if there is none. The Procfile is checked before it is written, so a
//! deploy that is refused leaves no file behind.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use durable::{Access, Directory};
use formation::AppName;
use procfile::Procfile;
use ps_apps::{PsProperty, Scope, World};

use crate::Error;
use crate::source_tree::{self, SourceFile};

const PROCFILE: &str = "Procfile";
const PROPERTY: &str = "procfile-path";
/// The mode of a Procfile that was read from an image.
const MODE: u32 = 0o644;
/// The mode of the file that says that there is no Procfile.
const MARK_MODE: u32 = 0o600;
/// A byte order mark, which some editors put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads the Procfile from the source tree, or from the image if an image is the app's source. `image_file` reads a
/// file of an image by its path there, and returns `None` if there is no such file.
pub fn extract<E: std::error::Error + Send + Sync + 'static>(
    world: &World,
    app: &AppName,
    tree: &Path,
    image_file: impl FnOnce(&str, &str) -> Result<Option<Vec<u8>>, E>,
) -> Result<(), Error> {
    let staged = staged_name()?;
    let path = wanted_path(world, app)?;
    let found =
        match world.property("git", Scope::App(app), "source-image")?.filter(|image| !image.is_empty()) {
            Some(image) => from_image(&path, |path| image_file(&image, path))?,
            None => from_tree(tree, &path)?,
        };
    let directory = world.data_dir("ps", app);
    let opened = Directory::open(world.lib(), &directory)?;
    forget_earlier(&directory).map_err(Error::io(format!("tidy up {}", directory.display())))?;
    let (name, bytes, mode) = match found {
        Some(file) => (staged, unix_lines(&file.bytes), file.mode),
        None => (format!("{staged}.missing"), Vec::new(), MARK_MODE),
    };
    Ok(opened.write(&name, &bytes, Access::like(world.lib(), mode))?)
}

/// `Procfile.<DOKKU_PID>`.
pub(crate) fn staged_name() -> Result<String, Error> {
    Ok(format!("{PROCFILE}.{}", deploy_pid()?))
}

/// The value of `DOKKU_PID`, by which Dokku names the deploy that is running.
pub fn deploy_pid() -> Result<String, Error> {
    let pid = std::env::var("DOKKU_PID").unwrap_or_default();
    if pid.is_empty() || !pid.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::NoDeploy(pid));
    }
    Ok(pid)
}

/// The path of the Procfile in the source tree, without slashes at its ends, which Dokku drops as well.
fn wanted_path(world: &World, app: &AppName) -> Result<String, Error> {
    let property = PsProperty::named(PROPERTY).expect("the property is in the table");
    let value = world.ps_setting(Scope::App(app), property)?.value.unwrap_or_default();
    let path = value.trim_matches('/');
    Ok(if path.is_empty() { PROCFILE.to_owned() } else { path.to_owned() })
}

fn from_tree(tree: &Path, path: &str) -> Result<Option<SourceFile>, Error> {
    let read = source_tree::read(tree, path);
    let found = read.map_err(|error| refused(path, error))?;
    if let Some(file) = &found {
        check(&unix_lines(&file.bytes))?;
    }
    if path != PROCFILE {
        // The builder must see the chosen Procfile, and no other.
        source_tree::replace(tree, PROCFILE, found.as_ref())
            .map_err(Error::io(format!("put {path} in the place of {PROCFILE}")))?;
    }
    Ok(found)
}

fn from_image<E: std::error::Error + Send + Sync + 'static>(
    path: &str,
    read: impl FnOnce(&str) -> Result<Option<Vec<u8>>, E>,
) -> Result<Option<SourceFile>, Error> {
    if path.split('/').any(|part| part == "..") {
        return Err(Error::Outside { path: path.to_owned() });
    }
    let found = read(path).map_err(|error| Error::Image(error.into()))?;
    if let Some(bytes) = &found {
        if bytes.len() as u64 > source_tree::MAX_BYTES {
            return Err(refused(path, source_tree::too_large()));
        }
        check(&unix_lines(bytes))?;
    }
    Ok(found.map(|bytes| SourceFile { bytes, mode: MODE }))
}

fn check(bytes: &[u8]) -> Result<(), Error> {
    Procfile::parse(bytes).map(drop).map_err(Error::BadProcfile)
}

fn refused(path: &str, reason: io::Error) -> Error {
    let path = path.to_owned();
    if source_tree::leads_outside(&reason) {
        Error::Outside { path }
    } else {
        Error::Unreadable { path, reason }
    }
}

/// The text without a byte order mark, and with LF at the end of each line.
fn unix_lines(bytes: &[u8]) -> Vec<u8> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let mut lines = Vec::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        if *byte != b'\r' || bytes.get(at + 1) != Some(&b'\n') {
            lines.push(*byte);
        }
    }
    lines
}

/// Removes the files of earlier deploys that died. None of them is needed any more, because only one deploy of an app
/// runs at a time.
fn forget_earlier(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path: PathBuf = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.strip_prefix(PROCFILE).is_some_and(|rest| rest.starts_with('.')) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
