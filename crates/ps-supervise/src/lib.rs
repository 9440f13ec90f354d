//! The supervisor of one app, as a program: a service directory is kept running until it is told to end; a directory
//! with a Procfile runs in the foreground.

mod foreground;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use ps_cli::exit::{Outcome, Refusal};
use ps_supervisor::{SPEC_FILE, Supervisor, Until};

/// Keeps the processes of one app alive
///
/// A DIRECTORY with a spec.json is the service directory of an app that ps-lifecycle deployed: its
/// processes are kept running until SIGTERM. A DIRECTORY with a Procfile runs in the foreground: one
/// instance of each type but `release`, output on stdout, Ctrl-C ends all of it.
///
/// Examples:
///   ps-supervise                      run the Procfile of this directory
///   ps-supervise ~/src/shop           run another one's
///   ps-supervise /var/lib/formation/lib/data/scheduler-native/shop
#[derive(Debug, Parser)]
#[command(name = "ps-supervise", version, verbatim_doc_comment)]
struct Args {
    /// A service directory, or one with a Procfile
    #[arg(default_value = ".")]
    directory: PathBuf,
}

/// The arguments, for man pages and completions.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the program: to the end of what it supervises.
pub fn run() -> Result<Outcome> {
    let args = Args::try_parse()?;
    let directory = absolute(&args.directory)?;
    if directory.join(SPEC_FILE).is_file() {
        return serve(&directory);
    }
    if directory.join("Procfile").is_file() {
        return foreground::run(&directory);
    }
    Err(Refusal::failed(format!(
        "{} has neither a Procfile nor a {SPEC_FILE}: name a directory that has one",
        directory.display()
    )))
}

fn serve(service: &Path) -> Result<Outcome> {
    // Whoever started us goes on, and may close its terminal. It fails only where we lead a session already.
    let _ = rustix::process::setsid();
    let mut supervisor = Supervisor::open(service)?;
    supervisor.run(Until::Told)?;
    Ok(Outcome::Done)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("open {}", path.display()))
}
