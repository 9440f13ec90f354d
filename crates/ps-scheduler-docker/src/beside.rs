//! The description of a container that is not an instance. It has the settings of a type. Its labels say that it is not
//! an instance, when it must be removed, and which program waits for it.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use formation::{ProcessType, Slot};
use ps_container_talk::waiter;
use ps_engine::ContainerCreateBody;
use ps_rollout::{Lane, Run};
use ps_scheduler::Release;
use type_settings::Label;

use crate::blueprint;
use crate::label::{self, Identity};
use crate::network::{self, Joined};

/// The properties of a container that is not an instance, in addition to those of its type.
pub(crate) struct Beside<'a> {
    /// What kind of container it is.
    pub(crate) kind: &'static str,
    /// The type whose settings the container has.
    pub(crate) process_type: &'a ProcessType,
    /// The name of the container, in the form of an instance's.
    pub(crate) name: &'a Slot,
    /// Variables of the container, which override those of the app.
    pub(crate) env: &'a [(String, String)],
    /// The time after which the container must be removed.
    pub(crate) deadline: Option<Duration>,
    /// Whether this program waits for the end of the container.
    pub(crate) is_waited_for: bool,
}

/// The description for the engine. The container runs the command of its type.
pub(crate) fn container(
    root: &Path,
    release: &Release,
    image: &str,
    beside: &Beside<'_>,
) -> ContainerCreateBody {
    let slot = Slot::new(beside.process_type.clone(), 1);
    let identity = Identity { run: Run { slot, number: 0 }, release: 0, lane: Lane::Own };
    let mut body = blueprint::container(root, release, image, &identity);
    body.env = Some(environment(body.env.unwrap_or_default(), beside));
    body.labels = Some(labels(body.labels.unwrap_or_default(), beside));
    network::made_in(&networks(root, release, beside.process_type), &mut body);
    body
}

/// The networks of the type, without the names by which instances are found. The container is created in the first
/// network, and has to join the others.
pub(crate) fn networks(root: &Path, release: &Release, process_type: &ProcessType) -> Vec<Joined> {
    let slot = Slot::new(process_type.clone(), 1);
    network::of_slot(root, release, &slot).into_iter().map(Joined::unnamed).collect()
}

/// The variables of the app, over them those of the container, and its own name.
fn environment(of_type: Vec<String>, beside: &Beside<'_>) -> Vec<String> {
    let name_of = |pair: &str| pair.split_once('=').map_or(pair, |(name, _)| name).to_owned();
    let mut own: Vec<String> = beside.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    own.push(format!("DYNO={}", beside.name));
    let is_own = |pair: &String| own.iter().any(|own| name_of(own) == name_of(pair));
    let mut all: Vec<String> = of_type.into_iter().filter(|pair| !is_own(pair)).collect();
    all.extend(own);
    all
}

fn labels(of_instance: HashMap<String, String>, beside: &Beside<'_>) -> HashMap<String, String> {
    let mut labels = of_instance;
    // Labels that are set for instances of the type would lead a proxy to this container.
    labels.retain(|name, _| Label::is_ours(name));
    for of_runs in [label::RUN, label::RELEASE, label::LANE, label::SET] {
        labels.remove(of_runs);
    }
    let mut set = |name: &str, value: String| drop(labels.insert(name.to_owned(), value));
    set(label::CONTAINER_TYPE, beside.kind.to_owned());
    set(label::DYNO, beside.name.to_string());
    if let Some(deadline) = beside.deadline {
        set(label::DEADLINE, deadline.as_secs().max(1).to_string());
    }
    if beside.is_waited_for {
        set(label::WAITS, waiter::this_process());
    }
    labels
}
