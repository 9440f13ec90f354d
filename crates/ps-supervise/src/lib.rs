//! The supervisor as a program: for a service directory, it keeps the app running until it is told to end; for a directory
//! with a Procfile, it runs in the foreground. With `--root` it keeps the supervisors of all apps alive.

mod args;
mod asked;
mod foreground;
mod record;
mod root;
mod staying;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use ps_cli::exit::{Outcome, Refusal};
use ps_supervisor::Spec;

use crate::args::{Args, Verb};

/// The arguments, for man pages and completions.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the program.
pub fn run() -> Result<Outcome> {
    if let Some(outcome) = staying::answer()? {
        return Ok(outcome);
    }
    let args = Args::try_parse()?;
    if let Some(state) = &args.guard {
        return foreground::guard(state);
    }
    let words = args.words()?;
    let root = args.app.root.as_deref().filter(|root| words.directory.as_deref() == Some(*root));
    if let Some(root) = root.filter(|_| !args.is_for_foreground())
        && let Some(lib) = root::meant(root, args.while_needed)?
    {
        return root::run(&lib, args.while_needed);
    }
    let service = absolute(words.directory.as_deref().unwrap_or(Path::new(".")))?;
    if is_service(&service) {
        if args.is_for_foreground() {
            let service = service.display();
            return Err(Refusal::usage(format!(
                "{service} is a service directory: it takes no options and no types"
            )));
        }
        return staying::serve(&service, args.open_files, args.begin());
    }
    ps_supervisor::close_descriptors_on_exec();
    match &args.verb {
        Some(Verb::Run { command }) => foreground::run_command(&args, &words, command),
        None => foreground::run(&args, &words),
    }
}

/// Runs the resident program (`os_process::resident`), which takes the arguments that other programs pass and no options.
pub fn run_resident() -> Result<Outcome> {
    let usage =
        || Refusal::usage("this program is started by others: ps-supervise --help tells what it does");
    staying::answer()?.ok_or_else(usage)
}

/// Whether it is a service directory: it has a spec and no Procfile. A source directory may contain a `spec.json` of its
/// own.
fn is_service(directory: &Path) -> bool {
    Spec::is_in(directory) && !directory.join("Procfile").is_file()
}

pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("open {}", path.display()))
}
