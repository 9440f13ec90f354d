//! `ps-supervise run`: executes one command in the environment of the app, in place of this process.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;

use anyhow::{Error, Result};
use formation::Slot;
use ps_cli::exit::{Outcome, Refusal};
use ps_cli::say;
use ps_supervisor::{Invocation, LaunchFailed};

use super::plan::base_spec;
use super::source::Source;
use crate::args::{Args, Words};

/// Executes the command. Returns only on failure.
pub(crate) fn run(args: &Args, words: &Words, command: &[OsString]) -> Result<Outcome> {
    if let Some(word) = words.types.first() {
        return Err(Refusal::usage(format!("{word} before run: write run and then what to run")));
    }
    let source = Source::find(args, words)?;
    let mut spec = base_spec(args, &source, &source.environment()?)?;
    let (first, rest) =
        command.split_first().ok_or_else(|| Refusal::usage("run needs a type or a command"))?;
    let of_type = spec.processes.iter().find(|process| process.process_type.as_str() == first);
    let (line, slot) = match of_type {
        Some(process) => {
            let slot: Slot = format!("{}.1", process.process_type).parse()?;
            (Some(line(&process.command, rest)?), Some(slot))
        }
        None if rest.is_empty() && has_blank(first) => (Some(first.to_string_lossy().into_owned()), None),
        None => (None, None),
    };
    spec.env.retain(|name, _| slot.is_none() || name != "PORT");
    let port = slot.as_ref().and_then(|slot| ps_supervisor::port_by_place(&spec, slot));
    let name: Slot = "run.1".parse()?;
    let environment = ps_supervisor::environment(&spec, &name, port).map_err(Error::msg)?;
    environment.warnings().iter().for_each(|odd| say::warning(odd));
    let invocation = match line {
        Some(line) => Invocation::of(&line, &environment).map_err(Error::msg)?,
        None => Invocation::Words(command.to_vec()),
    };
    let mut command = invocation.plain_command();
    let error = command.env_clear().envs(environment.iter()).current_dir(&source.root).exec();
    let types: Vec<&str> = spec.processes.iter().map(|process| process.process_type.as_str()).collect();
    Err(refusal(first, error, &source.root, &types))
}

/// A command line with more arguments, each quoted.
fn line(line: &str, words: &[OsString]) -> Result<String> {
    let mut line = line.to_owned();
    for word in words {
        let word = word.to_str().ok_or_else(|| Refusal::usage("an argument of a type is not UTF-8"))?;
        line.push(' ');
        line.push_str(&shlex::try_quote(word)?);
    }
    Ok(line)
}

fn has_blank(word: &OsStr) -> bool {
    word.as_encoded_bytes().iter().any(u8::is_ascii_whitespace)
}

/// The error for a command that could not be executed; `types` are the types of the Procfile, none of which it is.
fn refusal(command: &OsStr, error: io::Error, root: &Path, types: &[&str]) -> anyhow::Error {
    let failed = LaunchFailed::of(command.to_owned(), error, root);
    let message = match &failed {
        LaunchFailed::NotFound { program } if types.is_empty() => {
            format!("command not found: {}", program.display())
        }
        LaunchFailed::NotFound { program } => {
            let (program, types) = (program.display(), types.join(", "));
            format!("command not found: {program} (nor is it a type of the Procfile: there are {types})")
        }
        other => other.to_string(),
    };
    Refusal { status: failed.status(), message }.into()
}
