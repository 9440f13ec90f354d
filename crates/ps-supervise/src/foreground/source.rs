//! The source of a foreground: a directory, its Procfile and its env files. All of them are read before anything is
//! started, so that errors come first.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Error, Result, bail};
use durable::ReadError;
use env_files::{Environment, MAX_ENV_FILE_BYTES};
use procfile::{Grammar, MAX_FILE_BYTES, Procfile};
use ps_apps::nearby;
use ps_cli::exit::Refusal;
use ps_supervisor::SPEC_FILE;

use crate::absolute;
use crate::args::{Args, Words};

const PROCFILE: &str = "Procfile";
const ENV_FILE: &str = ".env";

/// A directory to run from.
#[derive(Debug)]
pub(crate) struct Source {
    /// The directory in which commands run.
    pub(crate) root: PathBuf,
    /// The Procfile's path, for messages.
    pub(crate) path: PathBuf,
    /// The Procfile; `None` if there is none and none was named.
    pub(crate) procfile: Option<Procfile>,
    /// The variables of this process, and those that could be read only once, for example from a pipe.
    pub(crate) fixed: Environment,
    /// The env files that are read at each start; the last one wins.
    pub(crate) env_files: Vec<PathBuf>,
}

impl Source {
    /// Finds and reads the source that the options name.
    pub(crate) fn find(args: &Args, words: &Words) -> Result<Self> {
        let named = words.directory.as_deref().map(absolute).transpose()?;
        let path = args.app.procfile.as_ref().map(|file| beside(named.as_deref(), file));
        let root = match (&named, &path) {
            (Some(root), _) => root.clone(),
            (None, Some(path)) if durable::is_file(path) => absolute(parent(path))?,
            // A pipe, such as that of `<(…)`, is in no directory of the app.
            (None, _) => absolute(Path::new("."))?,
        };
        let is_asked = path.is_some();
        let path = path.unwrap_or_else(|| root.join(PROCFILE));
        let most = MAX_FILE_BYTES as u64;
        let bytes = if is_asked { argument(&path, most) } else { durable::input(&path, most) };
        let procfile = match bytes {
            Ok(bytes) => Some(Procfile::parse(&bytes).with_context(|| path.display().to_string())?),
            Err(ReadError::Missing) if !is_asked => None,
            Err(_) if !is_asked && root.is_file() => {
                let file = root.display();
                return Err(Refusal::failed(format!(
                    "{file} is a file, and a word with a slash names a directory: -f {file} runs the Procfile of that name"
                )));
            }
            Err(error) => bail!("{}: {error}", path.display()),
        };
        let (fixed, env_files) = env_files(&args.app.env, &root)?;
        Ok(Self { root, path, procfile, fixed, env_files })
    }

    /// The Procfile, which must exist. `types` are the words that were taken for its types.
    pub(crate) fn procfile(&self, types: &[String]) -> Result<&Procfile> {
        if let Some(procfile) = &self.procfile {
            return Ok(procfile);
        }
        let directory = types.iter().find(|name| Path::new(name).is_dir());
        let hint = match (directory, nearby::mistaken_for(&self.root, PROCFILE)) {
            (Some(name), _) => format!("write ./{name} if you mean the directory"),
            (None, Some(other)) => format!("rename {other} to {PROCFILE}"),
            (None, None) => "name a directory that has one".to_owned(),
        };
        let root = self.root.display();
        Err(Refusal::failed(format!("{root} has neither a {PROCFILE} nor a {SPEC_FILE}: {hint}")))
    }

    /// The name of the app, for messages.
    pub(crate) fn name(&self) -> String {
        self.root.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// All variables. An invalid file is an error.
    pub(crate) fn environment(&self) -> Result<Environment> {
        let mut environment = self.fixed.clone();
        for path in &self.env_files {
            environment.read_file(path, Grammar::Own).map_err(Error::msg)?;
        }
        Ok(environment)
    }
}

/// The variables that are fixed now, and the files that are read at each start. A pipe can be read only once. To keep the
/// rule that the last file wins, everything before a pipe is fixed as well.
fn env_files(asked: &[PathBuf], root: &Path) -> Result<(Environment, Vec<PathBuf>)> {
    let mut fixed = Environment::new(own_variables());
    if asked.is_empty() {
        return Ok((fixed, vec![root.join(ENV_FILE)]));
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for file in asked {
        let path = beside(Some(root), file);
        if durable::is_file(&path) {
            files.push(absolute(&path)?);
            continue;
        }
        let bytes = argument(&path, MAX_ENV_FILE_BYTES)
            .map_err(|error| Error::msg(format!("{}: {error}", path.display())))?;
        for file in files.drain(..) {
            fixed.read_file(&file, Grammar::Own).map_err(Error::msg)?;
        }
        fixed.add(&path, &bytes, Grammar::Own).map_err(Error::msg)?;
    }
    Ok((fixed, files))
}

/// The bytes of a file or pipe that was named; `-` is standard input.
fn argument(path: &Path, most: u64) -> Result<Vec<u8>, ReadError> {
    durable::argument(path, most, &|| false)
}

/// A file by its path relative to the current directory or, if it is not there, to the source directory.
fn beside(root: Option<&Path>, file: &Path) -> PathBuf {
    let is_elsewhere = |path: &PathBuf| file != Path::new("-") && !file.exists() && path.exists();
    let in_root = root.map(|root| root.join(file)).filter(is_elsewhere);
    in_root.unwrap_or_else(|| file.to_owned())
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The variables of this process, except the one that marks a caller's lock.
fn own_variables() -> impl Iterator<Item = (OsString, OsString)> {
    env::vars_os().filter(|(name, _)| name != ps_apps::LOCK_VARIABLE)
}
