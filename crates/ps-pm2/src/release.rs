//! What an app of pm2 is as an app of this project: the release that is deployed, and its settings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use app_json::AppJson;
use formation::{AppName, Formation, Quantity, Slot, State};
use procfile::Procfile;
use ps_apps::{Bytes, Deployed, FormationOrigin, LISTEN, SourceRecord, StoredEntry};
use ps_release::{Release, Source};
use ps_scheduler::{Cancel, Change, Intent, Plan, Progress, Requester, Scheduler};
use serde_json::json;

use crate::book::{App, process_type};
use crate::declared::Declared;
use crate::home::Home;
use crate::{launch, say, sharing};

/// The property of the same name in app.json.
const RESTART_POLICY: &str = "restart-policy";
/// How long another program may hold the lock of an app.
pub(crate) const WAIT: Duration = Duration::from_secs(30);

/// Makes the first release of an app and starts it, but for the slots with these numbers.
pub(crate) fn deploy(home: &Home, app: &App, declared: &Declared, stopped: &[u16]) -> Result<()> {
    let (world, native, name) = (home.world(), home.native(), app.app_name()?);
    let directory = directory(home, app, declared)?;
    let procfile = format!("{}: {}\n", process_type(), command(home, app)?);
    let app_json = app_json(app, declared, home)?;
    let lock = world.lock_app(&name, WAIT)?;
    let parsed = Procfile::parse(procfile.as_bytes()).context("the Procfile of the app")?;
    let source = Source::Directory(directory.clone());
    let assembled =
        ps_release::assemble(&world, &name, source, Some(&parsed), &AppJson::parse(app_json.as_bytes())?)?;
    let listen = declared.listen.as_deref().unwrap_or("none").parse()?;
    let release = Release { listen, ..assembled.release };
    let mut wanted = Formation::default();
    wanted.set(process_type(), quantity(declared.count)?);
    let mut plan = Plan::ask(&native, release, &wanted, &Intent::Deploy)?;
    plan.steps.retain(|step| step.change != Change::Start || !stopped.contains(&step.slot.index));
    let record = Deployed {
        kind: "directory".to_owned(),
        place: directory.display().to_string(),
        source: SourceRecord::default(),
        procfile: Some(Bytes(procfile.into_bytes())),
        app_json: Some(Bytes(app_json.into_bytes())),
        scheduler: native.name().to_owned(),
        scale: vec![StoredEntry { name: process_type().to_string(), count: declared.count.into() }],
        scale_source: FormationOrigin::Argument.as_str().to_owned(),
        can_scale: true,
        image: None,
        restores: None,
        properties: properties(declared),
    };
    carry_out(home, &name, plan, &record)?;
    drop(lock);
    let started = app.instances.iter().map(|one| one.slot).filter(|slot| !stopped.contains(slot));
    sharing::await_processes(home, app, &started.collect::<Vec<_>>())
}

/// Gives an app that exists the settings of a declaration: those of its restarts, limits and watched files, and its schedule. Its
/// processes go on, and have them from their next start on. Returns what was deployed before, unless that is the same.
pub(crate) fn settle(home: &Home, app: &App, declared: &Declared) -> Result<Option<Deployed>> {
    let (world, name) = (home.world(), app.app_name()?);
    let directory = directory(home, app, declared)?;
    let app_json = app_json(app, declared, home)?;
    let _lock = world.lock_app(&name, WAIT)?;
    let mut before = world.deployed(&name)?.with_context(|| never_started(app))?;
    let policy = world.ps_property(&name, RESTART_POLICY)?;
    before.properties = policy.map(|policy| (RESTART_POLICY.to_owned(), policy)).into_iter().collect();
    let record = Deployed {
        place: directory.display().to_string(),
        app_json: Some(Bytes(app_json.into_bytes())),
        properties: properties(declared),
        ..before.clone()
    };
    if record.is_same_release(&before) {
        return Ok(None);
    }
    record_anew(home, &name, &record)?;
    Ok(Some(before))
}

/// Puts back what [`settle`] has exchanged.
pub(crate) fn settle_back(home: &Home, app: &App, before: &Deployed) -> Result<()> {
    let name = app.app_name()?;
    let _lock = home.world().lock_app(&name, WAIT)?;
    record_anew(home, &name, before)
}

/// Deploys a record under which every instance stays as it is. The caller holds the app's lock.
fn record_anew(home: &Home, name: &AppName, record: &Deployed) -> Result<()> {
    let (world, native) = (home.world(), home.native());
    let bytes = |bytes: &Option<Bytes>| bytes.as_ref().map(|bytes| bytes.0.clone()).unwrap_or_default();
    let procfile = Procfile::parse(&bytes(&record.procfile)).context("the Procfile of the app")?;
    let app_json = AppJson::parse(&bytes(&record.app_json))?;
    let source = Source::Directory(PathBuf::from(&record.place));
    let mut release = ps_release::assemble(&world, name, source, Some(&procfile), &app_json)?.release;
    // The property of the app, which comes before app.json, becomes that of the record only with it.
    if let Some(policy) = record.properties.get(RESTART_POLICY) {
        release.restart_policy = policy.parse()?;
    }
    let wanted = ps_release::runnable(&world.formation(name)?, &release).formation;
    // A release in which no type is another one: the supervisor would restart what differs.
    let mut plan = Plan::ask(&native, release, &wanted, &Intent::DeployTypes(BTreeSet::new()))?;
    let present = native.status_of(name)?.instances;
    let is_there =
        |slot: &Slot| present.iter().any(|there| there.slot == *slot && there.state != State::Stopped);
    plan.steps.retain(|step| is_there(&step.slot));
    for step in &mut plan.steps {
        step.change = Change::Keep;
    }
    carry_out(home, name, plan, record)
}

/// Has a plan carried out, and recorded.
fn carry_out(home: &Home, name: &AppName, mut plan: Plan, record: &Deployed) -> Result<()> {
    let (world, native) = (home.world(), home.native());
    let witness = native.witness(name).context("the scheduler says nowhere what it has committed")?;
    plan.deploy = Some(world.intend_deploy(name, record, &witness)?);
    asking(|requester| native.begin(&plan, requester))?;
    world.record_intended(name)?;
    Ok(())
}

/// What is set for the whole app, and not only for its type, so that reports of apps show it.
fn properties(declared: &Declared) -> BTreeMap<String, String> {
    let policy = declared.settings.get("restart_policy").and_then(|policy| policy.as_str());
    let policy = policy.map(|policy| (RESTART_POLICY.to_owned(), policy.to_owned()));
    let listen = declared.listen.clone().map(|listen| (LISTEN.to_owned(), listen));
    listen.into_iter().chain(policy).collect()
}

/// Where the app is run from: where files are watched, their directory.
fn directory(home: &Home, app: &App, declared: &Declared) -> Result<PathBuf> {
    if declared.watches {
        return Ok(app.cwd.clone());
    }
    let directory = home.source(&app.ours);
    // The record of the deploy names it.
    durable::create_private(&directory)?;
    Ok(directory)
}

/// The path of this program, by which it will be found after an upgrade too.
pub(crate) fn own_program() -> Result<String> {
    let own = os_process::lasting_sister("ps-pm2");
    let own = own.context("ps-pm2 is not where it was started: install it with the other programs")?;
    Ok(own.display().to_string())
}

/// What its instances run: this program, which becomes theirs.
fn command(home: &Home, app: &App) -> Result<String> {
    line(launch::WORD, home, app)
}

/// A line for a shell that calls this program about an app.
fn line(word: &str, home: &Home, app: &App) -> Result<String> {
    let own = own_program()?;
    let quote = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
    let home = home.directory().display().to_string();
    Ok(format!("{} {word} {} {}", quote(&own), quote(&home), app.ours))
}

fn app_json(app: &App, declared: &Declared, home: &Home) -> Result<String> {
    let mut document = json!({"formation": {process_type().to_string(): declared.settings}});
    if let Some(schedule) = &declared.schedule {
        let command = line(launch::ON_SCHEDULE, home, app)?;
        document["cron"] = json!([{"command": command, "schedule": schedule}]);
    }
    Ok(document.to_string())
}

fn quantity(count: u16) -> Result<Quantity> {
    Ok(count.to_string().parse()?)
}

/// Asks the scheduler for something that cannot be cancelled, and prints its notes as warnings.
pub(crate) fn asking<T>(ask: impl FnOnce(&mut Requester<'_>) -> Result<T, ps_scheduler::Error>) -> Result<T> {
    let cancel = Cancel::default();
    let mut tell = |progress: Progress| {
        if let Progress::Note(text) = progress {
            say::warning(text);
        }
    };
    Ok(ask(&mut Requester { tell: &mut tell, cancel: &cancel, lock: None })?)
}

/// What an app runs.
pub(crate) fn deployed(home: &Home, app: &App) -> Result<Release> {
    let deployed = ps_release::deployed(&home.world(), &app.app_name()?)?;
    Ok(deployed.with_context(|| never_started(app))?.release)
}

fn never_started(app: &App) -> String {
    format!("{} was never started: delete it", app.name)
}
