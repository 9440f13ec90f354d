//! Makes the instances match a formation that was just stored: outside Dokku by `ps-lifecycle converge`, inside Dokku by Dokku's
//! triggers. Only this module of the program starts or stops anything, or asks for a plan.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result};
use formation::{AppName, ProcessType};
use ps_apps::{AppLock, SchedulerName, StoredFormation, World};
use ps_cli::exit::{Outcome, Refusal};
use ps_dokku::{Caller, order};
use ps_root::{Client, LastWill, Place, Provision};

use crate::args::Args;
use crate::events;
use crate::format::Format;

const LIFECYCLE: &str = "ps-lifecycle";
/// Where the root of a world is, below `DOKKU_LIB_ROOT`.
const SERVICES: &str = "data/scheduler-native";

/// With this exit status `ps-lifecycle` ends if the scheduler has refused the plan before anything was changed: `EX_CONFIG` of `sysexits.h`.
/// Nobody else sees it.
const REFUSED: u8 = 78;

/// The scheduler has refused the plan, and has said why. No instance was touched.
#[derive(Debug, thiserror::Error)]
#[error("nothing was changed")]
pub(crate) struct NothingChanged;

/// Makes the instances of a deployed app match; does nothing for one that is not. `changed` are the types to deploy
/// inside Dokku, in this order. What is called holds `lock` with us; a hook of ours holds none.
///
/// # Errors
/// [`NothingChanged`] and others.
pub(crate) fn carry_out(
    world: &World,
    app: &AppName,
    lock: Option<&AppLock>,
    changed: &[String],
    args: &Args,
) -> Result<Outcome> {
    if !ps_dokku::is_deployed(world, app)? {
        return Ok(Outcome::Done);
    }
    if world.inside_dokku() { deploy(world, app, lock, changed, args) } else { converge(app, lock, args) }
}

/// Makes sure that the instances match the stored formation even if this program dies before the value is dropped. `None`: that is
/// not possible, because no root keeps the app, or not needed, because Dokku has its own rules.
pub(crate) fn provide_for(world: &World, app: &AppName) -> Option<Provision> {
    if world.inside_dokku() || world.scheduler_name(app).ok()? != SchedulerName::Native {
        return None;
    }
    let root = Client::connect(&Place::of(&world.lib().join(SERVICES))).ok()?;
    let (home, lib) = (world.root().to_str()?, world.lib().to_str()?);
    let variables = [("DOKKU_ROOT", home), ("DOKKU_LIB_ROOT", lib)];
    let will = LastWill {
        program: os_process::sister(LIFECYCLE)?,
        arguments: ["--quiet", "--wait", "600", "finish", app.as_str()].map(str::to_owned).into(),
        variables: variables.map(|(name, path)| (name.to_owned(), path.to_owned())).into(),
    };
    root.provide_for(app, &will).ok()
}

/// Calls the `deploy` trigger for each type, one after the other, as Dokku does. The first failure ends this.
fn deploy(
    world: &World,
    app: &AppName,
    lock: Option<&AppLock>,
    changed: &[String],
    args: &Args,
) -> Result<Outcome> {
    let caller = lock.map_or_else(|| Caller::new(world), |lock| Caller::holding(world, lock));
    let tag = caller.image_tag(app.as_str())?;
    // A stored name that is not legal today is not passed to hooks, which are shell scripts.
    for process_type in changed.iter().filter(|name| name.parse::<ProcessType>().is_ok()) {
        for call in order::deploy(app.as_str(), &tag, Some(process_type)) {
            if args.format() == Format::Text {
                caller.make([&call])?;
            } else {
                let said = caller.collect(&call)?;
                // Our stdout is for data, so this goes to stderr. If stderr is closed, it is dropped.
                let _ = io::stderr().write_all(&said);
            }
        }
    }
    Ok(Outcome::Done)
}

fn converge(app: &AppName, lock: Option<&AppLock>, args: &Args) -> Result<Outcome> {
    let program = lifecycle();
    let mut command = Command::new(&program);
    command.arg("converge").arg(app.as_str()).envs(lock.map(AppLock::token)).stdin(Stdio::null());
    command.args(["--refusal-status", &REFUSED.to_string()]);
    if args.require.is_some() {
        command.args(["--require", "zero-failed"]);
    }
    if args.quiet {
        command.env("DOKKU_QUIET_OUTPUT", "1");
    }
    if args.format() == Format::Events {
        command.args(["--format", "json", "--part-of", events::VERB]);
    } else if let Ok(stderr) = io::stderr().as_fd().try_clone_to_owned() {
        // Our stdout is for data, so messages about the change go to stderr.
        command.stdout(stderr);
    }
    let ended = command.status().with_context(|| {
        format!("the formation of {app} is stored, but {} cannot be run to apply it", program.display())
    })?;
    if ended.success() {
        return Ok(Outcome::Done);
    }
    if status_of(ended) == REFUSED {
        return Err(NothingChanged.into());
    }
    let lack = match args.require {
        Some(_) => "its instances do not match it yet, or connections have failed (see above)",
        None => "its instances do not match it yet",
    };
    let message = format!(
        "the formation of {app} is stored, but {lack}: run the same command again, or see ps-lifecycle status {app}"
    );
    Err(Refusal { status: status_of(ended), message }.into())
}

/// The plan that `ps-lifecycle converge` makes for this formation, one JSON object a line, and whether all of it is known.
/// `ps-lifecycle` prints on stderr what it could not find out. With `whole`, the plan is what Dokku would do to deploy these
/// types.
pub(crate) fn plan(
    app: &AppName,
    formation: &StoredFormation,
    whole: Option<&[String]>,
) -> Result<(Vec<u8>, bool)> {
    let program = lifecycle();
    let failed = || format!("what runs of {app} is not known, because {} cannot be run", program.display());
    let mut command = Command::new(&program);
    command.args(["converge", "--dry-run", "--json", "--formation", app.as_str()]);
    command.args(["--refusal-status", &REFUSED.to_string()]);
    if let Some(types) = whole {
        command.arg(format!("--whole={}", types.join(",")));
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().with_context(failed)?;
    let lines: Vec<String> =
        formation.scale.iter().map(|entry| format!("{}={}\n", entry.name, entry.count)).collect();
    // `ps-lifecycle` reads all of its input before it answers. If it ended without reading, its exit status says why.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(lines.concat().as_bytes()));
    let ended = child.wait_with_output().with_context(failed)?;
    match ended.status.code() {
        Some(0) => Ok((ended.stdout, true)),
        Some(1) if !ended.stdout.is_empty() => Ok((ended.stdout, false)),
        Some(status) if status == i32::from(REFUSED) => Err(Refusal::failed(format!(
            "nothing would be changed, because the scheduler of {app} refuses it"
        ))),
        _ => {
            let message = format!("what runs of {app} is not known: see ps-lifecycle status {app}");
            Err(Refusal { status: status_of(ended.status), message }.into())
        }
    }
}

fn status_of(ended: ExitStatus) -> u8 {
    let number = ended.code().or_else(|| ended.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(number).unwrap_or(1)
}

/// The path of ps-lifecycle; its bare name if it is not found, which the error message then contains.
fn lifecycle() -> PathBuf {
    os_process::sister(LIFECYCLE).unwrap_or_else(|| PathBuf::from(LIFECYCLE))
}
