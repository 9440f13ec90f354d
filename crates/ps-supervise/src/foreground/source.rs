//! What a foreground runs from: a directory, its Procfile, and the files with variables. Everything is read before
//! anything is started, so that what is wrong is said at once.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use procfile::Procfile;
use ps_cli::exit::Refusal;
use ps_supervisor::SPEC_FILE;

use crate::absolute;
use crate::args::{Args, Words};

const PROCFILE: &str = "Procfile";
const ENV_FILE: &str = ".env";

/// A directory to run from.
#[derive(Debug)]
pub(crate) struct Source {
    /// Where commands run.
    pub(crate) root: PathBuf,
    /// The Procfile, as it is named to people.
    pub(crate) path: PathBuf,
    /// The Procfile; `None` if there is none and nobody asked for one by name.
    pub(crate) procfile: Option<Procfile>,
    /// The files with variables, the last wins.
    pub(crate) env_files: Vec<PathBuf>,
}

/// The variables of one file.
#[derive(Debug)]
pub(crate) struct EnvVariables {
    pub(crate) path: PathBuf,
    pub(crate) variables: Vec<(String, String)>,
}

impl Source {
    /// Finds out what is meant, and reads it.
    pub(crate) fn find(args: &Args, words: &Words) -> Result<Self> {
        let named = words.directory.as_deref().map(absolute).transpose()?;
        let path = args.app.procfile.as_ref().map(|file| beside(named.as_deref(), file));
        let root = match (&named, &path) {
            (Some(root), _) => root.clone(),
            (None, Some(path)) => absolute(parent(path))?,
            (None, None) => absolute(Path::new("."))?,
        };
        let is_asked = path.is_some();
        let path = path.unwrap_or_else(|| root.join(PROCFILE));
        let procfile = match fs::read(&path) {
            Ok(bytes) => Some(Procfile::parse(&bytes).with_context(|| path.display().to_string())?),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_asked => None,
            Err(error) => return Err(error).with_context(|| format!("read {}", path.display())),
        };
        let env_files = env_files(&args.app.env, &root)?;
        Ok(Self { root, path, procfile, env_files })
    }

    /// The Procfile, which must be there; `types` are the words that were taken for its types.
    pub(crate) fn procfile(&self, types: &[String]) -> Result<&Procfile> {
        if let Some(procfile) = &self.procfile {
            return Ok(procfile);
        }
        let directory = types.iter().find(|name| Path::new(name).is_dir());
        let hint = match directory {
            Some(name) => format!("write ./{name} if you mean the directory"),
            None if self.root.join("procfile").is_file() => format!("rename procfile to {PROCFILE}"),
            None => "name a directory that has one".to_owned(),
        };
        let root = self.root.display();
        Err(Refusal::failed(format!("{root} has neither a {PROCFILE} nor a {SPEC_FILE}: {hint}")))
    }

    /// The name of the app, for people.
    pub(crate) fn name(&self) -> String {
        self.root.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The variables of the files, in order: what is wrong with one of them is an error now.
    pub(crate) fn variables(&self) -> Result<Vec<EnvVariables>> {
        let read = |path: &PathBuf| match ps_supervisor::read_env_file(path) {
            Ok(variables) => Ok(EnvVariables { path: path.clone(), variables }),
            Err(reason) => bail!(reason),
        };
        self.env_files.iter().map(read).collect()
    }
}

fn env_files(asked: &[PathBuf], root: &Path) -> Result<Vec<PathBuf>> {
    if asked.is_empty() {
        return Ok(vec![root.join(ENV_FILE)]);
    }
    let mut files = Vec::new();
    for file in asked {
        let path = beside(Some(root), file);
        let path = absolute(&path)?;
        // `-e /dev/null` means: no file.
        if path != Path::new("/dev/null") {
            files.push(path);
        }
    }
    Ok(files)
}

/// A file as it was named: from where we are or, if it is not there, from the directory.
fn beside(root: Option<&Path>, file: &Path) -> PathBuf {
    let in_root = root.map(|root| root.join(file)).filter(|path| !file.exists() && path.exists());
    in_root.unwrap_or_else(|| file.to_owned())
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The variables that we were started with. What marks a caller's lock is not the app's.
pub(crate) fn own_variables() -> Result<Vec<(String, String)>> {
    let mut variables = Vec::new();
    for (name, value) in env::vars_os().filter(|(name, _)| name != ps_apps::LOCK_VARIABLE) {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => variables.push((name, value)),
            (Ok(name), Err(_)) => bail!("{name} in the environment is not UTF-8: unset it"),
            (Err(name), _) => bail!("{} in the environment is not UTF-8: unset it", name.display()),
        }
    }
    Ok(variables)
}
