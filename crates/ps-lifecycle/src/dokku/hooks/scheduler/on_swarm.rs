//! The scheduler `swarm` inside Dokku. `scheduler-deploy` runs the image that Dokku has built, from the registry to which Dokku's plugin `registry`
//! has pushed it. If that plugin pushes nothing, only this machine has the image.

use std::io::{self, IsTerminal};

use anyhow::{Context, Result, bail};
use formation::{AppName, Slot, Which};
use ps_apps::World;
use ps_cli::exit::Outcome;
use ps_cli::say;
use ps_dokku::Caller;
use ps_release::{Process, Release, START_CMD, Source, brought, remarks};
use ps_scheduler::{Command, Ended, Entry, Intent, Leftover, OneOff, Plan, Scheduler, Streams};
use ps_scheduler_docker::{DockerLocal, Pull};
use ps_scheduler_swarm::{ImageKind, Swarm};
use ps_supervisor::Signals;

use super::handover;
use super::named::{named, refusal};
use super::ours::Ours;
use crate::release;
use crate::run::{HEARD, status};
use crate::session::Session;

/// The type whose settings apply to a command that belongs to no type.
const OF_NO_TYPE: &str = "run";
/// The program of herokuish images that runs a command in the environment of the buildpacks. It has a shell expand the words of the command once
/// more, so a shell is named by a single word.
const EXEC: &str = "/exec";
const SHELL_OF_HEROKUISH: &str = "/bin/bash";

/// Deploys an app, or the instances of one type.
pub(super) fn deploy(session: &Session, app: &AppName, tag: &str, which: &Which) -> Result<()> {
    let world = &session.world;
    let lock = session.lock(app)?;
    let swarm = Swarm::new(world);
    let caller = Caller::holding(world, &lock);
    session.with_requester(app, |requester| swarm.end_interrupted(app, Leftover::PutBack, requester))?;
    let release = assemble(session, app, &image(session, &caller, app, tag)?)?;
    let stored = world.formation(app)?;
    let wanted = release::runnable(&stored, &release);
    let intent = match which {
        // A first deploy on a swarm always deploys all types.
        Which::Type(_) if Ours::Swarm.has_deployed(world, app)? => Intent::Restart(which.clone()),
        Which::All | Which::Type(_) | Which::Slot(_) => Intent::Deploy,
    };
    let plan = Plan::ask(&swarm, release, &wanted, &intent)?;
    swarm.judge(&plan)?;
    for (process_type, quantity) in wanted.iter() {
        if !matches!(which, Which::Type(meant) if meant != process_type) {
            session.step(&format!("Deploying {process_type} (count={quantity})"))?;
        }
    }
    session.with_requester(app, |requester| swarm.deploy(&plan, requester))?;
    session.step("Running post-deploy")?;
    let arguments = [app.as_str(), "", "", tag];
    caller.stream("core-post-deploy", &arguments)?;
    caller.stream("post-deploy", &arguments)?;
    handover::take_over(world, &caller, app, "on a swarm")
}

/// The image that Dokku is deploying, as Dokku's plugins name it: `<registry>/<repository>:<tag>`, without a registry `dokku/<app>:<tag>`. A tag
/// that a plugin names takes precedence over the one that Dokku passes. If a registry has the image, it is named by its digest.
fn image(session: &Session, caller: &Caller, app: &AppName, tag: &str) -> Result<String> {
    let ask = |trigger| Ok::<_, anyhow::Error>(caller.ask(trigger, &[app.as_str()])?.trim().to_owned());
    let registry = ask("deployed-app-repository")?;
    let repository = Some(ask("deployed-app-image-repo")?).filter(|name| !name.is_empty());
    let repository = repository.unwrap_or_else(|| format!("dokku/{app}"));
    let pushed = ask("deployed-app-image-tag")?;
    let tag = [pushed.as_str(), tag].into_iter().find(|tag| !tag.is_empty()).unwrap_or("latest");
    let separator = if registry.is_empty() || registry.ends_with('/') { "" } else { "/" };
    let name = format!("{registry}{separator}{repository}:{tag}");
    let docker = DockerLocal::new(&session.world);
    let settled =
        session.with_requester(app, |requester| docker.settle_image(app, &name, Pull::Missing, requester));
    settled.with_context(|| format!("find the image that was built for {app}"))
}

fn assemble(session: &Session, app: &AppName, image: &str) -> Result<Release> {
    let world = &session.world;
    // Without a Procfile the image's own command is run.
    let procfile = world.current_procfile(app).map(|_| brought::procfile(world, app)).transpose()?;
    let procfile = procfile.filter(|procfile| procfile.entries().next().is_some());
    let app_json = brought::app_json(world, app)?;
    release::say_all(&remarks::of_checks(&app_json));
    let source = Source::Image(image.to_owned());
    let mut release = release::assemble(world, app, source, procfile.as_ref(), &app_json)?;
    // Dokku has already run the release process, in the image that it built.
    release.processes.retain(|process| !process.process_type.is_release());
    match Swarm::new(world).kind_of_image(image)? {
        ImageKind::Plain | ImageKind::Buildpacks => {}
        ImageKind::Herokuish => start_by_herokuish(world, app, &mut release)?,
    }
    Ok(release)
}

/// Starts every type as Dokku's own scheduler does: with `/start <type>`, which finds the command in the image, or with the property `start-cmd`
/// instead. Without a Procfile, the buildpack may have defined the commands of the types.
fn start_by_herokuish(world: &World, app: &AppName, release: &mut Release) -> Result<()> {
    let own = world.ps_property(app, START_CMD)?;
    let wanted = release::runnable(&world.formation(app)?, release);
    for (process_type, _) in wanted.iter().filter(|_| !release.are_all_types) {
        if release.process(process_type).is_none() {
            release.processes.push(Process::new(process_type.clone(), None));
        }
    }
    for process in &mut release.processes {
        let usual = || format!("/start {}", process.process_type);
        process.command = Some(own.clone().unwrap_or_else(usual));
    }
    Ok(())
}

/// The words of a command in the environment of the app: `/exec` of herokuish first sets up the environment of its buildpacks.
fn words_for(kind: ImageKind, command: Vec<String>) -> Vec<String> {
    match kind {
        ImageKind::Herokuish if !command.is_empty() => [vec![EXEC.to_owned()], command].concat(),
        ImageKind::Herokuish | ImageKind::Plain | ImageKind::Buildpacks => command,
    }
}

/// `scheduler-enter <scheduler> <app> <type>[.<number>] [--] [word…]`: runs a command, or a shell, in the container of an instance on this machine.
pub(super) fn enter(session: &Session, app: &str, words: &[&str]) -> Result<Outcome> {
    let world = &session.world;
    let app = named(app)?;
    let Some((instance, command)) = words.split_first().filter(|(first, _)| !first.starts_with('-')) else {
        return Err(refusal(&app, "on a swarm", "name an instance, for example web.1"));
    };
    let slot: Slot = if instance.contains('.') { instance.parse()? } else { Slot::new(instance.parse()?, 1) };
    let command: Vec<String> = after_dashes(command);
    let kind = image(session, &Caller::new(world), &app, "")
        .and_then(|image| Ok(Swarm::new(world).kind_of_image(&image)?));
    let command = match (kind, command.is_empty()) {
        (Ok(ImageKind::Herokuish), true) => {
            words_for(ImageKind::Herokuish, vec![SHELL_OF_HEROKUISH.to_owned()])
        }
        (Ok(kind), _) => words_for(kind, command),
        // A shell is given even if the registry does not answer, for a person who wants to look around.
        (Err(_), true) => command,
        (Err(error), false) => return Err(error),
    };
    let signals = Signals::watch(&HEARD)?;
    let entry = Entry {
        app: &app,
        slot: &slot,
        words: Some(command.as_slice()).filter(|words| !words.is_empty()),
        is_terminal: io::stdin().is_terminal(),
        signals: ps_scheduler::Signals { fd: signals.fd(), take: &|| signals.take() },
        grace: world.stop_timeout(&app)?,
    };
    Ok(outcome(&app, Swarm::new(world).enter(&entry)?))
}

/// `scheduler-run <scheduler> <app> <count> [NAME=VALUE…] [--] word…`: runs a command once, with `count` additional variables.
pub(super) fn run(session: &Session, app: &str, words: &[&str]) -> Result<Outcome> {
    let world = &session.world;
    let app = named(app)?;
    let Asked { env, command } = asked(words).with_context(|| format!("run a command for {app}"))?;
    let scheduler = Swarm::new(world);
    if !Ours::Swarm.has_deployed(world, &app)? {
        return Err(ps_scheduler::Error::NotDeployed { app }.into());
    }
    let image = image(session, &Caller::new(world), &app, "")?;
    let release = assemble(session, &app, &image)?;
    let command = words_for(scheduler.kind_of_image(&image)?, command);
    let signals = Signals::watch(&HEARD)?;
    let order = OneOff {
        release: &release,
        name: scheduler.name_for_one_off(&app)?,
        command: if command.is_empty() { Command::Shell } else { Command::Words(command) },
        process_type: OF_NO_TYPE.parse().expect("run is a process type"),
        env,
        timeout: None,
        grace: world.stop_timeout(&app)?,
        streams: Streams::Ours { is_terminal: io::stdin().is_terminal() },
        signals: ps_scheduler::Signals { fd: signals.fd(), take: &|| signals.take() },
    };
    Ok(outcome(&app, scheduler.run_once(&order)?))
}

/// The command that Dokku wants to run once, and its variables.
struct Asked {
    env: Vec<(String, String)>,
    command: Vec<String>,
}

fn asked(words: &[&str]) -> Result<Asked> {
    let (count, rest) = words.split_first().context("Dokku did not say how many variables it has")?;
    let count: usize = count.parse().with_context(|| format!("{count:?} is not a number of variables"))?;
    if rest.len() < count {
        bail!("Dokku announced {count} variables and gave {}", rest.len());
    }
    let (env, command) = rest.split_at(count);
    let pair = |pair: &&str| {
        let (name, value) = pair.split_once('=').with_context(|| format!("{pair:?} is not NAME=VALUE"))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    Ok(Asked { env: env.iter().map(pair).collect::<Result<_>>()?, command: after_dashes(command) })
}

fn after_dashes(words: &[&str]) -> Vec<String> {
    let words = words.strip_prefix(&["--"]).unwrap_or(words);
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn outcome(app: &AppName, ended: Ended) -> Outcome {
    match ended {
        Ended::Exit(exit) => Outcome::Status(status(exit)),
        Ended::TimedOut | Ended::RunsOn => {
            say::warning(&format!("the command of {app} was left running"));
            Outcome::No
        }
    }
}
