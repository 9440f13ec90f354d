//! The supervisor as a program: for a service directory, it keeps the app running until it is told to end; for a directory
//! with a Procfile, it runs in the foreground. With `--root` it keeps the supervisors of all apps alive.

mod args;
mod asked;
mod foreground;
mod root;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use ps_cli::exit::{Outcome, Refusal};
use ps_supervisor::{Launch, Spec, Supervisor, TidyLogs, Until};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::args::{Args, Verb};
use crate::asked::Asked;

/// The arguments, for man pages and completions.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the program.
pub fn run() -> Result<Outcome> {
    if let Some(launch) = Launch::asked(std::env::args_os()) {
        let failed = launch.exec();
        return Err(Refusal { status: failed.status(), message: failed.to_string() }.into());
    }
    if let Some(logs) = TidyLogs::asked(std::env::args_os()) {
        logs.run().context("tidy logs")?;
        return Ok(Outcome::Done);
    }
    match Asked::of(std::env::args_os().skip(1)) {
        Some(Asked::Service { directory, open_files, goes_on }) if is_service(&directory) => {
            return serve(&absolute(&directory)?, open_files, goes_on);
        }
        Some(Asked::Root { lib, is_while_needed }) => {
            if let Some(lib) = root::meant(&lib, is_while_needed)? {
                return root::run(&lib, is_while_needed);
            }
        }
        Some(Asked::Service { .. }) | None => (),
    }
    let args = Args::try_parse()?;
    if let Some(state) = &args.guard {
        return foreground::guard(state);
    }
    if let Some(service) = &args.can_go_on {
        Supervisor::can_go_on(service)?;
        return Ok(Outcome::Done);
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
        return serve(&service, args.open_files, args.goes_on);
    }
    ps_supervisor::close_descriptors_on_exec();
    match &args.verb {
        Some(Verb::Run { command }) => foreground::run_command(&args, &words, command),
        None => foreground::run(&args, &words),
    }
}

/// Whether it is a service directory: it has a spec and no Procfile. A source directory may contain a `spec.json` of its
/// own.
fn is_service(directory: &Path) -> bool {
    Spec::is_in(directory) && !directory.join("Procfile").is_file()
}

fn serve(service: &Path, open_files: Option<u64>, goes_on: bool) -> Result<Outcome> {
    os_process::become_owner_of(service)
        .with_context(|| format!("become the owner of {}", service.display()))?;
    if open_files.is_some() {
        let limit = getrlimit(Resource::Nofile);
        // The supervisor raises its own limit again, and its processes get the one that it finds.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: open_files, ..limit });
    }
    // The process that started us may close its terminal, which must not end us. This fails only if we lead a session
    // already.
    let _ = rustix::process::setsid();
    ps_supervisor::disown().context("watch for signals")?;
    let open = if goes_on { Supervisor::go_on } else { Supervisor::open };
    let mut supervisor = open(service)?;
    if let Some(error) = supervisor.passed_over() {
        ps_cli::say::warning(&format!("{error}: what was stopped by hand before is not known"));
    }
    supervisor.run(Until::Told)?;
    Ok(Outcome::Done)
}

pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("open {}", path.display()))
}
