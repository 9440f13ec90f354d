//! The operations on apps and their instances, through our own libraries.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use formation::{Slot, State, Which};
use jiff::Timestamp;
use ps_apps::{FormationOrigin, StoredEntry, StoredFormation};
use ps_rollout::Strategy;
use ps_scheduler::{Change, Intent, Plan, Scheduler, StopOrder};

use crate::book::{App, Book, Instance, process_type};
use crate::declared::Declared;
use crate::home::Home;
use crate::journal;
use crate::release::{self, WAIT, asking};
use crate::say;
use crate::sharing;

/// Makes an app and starts it, but for the slots with these numbers, which are in the list as stopped.
pub(crate) fn launch(home: &Home, book: &mut Book, declared: &Declared, stopped: &[u16]) -> Result<()> {
    let mut app = declared.app.clone();
    let name = book.name_for(&home.world(), &app.name)?;
    app.ours = name.to_string();
    if stopped.len() < usize::from(declared.count) {
        home.native().call_root(&name);
    }
    let created_at = Timestamp::now().as_millisecond();
    let instance =
        |slot: u16| Instance { id: book.next_id + u64::from(slot) - 1, slot, created_at, restarts: 0 };
    app.instances = (1..=declared.count).map(instance).collect();
    book.next_id += u64::from(declared.count);
    book.apps.push(app.clone());
    // What an instance runs first reads the list.
    book.write(home)?;
    let deployed = home.world().create_app(&name).map_err(anyhow::Error::from);
    let deployed = deployed.and_then(|_| {
        journal::of_verb(home, &app, "start", || release::deploy(home, &app, declared, stopped))
    });
    if let Err(error) = deployed {
        book.apps.pop();
        forget(home, &app)?;
        book.write(home)?;
        return Err(error).with_context(|| app.name.clone());
    }
    note_online(home, &app, app.instances.iter().filter(|instance| !stopped.contains(&instance.slot)));
    Ok(())
}

/// Starts instances that do not run.
pub(crate) fn start(home: &Home, app: &App, instances: &[&Instance]) -> Result<()> {
    journal::of_verb(home, app, "start", || fill(home, app, instances))
}

fn fill(home: &Home, app: &App, instances: &[&Instance]) -> Result<()> {
    let (world, native, name) = (home.world(), home.native(), app.app_name()?);
    let _lock = world.lock_app(&name, WAIT)?;
    let slots: BTreeSet<Slot> = instances.iter().map(|instance| instance.slot()).collect();
    let release = release::deployed(home, app)?;
    let wanted = ps_release::runnable(&world.formation(&name)?, &release).formation;
    let mut plan = Plan::ask(&native, release, &wanted, &Intent::Start(Which::Type(process_type())))?;
    // A slot whose instance was deleted stays empty.
    plan.steps.retain(|step| step.change != Change::Start || slots.contains(&step.slot));
    asking(|requester| native.begin(&plan, requester))?;
    sharing::await_processes(home, app, &slots_of(instances))?;
    note_online(home, app, instances.iter().copied());
    Ok(())
}

fn slots_of(instances: &[&Instance]) -> Vec<u16> {
    instances.iter().map(|instance| instance.slot).collect()
}

/// Ends instances of several apps in parallel. Instances that do not end are reported as an error.
pub(crate) fn stop(home: &Home, book: &Book, ids: &[u64]) -> Result<()> {
    stop_as("stop", home, book, ids)
}

fn stop_as(verb: &str, home: &Home, book: &Book, ids: &[u64]) -> Result<()> {
    at_once(&by_app(book, ids), |(app, instances)| {
        journal::of_verb(home, app, verb, || stop_of(home, app, instances, false))
    })
}

/// Does something to each at the same time, and returns when all of it is done; the first error.
fn at_once<T: Sync>(all: &[T], deed: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    let done: Vec<Result<()>> = thread::scope(|scope| {
        let deed = &deed;
        let begun: Vec<_> = all.iter().map(|one| scope.spawn(move || deed(one))).collect();
        begun
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    done.into_iter().collect()
}

fn stop_of(home: &Home, app: &App, instances: &[&Instance], remove: bool) -> Result<()> {
    let (world, native, name) = (home.world(), home.native(), app.app_name()?);
    let _lock = world.lock_app(&name, WAIT)?;
    let present = native.status_of(&name)?.instances;
    let was_given_up = |instance: &&&Instance| {
        let slot = instance.slot();
        present.iter().any(|there| there.slot == slot && there.state == State::Crashed)
    };
    // An instance that was given up keeps that state in the list.
    let live: Vec<&Instance> = instances.iter().filter(|instance| !was_given_up(instance)).copied().collect();
    let instances = if remove { instances } else { &live };
    let grace = Duration::from_millis(app.kill_timeout);
    let is_all = instances.len() == app.instances.len();
    let whiches: Vec<Which> = if is_all || remove {
        vec![Which::All]
    } else {
        instances.iter().map(|instance| Which::Slot(instance.slot())).collect()
    };
    for which in whiches {
        let order = StopOrder { app: name.clone(), which, grace, remove };
        let stopped = asking(|requester| native.stop(&order, requester))?;
        if let Some((slot, why)) = stopped.remaining.first() {
            bail!("{slot} of {} does not end: {why}", app.name);
        }
    }
    for instance in instances {
        let _ = fs::remove_file(app.pid_of(instance.id));
        home.note(&format!("{} - id{} stopped", app.script.display(), instance.id));
    }
    Ok(())
}

/// Restarts instances that run, and starts the others.
pub(crate) fn restart(home: &Home, book: &mut Book, ids: &[u64]) -> Result<()> {
    let whole = book.clone();
    for (app, instances) in by_app(&whole, ids) {
        journal::of_verb(home, app, "restart", || restart_of(home, book, app, &instances))?;
    }
    Ok(())
}

fn restart_of(home: &Home, book: &mut Book, app: &App, instances: &[&Instance]) -> Result<()> {
    refuse_without_script(app)?;
    let name = app.app_name()?;
    let status = home.native().status_of(&name)?;
    let state = |instance: &Instance| {
        let slot = instance.slot();
        status.instances.iter().find(|running| running.slot == slot).map(|running| running.state)
    };
    let is_up = |instance: &&Instance| {
        state(instance)
            .is_some_and(|state| state.is_alive() || matches!(state, State::Backoff | State::Stopping))
    };
    let (up, down): (Vec<&Instance>, Vec<&Instance>) =
        instances.iter().copied().partition(|instance| is_up(instance));
    for instance in instances {
        let was_given_up = state(instance) == Some(State::Crashed);
        let counts = up.contains(instance) || was_given_up && !app.is_left_when_it_ends;
        if let Some(kept) = book.instance_mut(instance.id).filter(|_| counts) {
            kept.restarts += 1;
        }
    }
    // A reload that was killed may have left it.
    book.end_trial(&app.ours);
    book.write(home)?;
    if !up.is_empty() {
        let _lock = home.world().lock_app(&name, WAIT)?;
        home.native().replace(&name, &up.iter().map(|instance| instance.slot()).collect())?;
        sharing::await_processes(home, app, &slots_of(&up))?;
        note_online(home, app, up);
    }
    if down.is_empty() { Ok(()) } else { fill(home, app, &down) }
}

/// Which instances of an app are there first in a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    NewFirst,
    OldFirst,
}

/// Replaces those of the meant instances of an app that run, and waits until the new ones have proved themselves; the slots. If they do
/// not, the old ones run on.
pub(crate) fn reload(home: &Home, app: &App, meant: &BTreeSet<Slot>, turn: Turn) -> Result<BTreeSet<Slot>> {
    journal::of_verb(home, app, "reload", || replace(home, app, meant, turn))
}

fn replace(home: &Home, app: &App, meant: &BTreeSet<Slot>, turn: Turn) -> Result<BTreeSet<Slot>> {
    let (world, native, name) = (home.world(), home.native(), app.app_name()?);
    let _lock = world.lock_app(&name, WAIT)?;
    let release = release::deployed(home, app)?;
    let wanted = ps_release::runnable(&world.formation(&name)?, &release).formation;
    let mut plan = Plan::ask(&native, release, &wanted, &Intent::Restart(Which::Type(process_type())))?;
    plan.steps.retain(|step| step.change != Change::Start);
    for step in plan.steps.iter_mut().filter(|step| step.change == Change::Replace) {
        if !meant.contains(&step.slot) {
            step.change = Change::Keep;
        }
    }
    let slots: BTreeSet<Slot> = plan.slots(Change::Replace).cloned().collect();
    if slots.is_empty() {
        return Ok(slots);
    }
    for rules in plan.rules.values_mut() {
        match turn {
            Turn::NewFirst => {
                rules.strategy = Strategy::Overlap;
                // As many as the machine can start beside what runs.
                rules.max_parallel = rules.max_trials();
            }
            Turn::OldFirst => rules.strategy = Strategy::StopFirst,
        }
    }
    asking(|requester| native.deploy(&plan, requester))?;
    note_online(home, app, app.instances.iter().filter(|instance| slots.contains(&instance.slot())));
    Ok(slots)
}

/// A script that is gone is found out before its old processes are touched.
pub(crate) fn refuse_without_script(app: &App) -> Result<()> {
    if !app.script.is_file() {
        bail!("script not found : {}", app.script.display());
    }
    Ok(())
}

/// Sets how many instances an app has: further ones get the next ids, and the last ones are deleted.
pub(crate) fn scale(home: &Home, book: &mut Book, ours: &str, count: u16) -> Result<()> {
    let place = book.apps.iter().position(|app| app.ours == ours).context("there is no such app any more")?;
    let there = u16::try_from(book.apps[place].instances.len()).unwrap_or(u16::MAX);
    if count < there {
        let last = book.apps[place].instances[usize::from(count)..].iter().map(|instance| instance.id);
        let last: Vec<u64> = last.collect();
        return delete(home, book, &last);
    }
    let highest = book.apps[place].instances.iter().map(|instance| instance.slot).max().unwrap_or(0);
    let created_at = Timestamp::now().as_millisecond();
    let mut fresh = Vec::new();
    for further in 1..=count - there {
        fresh.push(Instance { id: book.next_id, slot: highest + further, created_at, restarts: 0 });
        book.next_id += 1;
    }
    book.apps[place].instances.extend(fresh.iter().cloned());
    book.write(home)?;
    let app = &book.apps[place];
    journal::of_verb(home, app, "scale", || {
        set_formation(home, app, highest + (count - there))?;
        fill(home, app, &fresh.iter().collect::<Vec<_>>())
    })
}

fn set_formation(home: &Home, app: &App, count: u16) -> Result<()> {
    let (world, name) = (home.world(), app.app_name()?);
    let _lock = world.lock_app(&name, WAIT)?;
    world.update_formation_from::<ps_apps::Error>(&name, FormationOrigin::Argument, |stored| {
        let scale = vec![StoredEntry { name: process_type().to_string(), count: count.into() }];
        Ok(StoredFormation { scale, ..stored.clone() })
    })?;
    Ok(())
}

/// Ends instances and forgets them; the other instances of their apps keep slots, pids and ids.
pub(crate) fn delete(home: &Home, book: &mut Book, ids: &[u64]) -> Result<()> {
    stop_as("delete", home, book, ids)?;
    let whole = book.clone();
    for app in &mut book.apps {
        app.instances.retain(|instance| !ids.contains(&instance.id));
    }
    book.apps.retain(|app| !app.instances.is_empty());
    let is_left = |app: &&App| book.apps.iter().any(|left| left.ours == app.ours);
    let gone: Vec<&App> = whole.apps.iter().filter(|app| !is_left(app)).collect();
    at_once(&gone, |app| forget(home, app))?;
    book.write(home)
}

/// Stops and removes an app of this project.
fn forget(home: &Home, app: &App) -> Result<()> {
    let (world, name) = (home.world(), app.app_name()?);
    if world.is_app(&name)? {
        stop_of(home, app, &[], true)?;
        world.destroy_app(&name)?;
    }
    world.retire_lock(&name);
    home.forget_source(&app.ours);
    Ok(())
}

/// The instances with these ids, app by app in the order of the list.
pub(crate) fn by_app<'a>(book: &'a Book, ids: &[u64]) -> Vec<(&'a App, Vec<&'a Instance>)> {
    let of_app = |app: &'a App| {
        let meant: Vec<&Instance> =
            app.instances.iter().filter(|instance| ids.contains(&instance.id)).collect();
        (app, meant)
    };
    book.apps.iter().map(of_app).filter(|(_, meant)| !meant.is_empty()).collect()
}

/// Prints what was noted of the start of an app, of which the slots with these numbers stay stopped.
pub(crate) fn show_online(app: Option<&App>, stopped: &[u16]) -> io::Result<()> {
    let Some(app) = app else { return Ok(()) };
    let started = app.instances.iter().filter(|instance| !stopped.contains(&instance.slot));
    started.map(|instance| online(app, instance)).try_for_each(say::plain)
}

fn online(app: &App, instance: &Instance) -> String {
    format!("{} - id{} worker online", app.script.display(), instance.id)
}

fn note_online<'a>(home: &Home, app: &App, instances: impl IntoIterator<Item = &'a Instance>) {
    for instance in instances {
        home.note(&online(app, instance));
    }
    if let Ok(name) = app.app_name() {
        home.note_root(&name);
    }
}
