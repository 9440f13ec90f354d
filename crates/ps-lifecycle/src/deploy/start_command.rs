//! `--command` in a deploy of an image: the command that its `web` runs instead of the image's own, from this deploy on. It is
//! stored as the property `start-cmd`.

use anyhow::Result;
use formation::FIRST_TYPE;
use ps_cli::exit::Refusal;
use ps_release::{Error, Process, Release, START_CMD};

use crate::args::DeployArgs;

/// The release with the deploy's command.
///
/// # Errors
/// The command has more than one line, or the Procfile of the image has no `web`.
pub(super) fn give(mut release: Release, args: &DeployArgs) -> Result<Release> {
    let Some(command) = line(args)? else { return Ok(release) };
    let web = FIRST_TYPE.parse().expect("web is a process type");
    if let Some(process) = release.processes.iter_mut().find(|process| process.process_type == web) {
        process.command = Some(command);
        return Ok(release);
    }
    if release.are_all_types {
        return Err(Refusal::usage(format!(
            "--command is for {FIRST_TYPE}, which the Procfile of {} does not have",
            release.app
        )));
    }
    let mut process = Process::new(web, Some(command));
    process.settings = release.others.clone();
    release.processes.push(process);
    Ok(release)
}

/// Refuses a command that `start-cmd` cannot hold.
///
/// # Errors
/// The command has more than one line.
pub(super) fn check(args: &DeployArgs) -> Result<()> {
    line(args)?;
    Ok(())
}

/// The property that the deploy writes.
pub(super) fn property(args: &DeployArgs) -> Result<Option<(String, String)>> {
    Ok(line(args)?.map(|command| (START_CMD.to_owned(), command)))
}

/// The command of a deploy of an image; `None` if none was given, or if the source is no image.
fn line(args: &DeployArgs) -> Result<Option<String>, Error> {
    if args.source.image.is_none() {
        return Ok(None);
    }
    match args.source.line()? {
        Some(command) if command.trim().is_empty() || command.contains(['\n', '\r']) => {
            Err(Error::NotOneCommand { command })
        }
        line => Ok(line),
    }
}
