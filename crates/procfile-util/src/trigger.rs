//! Answers Dokku's triggers about the Procfile of an app. It decides which file is the current one, and which
//! variables are used to expand its commands. A hook replaces itself by this program with `--from-trigger`.

use std::ffi::OsString;

use anyhow::{Error, Result, anyhow, bail};
use formation::AppName;
use procfile::{EnvFile, Grammar, ParseOptions, Procfile, Reading, Variables};
use ps_apps::{World, state_file};
use ps_cli::exit::Outcome;
use ps_cli::say;

use crate::exists::NOT_FOUND;
use crate::{diagnose, files, output};

/// The value of `PORT` if the caller names none.
const DEFAULT_PORT: i64 = 5000;

/// Answers the trigger that the first argument names.
pub(crate) fn answer(words: &[OsString]) -> Result<Outcome> {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    let world = World::from_env()?;
    match words[..] {
        ["procfile-exists", app] => exists(&world, &app.parse()?),
        ["procfile-get-command", app, name] => command(&world, &app.parse()?, name, ""),
        ["procfile-get-command", app, name, port] => command(&world, &app.parse()?, name, port),
        _ => bail!(
            "--from-trigger takes procfile-exists <app>, or procfile-get-command <app> <type> [<port>]: {} is neither",
            words.join(" ")
        ),
    }
}

fn exists(world: &World, app: &AppName) -> Result<Outcome> {
    match world.current_procfile(app) {
        Some(_) => Ok(Outcome::Done),
        None => bail!("Procfile does not exist"),
    }
}

/// Prints the expanded command and a newline. If there is no Procfile, prints nothing and succeeds.
fn command(world: &World, app: &AppName, name: &str, port: &str) -> Result<Outcome> {
    let Some(path) = world.current_procfile(app) else { return Ok(Outcome::Done) };
    let options = ParseOptions::default();
    let procfile = match Procfile::parse_with(files::read(path.as_os_str())?, &options) {
        Ok(procfile) => procfile,
        Err(refused) => return Err(diagnose::failure(path.as_os_str(), &refused, &options)),
    };
    let entry = procfile.get(name).ok_or_else(|| anyhow!(NOT_FOUND))?;
    // As in Dokku, a word that is not a number stands for the default port.
    let port = port.parse().unwrap_or(DEFAULT_PORT);
    let environment = environment(world, app)?;
    let variables = Variables { env_file: Some(&environment), ..Variables::new(entry.name, port) };
    let command = procfile::expand(entry.command, &variables);
    // A variable that is not set can leave blanks at the ends of the command. Dokku removes them.
    let mut line = command.trim_ascii().to_vec();
    line.push(b'\n');
    output::print(&line)
}

/// The variables that hold for all apps, overridden by the app's own. Inside Dokku, Dokku writes both files, so they
/// are read in its grammar.
fn environment(world: &World, app: &AppName) -> Result<EnvFile> {
    let grammar = if world.inside_dokku() { Grammar::Dokku } else { Grammar::Own };
    let reading = Reading { grammar, known: &|_| None };
    let mut both = Vec::new();
    for path in [world.global_env_path(), world.env_path(app)] {
        let bytes = state_file::read(&path, false)?.unwrap_or_default();
        let file = EnvFile::parse_with(&bytes, &reading).map_err(|error| Error::msg(error.in_file(&path)))?;
        file.warnings().iter().for_each(|odd| say::warning(&format!("{}, {odd}", path.display())));
        both.extend(bytes);
        both.push(b'\n');
    }
    Ok(EnvFile::parse_with(&both, &reading)?)
}
