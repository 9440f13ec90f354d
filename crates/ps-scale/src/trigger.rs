//! Dokku's triggers about formations (docs/dokku.md#triggers). A hook executes this program once. It is no error here
//! if the app does not exist, because Dokku calls some of these triggers before it creates the app and after it has
//! destroyed it. Hooks take only the lock of the formation that they write, because their caller, such as a deploy,
//! may hold the app's lock and wait for them.

use std::io::{self, Write};

use anyhow::Result;
use formation::AppName;
use ps_apps::{AskedCount, FormationOrigin, Scope, World};
use ps_cli::exit::{Outcome, Refusal};

use crate::args::Args;
use crate::change::{self, Change, Stored};
use crate::{act, print};

/// Every trigger that is answered here.
const TRIGGERS: [&str; 6] = [
    "ps-current-scale",
    "ps-set-scale",
    "ps-can-scale",
    "post-create",
    "post-delete",
    "post-release-builder",
];

pub(crate) fn answer(world: &World, trigger: &str, args: &Args) -> Result<Outcome> {
    let arguments: Vec<&str> = args.app.iter().chain(&args.counts).map(String::as_str).collect();
    match (trigger, &arguments[..]) {
        ("ps-current-scale", [app]) => current_scale(world, &app.parse()?),
        ("ps-set-scale", [app, skip_deploy, clear_existing, _counts @ ..]) => {
            let flags = SetScale { skips: is_true(skip_deploy), clears: is_true(clear_existing) };
            set_scale(world, &app.parse()?, &flags, args)
        }
        ("ps-can-scale", [app, can_scale]) => set_can_scale(world, &app.parse()?, can_scale),
        ("post-create", [app]) => {
            world.create_ps_data(&app.parse()?)?;
            Ok(Outcome::Done)
        }
        ("post-delete", [app, ..]) => {
            let app = app.parse()?;
            world.remove_ps_data(&app)?;
            world.retire_lock(&app);
            Ok(Outcome::Done)
        }
        ("post-release-builder", [_builder, app, ..]) => follow_procfile(world, &app.parse()?),
        (name, _) if TRIGGERS.contains(&name) => Err(Refusal::usage(format!(
            "trigger {trigger}: these are not its arguments: {}",
            arguments.join(" ")
        ))),
        _ => Err(Refusal::usage(format!(
            "{trigger} is no trigger of ps-scale's: these are {}",
            TRIGGERS.join(", ")
        ))),
    }
}

struct SetScale {
    skips: bool,
    clears: bool,
}

/// Prints the types sorted and without a final newline, as this trigger has always done.
fn current_scale(world: &World, app: &AppName) -> Result<Outcome> {
    let stored = print::read(world, app)?;
    let lines: Vec<_> = stored.effective().iter().map(|(name, count)| format!("{name}={count}")).collect();
    let mut out = io::stdout().lock();
    out.write_all(lines.join("\n").as_bytes())?;
    out.flush()?;
    Ok(Outcome::Done)
}

/// Stores the counts, and deploys every named type: the caller of the trigger decides which types have to be deployed.
fn set_scale(world: &World, app: &AppName, flags: &SetScale, args: &Args) -> Result<Outcome> {
    let words = args.counts.get(2..).unwrap_or_default();
    // With each deploy Dokku passes the counts of an app.json again.
    let asked = change::parse(world, words, AskedCount::parse_in_file)?;
    let change = Change { asked, replaces: flags.clears, known: world.known_types(app)?, compose: None };
    let before = print::read(world, app)?;
    let is_real = change.apply(world, &before)?.0 != before;
    let store = || change::store(world, app, FormationOrigin::Trigger, &change);
    // With each deploy Dokku also passes counts that are already stored: then nothing changes, and nothing is
    // recorded.
    let Stored { before, after, named } = if is_real { change::told(world, app, store)? } else { store()? };
    if flags.skips {
        return Ok(Outcome::Done);
    }
    let types = change::to_deploy(named, &before, &after);
    act::carry_out(world, app, None, &types, args)
}

fn set_can_scale(world: &World, app: &AppName, can_scale: &str) -> Result<Outcome> {
    let value = if is_true(can_scale) { "true" } else { "false" };
    world.set_property("ps", Scope::App(app), "can-scale", value)?;
    Ok(Outcome::Done)
}

/// Adapts the formation to a new Procfile: new types get the count 0, and types that it no longer has end.
fn follow_procfile(world: &World, app: &AppName) -> Result<Outcome> {
    let change = Change { asked: Vec::new(), replaces: false, known: world.known_types(app)?, compose: None };
    change::store(world, app, world.formation_origin(app)?, &change)?;
    Ok(Outcome::Done)
}

fn is_true(word: &str) -> bool {
    word == "true"
}
