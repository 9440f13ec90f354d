//! `scheduler-deploy`: starts the app from the tree that was pushed. If nothing was pushed (`ps:restart`, `ps:scale`),
//! it restarts the running release. The `release` process is not run here: Dokku has run it, in the image that it
//! built.

use std::path::PathBuf;

use anyhow::{Context, Result};
use formation::{AppName, Which};
use ps_apps::World;
use ps_cli::exit::Refusal;
use ps_cli::say;
use ps_dokku::Caller;
use ps_release::{Release, Source, brought, remarks};
use ps_scheduler::{Intent, Plan, Scheduler};
use ps_scheduler_native::{Native, Pushed};

use super::{handover, push};
use crate::release;
use crate::session::Session;

/// Deploys an app, or the processes of one type.
pub(super) fn deploy(session: &Session, app: &AppName, tag: &str, which: Which) -> Result<()> {
    let lock = session.lock(app)?;
    let native = Native::new(&session.world);
    let deployed = make_so(session, app, &native, which);
    let ended = native.source_trees(app).end(&ps_dokku::deploy_pid()?);
    deployed?;
    ended?;
    let world = &session.world;
    let status = native.status_of(app)?;
    let reachable = status.instances.iter().filter(|instance| instance.address.is_some());
    let listening: Vec<_> =
        reachable.filter_map(|instance| Some((instance.slot.clone(), instance.port?))).collect();
    world.listen(app, &listening).with_context(|| format!("write the listeners of {app}"))?;
    let caller = Caller::holding(world, &lock);
    if let Some(remark) = ps_dokku::proxy_remark(world, &caller, app)? {
        say::warning(&remark);
    }
    session.step("Running post-deploy")?;
    let arguments = [app.as_str(), "", "", tag];
    caller.stream("core-post-deploy", &arguments)?;
    caller.stream("post-deploy", &arguments)?;
    handover::take_over(world, &caller, app, "natively")
}

fn make_so(session: &Session, app: &AppName, native: &Native, which: Which) -> Result<()> {
    let world = &session.world;
    let (tree, intent) = match pushed(world, app, native)? {
        Some(tree) => (tree, Intent::Deploy),
        None => (deployed_tree(world, app, native)?, Intent::Restart(which)),
    };
    carry_out(session, app, native, assemble(world, app, tree)?, &intent)
}

/// The tree that was pushed for this deploy; `None` if nothing was pushed.
fn pushed(world: &World, app: &AppName, native: &Native) -> Result<Option<PathBuf>> {
    match native.source_trees(app).pushed(&ps_dokku::deploy_pid()?)? {
        Pushed::Nothing => Ok(None),
        Pushed::Tree(tree) => Ok(Some(tree)),
        Pushed::Incomplete => {
            push::refuse_image(world, app)?;
            Err(Refusal::failed(format!(
                "what was pushed for {app} is not whole (see above): push again, or dokku ps:rebuild {app}"
            )))
        }
    }
}

fn deployed_tree(world: &World, app: &AppName, native: &Native) -> Result<PathBuf> {
    if let Some(tree) = native.directory(app)? {
        return Ok(tree);
    }
    push::refuse_image(world, app)?;
    Err(Refusal::failed(format!(
        "App {app} was not pushed since its scheduler is native: dokku ps:rebuild {app} takes its source from its repository"
    )))
}

fn assemble(world: &World, app: &AppName, tree: PathBuf) -> Result<Release> {
    let (procfile, app_json) = (brought::procfile(world, app)?, brought::app_json(world, app)?);
    release::say_all(&remarks::of_checks(&app_json));
    let source = Source::Directory(tree);
    let mut release = release::assemble(world, app, source, Some(&procfile), &app_json)?;
    release.processes.retain(|process| !process.process_type.is_release());
    Ok(release)
}

fn carry_out(
    session: &Session,
    app: &AppName,
    native: &Native,
    release: Release,
    intent: &Intent,
) -> Result<()> {
    let stored = session.world.formation(app)?;
    let wanted = release::runnable(&stored, &release);
    let plan = Plan::ask(native, release, &wanted, intent)?;
    for (process_type, quantity) in wanted.iter() {
        let is_meant = match intent {
            Intent::Restart(Which::Type(meant)) => meant == process_type,
            _ => true,
        };
        if is_meant {
            session.step(&format!("Deploying {process_type} (count={quantity})"))?;
        }
    }
    session.with_requester(app, |requester| native.deploy(&plan, requester))?;
    Ok(())
}
