//! ps-apps without a program around it, for the sweeps and races: each verb takes the app's lock and changes state.

use std::collections::BTreeMap;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ps_apps::{App, Bytes, Deployed, Error, FormationOrigin, Scope, StoredEntry, StoredFormation, World};
use ps_cli::exit::{self, Outcome};
use ps_supervisor::Spec;
use serde_json::json;

const WAIT: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    exit::run("apps-on-disk", run)
}

fn run() -> Result<Outcome> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let world = World::from_env()?;
    match words[..] {
        ["create", app] => world.create_app(&app.parse()?).map(drop)?,
        ["destroy", app] => destroy(&world, app)?,
        ["set", app, key, value] => change(&world, app, |app| set(&world, app, key, value))?,
        ["unset", app, key] => change(&world, app, |app| unset(&world, app, key))?,
        ["scale", app, ref counts @ ..] => change(&world, app, |app| merge(&world, app, entries(counts)))?,
        ["formation", app, ref lists @ ..] => change(&world, app, |app| put(&world, app, lists))?,
        ["record", app, release, count] => change(&world, app, |app| record(&world, app, release, count))?,
        ["note", app, verb] => note(&world, app, verb)?,
        ["fill-journal", app] => fill_journal(&world, app)?,
        ["serve", app] => std::fs::create_dir_all(service(&world, app))?,
        ["stop", app, revision, ref slots @ ..] => stop(&service(&world, app), revision.parse()?, slots)?,
        ["hold", app] => hold(&world, app, false)?,
        ["hold-with-child", app] => hold(&world, app, true)?,
        ["try-lock", app] => world.lock_app(&app.parse()?, Duration::ZERO).map(drop)?,
        _ => bail!("{words:?} is no verb"),
    }
    Ok(Outcome::Done)
}

fn change(world: &World, app: &str, deed: impl FnOnce(&App) -> Result<(), Error>) -> Result<()> {
    let app = world.app(app)?;
    let _lock = world.lock_app(&app.name, WAIT)?;
    deed(&app).with_context(|| format!("change {}", app.name))
}

fn set(world: &World, app: &App, key: &str, value: &str) -> Result<(), Error> {
    world.set_property("ps", Scope::App(&app.name), key, value)
}

fn unset(world: &World, app: &App, key: &str) -> Result<(), Error> {
    world.unset_property("ps", Scope::App(&app.name), key)
}

fn merge(world: &World, app: &App, counts: Vec<StoredEntry>) -> Result<(), Error> {
    let merged = world.update_formation(&app.name, |before| {
        let mut after = before.clone();
        for entry in counts {
            after.scale.retain(|known| known.name != entry.name);
            after.scale.push(entry);
        }
        Ok::<_, Error>(after)
    });
    merged.map(drop)
}

/// `<type>=<n>… [-- <type>=<n>…]`: `scale`, then `scale.old`.
fn put(world: &World, app: &App, lists: &[&str]) -> Result<(), Error> {
    let mut lists = lists.split(|word| *word == "--");
    let scale = entries(lists.next().unwrap_or_default());
    let old = entries(lists.next().unwrap_or_default());
    world.update_formation(&app.name, |_| Ok::<_, Error>(StoredFormation { scale, old })).map(drop)
}

/// Writes down a release whose every file has its name in it.
fn record(world: &World, app: &App, release: &str, count: &str) -> Result<(), Error> {
    let deployed = Deployed {
        kind: "directory".to_owned(),
        place: format!("/{release}"),
        source: ps_apps::SourceRecord::default(),
        procfile: Some(Bytes(format!("web: {release}\n").into_bytes())),
        app_json: Some(Bytes(format!("{{\"name\": \"{release}\"}}\n").into_bytes())),
        scheduler: format!("scheduler-of-{release}"),
        scale: entries(&[&format!("web={count}")]),
        scale_source: FormationOrigin::AppJson.as_str().to_owned(),
        can_scale: false,
        image: None,
        restores: None,
        properties: BTreeMap::new(),
    };
    world.record_deploy(&app.name, &deployed)
}

/// Has the journal tell of a verb, as a verb does.
fn note(world: &World, app: &str, verb: &str) -> Result<()> {
    let app = world.app(app)?;
    ps_journal::Journal::of(world, &app.name).ended(verb, None, Duration::ZERO, ps_cli::say::warning);
    Ok(())
}

/// Repeats what stands in the journal until not one more event has room.
fn fill_journal(world: &World, app: &str) -> Result<()> {
    let path = world.kept_dir(&app.parse()?).join("journal");
    let line = std::fs::read_to_string(&path)?;
    Ok(std::fs::write(path, line.repeat((1 << 20) / line.len()))?)
}

/// Has a spec say which slots were stopped by hand, as a supervisor does.
fn stop(service: &Path, revision: u64, slots: &[&str]) -> Result<()> {
    let spec = json!({
        "app": "hello", "revision": revision, "directory": "/", "env": {}, "env_files": [], "base_port": 0, "places": {},
        "restart_policy": "no", "stop_timeout_seconds": 1, "stopped": slots,
        "processes": [{"process_type": "web", "command": "true", "quantity": 2}],
    });
    Ok(serde_json::from_value::<Spec>(spec)?.note_stopped(service)?)
}

fn service(world: &World, app: &str) -> PathBuf {
    world.lib().join("data/scheduler-native").join(app)
}

fn destroy(world: &World, app: &str) -> Result<()> {
    let name = app.parse()?;
    let lock = world.lock_app(&name, WAIT)?;
    world.destroy_app(&name)?;
    lock.retire();
    Ok(())
}

/// Says its child's pid (0 if there is none) and its token, then holds the lock for a minute.
fn hold(world: &World, app: &str, with_child: bool) -> Result<()> {
    let app = world.app(app)?;
    let lock = world.lock_app(&app.name, WAIT)?;
    let child = if with_child { Command::new("sleep").arg("60").spawn()?.id() } else { 0 };
    let (_, token) = lock.token();
    writeln!(stdout().lock(), "{child} {}", token.to_string_lossy())?;
    thread::sleep(Duration::from_secs(60));
    Ok(())
}

fn entries(words: &[&str]) -> Vec<StoredEntry> {
    let pairs = words.iter().filter_map(|word| word.split_once('='));
    pairs
        .map(|(name, count)| StoredEntry { name: name.to_owned(), count: count.parse().unwrap_or(0) })
        .collect()
}
