//! Differences between running containers and their present settings. Each container is inspected once, because the
//! engine's list has no limits.

use std::collections::BTreeSet;

use formation::Slot;
use futures_util::{StreamExt, stream};
use ps_engine::Fault;
use ps_rollout::{Lane, Run};
use ps_scheduler::{Drift, Error, Release};
use serde_json::Value;

use crate::app::{self, WAITING_AT_ONCE};
use crate::docker_local::DockerLocal;
use crate::engine_option::PLACES;
use crate::failed::failed;
use crate::label::{self, Identity};
use crate::network;
use crate::sight::{Sight, VIEWS};
use crate::{blueprint, service};

/// The option whose values may be secrets.
const LOG_OPTION: &str = "log-opt";

/// The settings in which running instances of an app differ from the present ones, by slot.
pub(crate) fn drift(docker: &DockerLocal, release: &Release) -> Result<Vec<Drift>, Error> {
    let app = &release.app;
    let records = app::records(docker.world(), app)?;
    let ids: Vec<(&Slot, &str)> =
        records.slots.iter().filter_map(|(slot, record)| Some((slot, record.id.as_deref()?))).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let engine = docker.engine()?;
    let answers = ids.into_iter().map(|(slot, id)| async move { (slot, engine.inspect(id).await) });
    let answers: Vec<(&Slot, Result<Value, Fault>)> =
        engine.run(stream::iter(answers).buffered(WAITING_AT_ONCE).collect());
    let mut found = Vec::new();
    for (slot, answer) in answers {
        match answer {
            Ok(inspected) if inspected["State"]["Running"] == true => {
                let wanted = wanted(docker, release, slot);
                let wanted = wanted.map_err(|reason| Error::Backend {
                    context: format!("compare {slot} of {app}"),
                    reason,
                })?;
                found.extend(compare(slot, &running(inspected), &wanted));
            }
            Ok(_) => (),
            Err(fault) if fault.is_gone() => (),
            Err(fault) => return Err(failed(fault, format!("inspect {slot} of {app}"))),
        }
    }
    Ok(found)
}

/// The container that would be made now.
fn wanted(docker: &DockerLocal, release: &Release, slot: &Slot) -> Result<Sight, String> {
    let root = docker.world().root();
    let run = Run { slot: slot.clone(), number: 0 };
    let identity = Identity { run, release: 0, lane: Lane::Own };
    let image = release.source.image(&slot.process_type).unwrap_or_default();
    let body = blueprint::container(root, release, image, &identity);
    let body = service::laid_under(release, &identity, body)?;
    let mut body = serde_json::to_value(body).map_err(|error| error.to_string())?;
    let policy = release.settings(&slot.process_type).restart_policy.unwrap_or(release.restart_policy);
    body["HostConfig"]["RestartPolicy"] =
        serde_json::to_value(ps_engine::restart_policy(policy)).map_err(|error| error.to_string())?;
    let networks = network::of_slot(root, release, slot).into_iter().map(|joined| joined.network);
    let mut networks: BTreeSet<String> = networks.collect();
    if networks.is_empty() {
        networks.insert(network::USUAL.to_owned());
    }
    Ok(Sight { body, networks })
}

/// A container as the engine describes it.
fn running(mut inspected: Value) -> Sight {
    let networks = inspected["NetworkSettings"]["Networks"].as_object().into_iter().flatten();
    let networks = networks.map(|(name, _)| name.clone()).collect();
    let mut body = inspected["Config"].take();
    body["HostConfig"] = inspected["HostConfig"].take();
    Sight { body, networks }
}

fn compare(slot: &Slot, running: &Sight, wanted: &Sight) -> Vec<Drift> {
    let mut found = Vec::new();
    let mut differ = |setting: &'static str, runs_with: Option<String>, is_set: Option<String>| {
        if runs_with != is_set {
            found.push(Drift { slot: slot.clone(), setting, runs_with, is_set });
        }
    };
    for (setting, view) in VIEWS {
        differ(setting, view(running), view(wanted));
    }
    // Values that an image or an engine gives a container by default count as a difference only if they were set once.
    let set: BTreeSet<&str> = running.set().union(&wanted.set()).copied().collect();
    if set.contains("stop-signal") {
        differ("stop-signal", running.stop_signal(), wanted.stop_signal());
    }
    let own = [("limit-core", "core"), ("limit-nofile", "nofile")];
    let own: Vec<_> = own.into_iter().filter(|(setting, _)| set.contains(setting)).collect();
    for (setting, name) in &own {
        let most = |sight: &Sight| {
            let all = sight.ulimits(|other| other == *name);
            all.first().and_then(|text| text.split_once('=')).map(|(_, most)| most.to_owned())
        };
        differ(setting, most(running), most(wanted));
    }
    if set.contains("ulimits") {
        let rest =
            |sight: &Sight| listed(&sight.ulimits(|name| !own.iter().any(|(_, other)| *other == name)));
        differ("ulimits", rest(running), rest(wanted));
    }
    let (of_running, of_wanted) = labels(&set, running, wanted);
    differ("labels", listed(&of_running), listed(&of_wanted));
    let (of_running, of_wanted) = options(&set, running, wanted);
    differ("engine-options", listed(&of_running), listed(&of_wanted));
    found.sort_by_key(|drift| drift.setting);
    found
}

fn listed(texts: &[String]) -> Option<String> {
    (!texts.is_empty()).then(|| type_settings::listed(texts))
}

/// The names of the labels that differ. Their values are left out, because they may be secrets.
fn labels(set: &BTreeSet<&str>, running: &Sight, wanted: &Sight) -> (Vec<String>, Vec<String>) {
    let (mut of_running, mut of_wanted) = (Vec::new(), Vec::new());
    for name in set.iter().filter_map(|name| name.strip_prefix(label::LABEL_SET)) {
        let is_wanted = wanted.set().contains(&*format!("{}{name}", label::LABEL_SET));
        match (running.label(name), wanted.label(name).filter(|_| is_wanted)) {
            (Some(one), Some(other)) if one == other => continue,
            (Some(_), Some(_)) => of_running.push(format!("{name} of another value")),
            (Some(_), None) => of_running.push(name.to_owned()),
            (None, _) => {}
        }
        if is_wanted {
            of_wanted.push(name.to_owned());
        }
    }
    (of_running, of_wanted)
}

/// The options of the engine that differ, with their values.
fn options(set: &BTreeSet<&str>, running: &Sight, wanted: &Sight) -> (Vec<String>, Vec<String>) {
    let (mut of_running, mut of_wanted) = (Vec::new(), Vec::new());
    let is_set = |name: &str| set.contains(&*format!("{}{name}", label::OPTION_SET));
    for place in PLACES.iter().filter(|place| is_set(place.name)) {
        let (one, other) = (running.option(place), wanted.option(place));
        if one == other {
            continue;
        }
        if place.name == LOG_OPTION {
            of_running.push(format!("{LOG_OPTION} of other values"));
            of_wanted.push(LOG_OPTION.to_owned());
            continue;
        }
        let named = |value: &String| format!("{}={value}", place.name);
        of_running.extend(one.iter().map(named));
        of_wanted.extend(other.iter().map(named));
    }
    (of_running, of_wanted)
}
