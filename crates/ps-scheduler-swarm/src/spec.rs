//! The specification of a service, made from a release, a process type and a plan. Pure.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use formation::{ProcessType, RestartPolicy};
use ps_release::in_container;
use ps_rollout::Rules;
use ps_scheduler::{Command, OneOff, Release, Task};
use serde_json::{Map, Value, json};
use type_settings::{Cpus, Size, Switch, TypeSettings, Whole};

use crate::health::{self, Health, nanos};
use crate::published::Published;
use crate::update_rules::UpdateRules;
use crate::{label, placement, published};

/// What an engine takes for a thousandth of a CPU.
const NANOS: u64 = 1_000_000;
/// The pause before a task that has ended gets a successor, also one whose node was lost.
const PAUSE: Duration = Duration::from_secs(1);
/// After this time without a failure the earlier ones are forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// Who a service is of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity<'a> {
    /// The id of the world.
    pub(crate) world: &'a str,
    /// The deploy.
    pub(crate) deploy: &'a str,
    /// What tells its tasks from those before.
    pub(crate) revision: &'a str,
    /// How many deploys the app has had.
    pub(crate) release: u64,
}

/// How the tasks of a type are proved and replaced.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    pub(crate) health: Option<Health>,
    pub(crate) rules: UpdateRules,
}

impl Proof {
    /// That of a type by the rules of its plan.
    pub(crate) fn of(release: &Release, process_type: &ProcessType, rules: &Rules) -> Self {
        let health = health::of(release, process_type, rules);
        let is_one_a_node = release.node_port(process_type).is_some();
        Self { rules: UpdateRules::of(rules, health.as_ref(), is_one_a_node), health }
    }
}

/// The specification of the service of a type. The caller adds its name.
pub(crate) fn service(
    release: &Release,
    process_type: &ProcessType,
    replicas: u16,
    identity: Identity<'_>,
    proof: &Proof,
) -> Value {
    let mut labels = label::labels(identity.world, &release.app, process_type);
    labels[label::RELEASE] = json!(identity.release.to_string());
    labels[label::DEPLOY] = json!(identity.deploy);
    json!({
        "Labels": labels,
        "TaskTemplate": template(release, process_type, identity, proof),
        "Mode": { "Replicated": { "Replicas": replicas } },
        "UpdateConfig": proof.rules.update(),
        "RollbackConfig": proof.rules.rollback(),
        "EndpointSpec": published::endpoint(Published::of(release, process_type)),
    })
}

/// The specification of the service that runs a task of a deploy once. The caller adds its name.
pub(crate) fn of_task(release: &Release, task: &Task, world: &str) -> Value {
    let revision = format!("{:016x}", RandomState::new().hash_one(&task.command));
    let process_type = &task.process_type;
    let mut labels = label::labels(world, &release.app, process_type);
    labels[label::TASK] = json!(process_type.as_str());
    labels[label::REVISION] = json!(revision);
    let variables = in_container::variables(release, process_type);
    let words = in_container::words(release, &variables, &task.command);
    alone(release, process_type, &labels, Some(&words))
}

/// The specification of a one-off. The caller adds its name. `labels` are those of the service and of its container.
pub(crate) fn of_one_off(release: &Release, order: &OneOff<'_>, labels: &Value) -> Value {
    let words = match &order.command {
        Command::Words(words) => Some(words.as_slice()),
        Command::OfType | Command::Shell => None,
    };
    let mut spec = alone(release, &order.process_type, labels, words);
    let container = &mut spec["TaskTemplate"]["ContainerSpec"];
    container["StopGracePeriod"] = nanos(order.grace).into();
    for variable in container["Env"].as_array_mut().into_iter().flatten() {
        if variable.as_str().is_some_and(|pair| pair.starts_with("DYNO=")) {
            *variable = json!(format!("DYNO={}", order.name));
        }
    }
    spec
}

/// A service of one task that is never restarted, with the settings of a type. `words`: what it runs in place of the command of the type.
fn alone(release: &Release, process_type: &ProcessType, labels: &Value, words: Option<&[String]>) -> Value {
    let identity = Identity { world: "", deploy: "", revision: "", release: 0 };
    let mut container = container(release, process_type, identity);
    container["Labels"] = labels.clone();
    if let Some(words) = words {
        container["Args"] = json!(words);
    }
    json!({
        "Labels": labels,
        "TaskTemplate": {
            "ContainerSpec": container,
            "Resources": resources(release.settings(process_type)),
            "RestartPolicy": restart_policy(RestartPolicy::No),
            "Networks": networks(release, process_type, false),
            "Placement": placement::placement(release.settings(process_type)),
        },
        "Mode": { "Replicated": { "Replicas": 1 } },
        "EndpointSpec": { "Mode": "dnsrr" },
    })
}

/// The networks of a type; `is_found`: whether others find it there by a name.
fn networks(release: &Release, process_type: &ProcessType, is_found: bool) -> Value {
    let networks = release.settings(process_type).networks.iter().flat_map(type_settings::Networks::iter);
    let aliases = if is_found { vec![format!("{}.{process_type}", release.app)] } else { Vec::new() };
    networks.map(|name| json!({ "Target": name, "Aliases": aliases })).collect()
}

/// What each task is made from.
fn template(release: &Release, process_type: &ProcessType, identity: Identity<'_>, proof: &Proof) -> Value {
    let settings = release.settings(process_type);
    let policy = settings.restart_policy.unwrap_or(release.restart_policy);
    let mut container = container(release, process_type, identity);
    if let Some(health) = &proof.health {
        container["Healthcheck"] = health.json();
    }
    json!({
        "ContainerSpec": container,
        "Resources": resources(settings),
        "RestartPolicy": restart_policy(policy),
        "Networks": networks(release, process_type, true),
        "Placement": placement::placement(settings),
        "ForceUpdate": 0,
    })
}

fn container(release: &Release, process_type: &ProcessType, identity: Identity<'_>) -> Value {
    let settings = release.settings(process_type);
    let variables = in_container::variables(release, process_type);
    let mut environment: Vec<String> = variables.iter().map(|pair| as_it_is(pair)).collect();
    environment.push(format!("DYNO={process_type}.{{{{.Task.Slot}}}}"));
    let command = release.process(process_type).and_then(|process| process.command.as_deref());
    let mut labels = label::labels(identity.world, &release.app, process_type);
    labels[label::REVISION] = json!(identity.revision);
    labels[label::RELEASE] = json!(identity.release.to_string());
    for label in settings.labels.iter().flat_map(type_settings::Labels::iter) {
        labels[&label.name] = json!(label.value);
    }
    let mounts = settings.mounts.iter().flat_map(type_settings::Mounts::iter);
    let hosts = settings.extra_hosts.iter().flat_map(type_settings::ExtraHosts::iter);
    let mut container = json!({
        "Image": release.source.image(process_type).unwrap_or_default(),
        "Env": environment,
        "Labels": labels,
        "Init": settings.init.is_none_or(Switch::is_on),
        "StopGracePeriod": nanos(release.grace(process_type)),
        "Mounts": mounts.map(mount).collect::<Vec<_>>(),
        "Hosts": hosts.map(|host| format!("{} {}", host.address, host.name)).collect::<Vec<_>>(),
    });
    if let Some(command) = command {
        container["Args"] = json!(in_container::words(release, &variables, command));
    }
    if let Some(signal) = settings.stop_signal {
        container["StopSignal"] = json!(signal.to_string());
    }
    let limits = ulimits(settings);
    if !limits.is_empty() {
        container["Ulimits"] = json!(limits);
    }
    for (key, value) in options(settings) {
        container[key] = value;
    }
    container
}

/// A variable whose value is not taken for a template: a swarm replaces what stands in `{{…}}` in each of them.
fn as_it_is(pair: &str) -> String {
    pair.replace("{{", "{{\"{{\"}}")
}

fn mount(mount: &type_settings::Mount) -> Value {
    let has = |option: &str| mount.options.iter().any(|other| other == option);
    let mut json = json!({
        "Type": if mount.path().is_some() { "bind" } else { "volume" },
        "Source": mount.source, "Target": mount.target, "ReadOnly": has("ro"),
    });
    let propagation = mount.options.iter().find(|option| {
        option.ends_with("shared") || option.ends_with("slave") || option.ends_with("private")
    });
    if let Some(propagation) = propagation {
        json["BindOptions"] = json!({ "Propagation": propagation });
    }
    if has("nocopy") {
        json["VolumeOptions"] = json!({ "NoCopy": true });
    }
    json
}

fn resources(settings: &TypeSettings) -> Value {
    let mut limits = Map::new();
    limits.extend(settings.cpu_max.map(|most| ("NanoCPUs".to_owned(), json!(nano_cpus(most)))));
    limits.extend(settings.memory_max.map(|most| ("MemoryBytes".to_owned(), json!(most.bytes()))));
    limits.extend(settings.pids_max.map(|most| ("Pids".to_owned(), json!(most.get()))));
    let mut resources = json!({ "Limits": limits });
    if let Some(reserved) = reserved_memory(settings) {
        resources["Reservations"] = json!({ "MemoryBytes": reserved.bytes() });
    }
    resources
}

/// The memory that a node has to have left for each instance.
pub(crate) fn reserved_memory(settings: &TypeSettings) -> Option<Size> {
    settings.engine_options.as_ref()?.of("memory-reservation").first()?.parse().ok()
}

pub(crate) fn nano_cpus(most: Cpus) -> u64 {
    u64::from(most.thousandths()) * NANOS
}

fn restart_policy(policy: RestartPolicy) -> Value {
    let (condition, most) = match policy {
        RestartPolicy::No => ("none", 0),
        RestartPolicy::Always | RestartPolicy::UnlessStopped => ("any", 0),
        RestartPolicy::OnFailure(most) => ("on-failure", most.unwrap_or(0)),
    };
    json!({
        "Condition": condition, "MaxAttempts": most, "Delay": nanos(PAUSE), "Window": nanos(FORGOTTEN_AFTER),
    })
}

fn ulimits(settings: &TypeSettings) -> Vec<Value> {
    let one = |name: &str, soft: i64, hard: i64| json!({ "Name": name, "Soft": soft, "Hard": hard });
    let own = [("core", settings.limit_core), ("nofile", settings.limit_nofile)];
    let mut limits: Vec<Value> = own
        .into_iter()
        .filter_map(|(name, limit)| {
            let most = limit?.get().map_or(-1, |number| i64::try_from(number).unwrap_or(i64::MAX));
            Some(one(name, most, most))
        })
        .collect();
    for limit in settings.ulimits.iter().flat_map(type_settings::Ulimits::iter) {
        if !limits.iter().any(|other| other["Name"] == *limit.name) {
            limits.push(one(&limit.name, limit.soft, limit.hard));
        }
    }
    limits
}

/// Where the options of an engine stand in the specification of a container; none of those that a swarm does not have.
fn options(settings: &TypeSettings) -> Vec<(&'static str, Value)> {
    let Some(options) = &settings.engine_options else { return Vec::new() };
    let first = |name: &str| options.of(name).first().map(|value| json!(value));
    let list = |name: &str| Some(options.of(name)).filter(|all| !all.is_empty()).map(|all| json!(all));
    let sysctls: Map<String, Value> =
        options.pairs("sysctl").into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
    let dns = json!({
        "Nameservers": options.of("dns"), "Search": options.of("dns-search"), "Options": options.of("dns-option"),
    });
    let has_dns = ["dns", "dns-search", "dns-option"].iter().any(|name| !options.of(name).is_empty());
    let read_only = options.of("read-only").first().and_then(|text| text.parse::<Switch>().ok());
    let all = [
        ("CapabilityAdd", list("cap-add")),
        ("CapabilityDrop", list("cap-drop")),
        ("DNSConfig", has_dns.then_some(dns)),
        ("Groups", list("group-add")),
        ("Hostname", first("hostname")),
        ("ReadOnly", read_only.map(|switch| json!(switch.is_on()))),
        ("Sysctls", (!sysctls.is_empty()).then(|| json!(sysctls))),
        ("User", first("user")),
        ("Dir", first("workdir")),
    ];
    all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

/// Why a type cannot run on a swarm with its settings; `None` if it can.
pub(crate) fn refusal(release: &Release, process_type: &ProcessType) -> Option<String> {
    /// Options of an engine that a swarm does not hand on.
    const NOT_HERE: [&str; 7] =
        ["cpu-shares", "cpuset-cpus", "device", "log-driver", "log-opt", "shm-size", "tmpfs"];
    let settings = release.settings(process_type);
    if settings.schedule.is_some() {
        return Some(format!(
            "{process_type} runs by a schedule, which the scheduler swarm does not have yet"
        ));
    }
    let not_here = |name: &str, why: &str| {
        Some(format!("{process_type}.{name} is set, and a swarm {why}: take it away for this app"))
    };
    if settings.oom_score_adj.map(Whole::get).is_some_and(|score| score != 0) {
        return not_here("oom-score-adj", "does not know it");
    }
    if settings.no_new_privileges.is_some_and(Switch::is_on) {
        return not_here("no-new-privileges", "of engines before 26 does not know it");
    }
    let options = settings.engine_options.iter().flat_map(type_settings::EngineOptions::iter);
    if let Some(option) = options.into_iter().find(|option| NOT_HERE.contains(&option.name)) {
        return not_here("engine-options", &format!("does not have {}", option.name));
    }
    let command = release.process(process_type).and_then(|process| process.command.as_deref());
    let variables = in_container::variables(release, process_type);
    command
        .and_then(|command| in_container::refusal(release, &variables, command, process_type))
        .or_else(|| health::refusal(release, process_type))
        .or_else(|| published::refusal(release, process_type))
}

#[cfg(test)]
pub(crate) mod tests;
