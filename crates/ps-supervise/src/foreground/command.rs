//! `ps-supervise run`: one command in the environment of the app, in our place.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;

use anyhow::{Error, Result};
use formation::Slot;
use ps_cli::exit::{Outcome, Refusal};
use ps_cli::say;
use ps_supervisor::Invocation;

use super::plan::base_spec;
use super::source::Source;
use crate::args::{Args, Words};

/// What a shell says when there is no such program.
const NOT_FOUND: u8 = 127;
/// What a shell says when it may not be run.
const NOT_EXECUTABLE: u8 = 126;

/// Becomes the command. It returns only if it could not.
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
    let port = slot.as_ref().and_then(|slot| port(&spec, slot));
    let name: Slot = "run.1".parse()?;
    let environment = ps_supervisor::environment(&spec, &name, port).map_err(Error::msg)?;
    environment.warnings().iter().for_each(|odd| say::warning(odd));
    let invocation = match line {
        Some(line) => Invocation::of(&line, &environment).map_err(Error::msg)?,
        None => Invocation::Words(command.to_vec()),
    };
    let mut command = invocation.plain_command();
    let error = command.env_clear().envs(environment.iter()).current_dir(&source.root).exec();
    Err(refusal(first, &error))
}

/// A command line with more words added to it as they are.
fn line(line: &str, words: &[OsString]) -> Result<String> {
    let mut line = line.to_owned();
    for word in words {
        let word = word.to_str().ok_or_else(|| Refusal::usage("an argument of a type is not UTF-8"))?;
        line.push(' ');
        line.push_str(&shlex::try_quote(word)?);
    }
    Ok(line)
}

fn port(spec: &ps_supervisor::Spec, slot: &Slot) -> Option<u16> {
    let place = *spec.places.get(slot.process_type.as_str())?;
    spec.base_port.checked_add(place.checked_mul(100)?)
}

fn has_blank(word: &OsStr) -> bool {
    word.as_encoded_bytes().iter().any(u8::is_ascii_whitespace)
}

fn refusal(command: &OsStr, error: &io::Error) -> anyhow::Error {
    let command = command.display();
    let (status, message) = match error.kind() {
        io::ErrorKind::NotFound => (NOT_FOUND, format!("command not found: {command}")),
        io::ErrorKind::PermissionDenied => (NOT_EXECUTABLE, format!("not executable: {command}")),
        _ => (NOT_EXECUTABLE, format!("run {command}: {error}")),
    };
    Refusal { status, message }.into()
}
