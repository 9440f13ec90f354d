//! What every verb needs: the arguments, the directories, and the working directory of the caller.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ps_cli::say::failure;

use crate::args::Args;
use crate::beside;
use crate::book::Book;
use crate::home::{Home, private};
use crate::options;

/// What every verb needs.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) args: Args,
    pub(crate) home: Home,
    /// The directory of the caller, by the path that its shell knows it by.
    pub(crate) cwd: PathBuf,
    /// Whether what is noted in `pm2.log` about the apps that this command starts is printed as well: in pm2, `PM2_DEBUG` has this effect on
    /// the command that brings the daemon up, and on no later one.
    pub(crate) shows_notes: bool,
}

impl Session {
    /// Reads the environment, and makes the directories that are not there.
    pub(crate) fn open(args: Args) -> Result<Self> {
        Self::open_in(args, None)
    }

    /// The same, with the apps in this directory, if one is named.
    pub(crate) fn open_in(args: Args, directory: Option<PathBuf>) -> Result<Self> {
        let cwd = cwd().context("the current directory is not there any more: change to another one")?;
        // The command that pm2 prints for root (`startup systemd -u deploy --hp /home/deploy`) names the home so.
        let of_user = args.hp.as_ref().map(|home| absolute(&cwd, home).join(".pm2"));
        if let Some(home) = of_user.as_ref().filter(|home| !Home::at(home).own().is_dir()) {
            // Made by root, it would be closed to that user.
            bail!("--hp: {} has no apps of ps-pm2 yet: call ps-pm2 list as that user first", home.display());
        }
        let directory = directory.or(of_user);
        let directory = directory.map_or_else(Home::directory_of_user, Ok)?;
        beside::judge(&Home::at(&directory), args.words.first().map(String::as_str))?;
        let (home, is_new) = Home::open_in(&directory)?;
        // Scripts look for both files, and nothing here depends on them.
        let _ = private(&home.diary());
        let _ = options::offer(&home);
        ps_supervisor::close_descriptors_on_exec();
        if options::value(&home, "PM2_NODE_OPTIONS").is_some_and(|options| options.contains("--harmony")) {
            failure("● ES6 mode");
        }
        let is_debugged = options::value(&home, "PM2_DEBUG").is_some_and(|value| !value.is_empty());
        let shows_notes = is_debugged && (is_new || Book::read(&home)?.was_killed(&home));
        Ok(Self { args, home, cwd, shows_notes })
    }

    /// A path that was given on the command line or in a declaration.
    pub(crate) fn path(&self, given: &Path) -> PathBuf {
        absolute(&self.cwd, given)
    }

    /// What the verb is about.
    pub(crate) fn subjects(&self) -> &[String] {
        self.args.words.get(1..).unwrap_or_default()
    }

    /// With `--update-env`, what the caller has set belongs to these apps as well from now on. An instance reads it when it starts.
    pub(crate) fn update_variables(&self, book: &mut Book, ids: &[u64]) -> Result<()> {
        if self.args.update_env {
            book.add_variables(ids, &own_variables());
            book.write(&self.home)?;
        }
        Ok(())
    }
}

/// Which pm2 is meant: nothing for apps.
pub(crate) const OF_PM2: [&str; 3] = ["PM2_HOME", "PM2_RPC_PORT", "PM2_PUB_PORT"];

/// The caller's variables without those that say which pm2 is meant.
pub(crate) fn own_variables() -> BTreeMap<String, String> {
    let mut variables = variables();
    variables.retain(|name, _| !OF_PM2.contains(&name.as_str()));
    variables
}

/// The caller's variables. A process could have others, but JSON could not hold them.
pub(crate) fn variables() -> BTreeMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    env::vars_os().filter_map(text).collect()
}

/// A path below a directory, without `.` and `..`.
pub(crate) fn absolute(base: &Path, given: &Path) -> PathBuf {
    let mut path = PathBuf::new();
    for part in base.join(given).components() {
        match part {
            std::path::Component::ParentDir => drop(path.pop()),
            std::path::Component::CurDir => (),
            part => path.push(part),
        }
    }
    path
}

fn cwd() -> std::io::Result<PathBuf> {
    let real = env::current_dir()?;
    let named = env::var_os("PWD").map(PathBuf::from).filter(|path| path.is_absolute());
    let named = named.filter(|named| named.canonicalize().is_ok_and(|path| path == real));
    Ok(named.map_or(real, |named| named.components().collect()))
}
