//! `snapshot`: saved states of all apps, or of some. Restoring a state changes an app only where it differs, with the
//! same operations as the verbs: a deploy of another release, a start, a stop, or a change of counts.

mod instances;
mod put_back;
mod shown;

use anyhow::Result;
use formation::AppName;
use jiff::Timestamp;
use ps_apps::{SavedApp, Snapshot, SnapshotName, World};
use ps_cli::exit::{Outcome, Refusal};
use ps_cli::say;

use crate::args::{SnapshotArgs, SnapshotVerb};
use crate::each;
use crate::session::Session;

pub(crate) fn run(session: &Session, args: &SnapshotArgs) -> Result<Outcome> {
    let world = &session.world;
    match &args.verb {
        SnapshotVerb::Save { name, apps, replace } => save(session, name, apps, *replace),
        SnapshotVerb::Restore { name, apps, parallel } => restore(session, name, apps, *parallel),
        SnapshotVerb::List { json } => shown::list(world, *json),
        SnapshotVerb::Show { name, json } => shown::show(&find(world, name)?, *json),
        SnapshotVerb::Delete { name } => {
            find(world, name)?;
            world.delete_snapshot(name)?;
            session.fact(&format!("The snapshot {name} is deleted"))?;
            Ok(Outcome::Done)
        }
    }
}

fn find(world: &World, name: &SnapshotName) -> Result<Snapshot> {
    let found = world.snapshot(name)?;
    found.ok_or_else(|| {
        let names: Vec<String> =
            world.snapshots().unwrap_or_default().iter().map(ToString::to_string).collect();
        let there = if names.is_empty() {
            "there is none".to_owned()
        } else {
            format!("there is {}", names.join(", "))
        };
        Refusal::failed(format!("no snapshot is called {name}: {there}"))
    })
}

fn save(session: &Session, name: &SnapshotName, words: &[String], replace: bool) -> Result<Outcome> {
    let world = &session.world;
    if !replace && world.snapshot(name)?.is_some() {
        return Err(Refusal::failed(format!(
            "a snapshot called {name} exists already: --replace replaces it"
        )));
    }
    let mut saved = Vec::new();
    for app in named(world, words)? {
        match (saved_app(session, &app)?, words.is_empty()) {
            (Some(app), _) => saved.push(app),
            // When all apps are saved, those that were never deployed are skipped.
            (None, true) => (),
            (None, false) => return Err(ps_scheduler::Error::NotDeployed { app }.into()),
        }
    }
    if saved.is_empty() {
        return Err(Refusal::failed("no app is deployed: there is nothing to save"));
    }
    let count = saved.len();
    world.write_snapshot(name, &Snapshot { at: Timestamp::now(), apps: saved })?;
    session.fact(&format!("The snapshot {name} holds {count} app{}", if count == 1 { "" } else { "s" }))?;
    Ok(Outcome::Done)
}

/// The named apps; all apps if none was named.
fn named(world: &World, words: &[String]) -> Result<Vec<AppName>> {
    if words.is_empty() {
        return Ok(world.apps()?.into_iter().map(|app| app.name).collect());
    }
    words.iter().map(|word| Ok(world.app(word)?.name)).collect()
}

fn saved_app(session: &Session, app: &AppName) -> Result<Option<SavedApp>> {
    let world = &session.world;
    // The lock keeps others from changing the app while its state is read.
    let _lock = session.lock(app)?;
    let Some(deployed) = world.deployed(app)? else { return Ok(None) };
    let stopped = instances::stopped_by_hand(world, app)?;
    let release = world.next_release(app)?.saturating_sub(1);
    Ok(Some(SavedApp { app: app.to_string(), wanted: world.is_restored(app)?, release, stopped, deployed }))
}

fn restore(session: &Session, name: &SnapshotName, words: &[String], parallel: i32) -> Result<Outcome> {
    let world = &session.world;
    let snapshot = find(world, name)?;
    if let Some(word) = words.iter().find(|word| !snapshot.apps.iter().any(|saved| saved.app == **word)) {
        return Err(Refusal::failed(format!("the snapshot {name} holds no app called {word}")));
    }
    let is_meant = |saved: &SavedApp| words.is_empty() || words.contains(&saved.app);
    let apps: Vec<SavedApp> = snapshot.apps.into_iter().filter(is_meant).collect();
    let order: Vec<usize> = (0..apps.len()).collect();
    let failures =
        each::side_by_side(&order, each::at_a_time(parallel), &|place| put_back::app(session, &apps[*place]));
    for (place, error) in &failures {
        say::warning(&format!("{}: {error:#}", apps[**place].app));
    }
    if words.is_empty() {
        for app in world.apps()?.iter().filter(|app| !apps.iter().any(|saved| saved.app == app.name.as_str()))
        {
            say::warning(&format!("{} is not in the snapshot and stays as it is", app.name));
        }
    }
    match failures.len() {
        0 => Ok(Outcome::Done),
        failed => {
            Err(Refusal::failed(format!("{failed} of {} apps are not restored: see above", apps.len())))
        }
    }
}
