//! Translates the settings of a process type into the engine's description of a container.

use std::collections::HashMap;

use ps_engine::{HostConfig, Ulimit};
use type_settings::{Limit, Setting, Switch, TypeSettings, Whole};

use crate::label;

/// The engine's unit for a thousandth of a CPU, in billionths.
const NANOS: i64 = 1_000_000;
/// The engine's option for an instance that gets no additional rights.
pub(crate) const NO_NEW_PRIVILEGES: &str = "no-new-privileges";

/// The engine's host configuration for the container. `usual_init`: whether it has an init if no setting says so.
pub(crate) fn host_config(settings: &TypeSettings, usual_init: bool) -> HostConfig {
    let memory = settings.memory_max.map(|most| i64::try_from(most.bytes()).unwrap_or(i64::MAX));
    let texts = |all: Vec<String>| (!all.is_empty()).then_some(all);
    HostConfig {
        init: Some(settings.init.map_or(usual_init, Switch::is_on)),
        oom_score_adj: settings.oom_score_adj.map(Whole::get),
        memory,
        // The limit of memory and swap together, as for native processes: without it the engine would allow the same amount of
        // swap in addition.
        memory_swap: memory,
        nano_cpus: settings.cpu_max.map(|most| i64::from(most.thousandths()) * NANOS),
        pids_limit: settings.pids_max.map(Whole::get),
        security_opt: settings
            .no_new_privileges
            .filter(|switch| switch.is_on())
            .map(|_| vec![NO_NEW_PRIVILEGES.to_owned()]),
        ulimits: ulimits(settings),
        binds: texts(
            settings.mounts.iter().flat_map(type_settings::Mounts::iter).map(ToString::to_string).collect(),
        ),
        extra_hosts: texts(
            settings
                .extra_hosts
                .iter()
                .flat_map(type_settings::ExtraHosts::iter)
                .map(ToString::to_string)
                .collect(),
        ),
        ..HostConfig::default()
    }
}

/// Soft and hard limits in the engine's notation, in which -1 means no limit.
fn ulimits(settings: &TypeSettings) -> Option<Vec<Ulimit>> {
    let ulimit =
        |name: &str, soft, hard| Ulimit { name: Some(name.to_owned()), soft: Some(soft), hard: Some(hard) };
    let limits = [("core", settings.limit_core), ("nofile", settings.limit_nofile)];
    let own = |(name, limit): (&str, Option<Limit>)| {
        let most = limit?.get().map_or(-1, |number| i64::try_from(number).unwrap_or(i64::MAX));
        Some(ulimit(name, most, most))
    };
    let mut set: Vec<Ulimit> = limits.into_iter().filter_map(own).collect();
    for limit in settings.ulimits.iter().flat_map(type_settings::Ulimits::iter) {
        if !set.iter().any(|other| other.name.as_ref() == Some(&limit.name)) {
            set.push(ulimit(&limit.name, limit.soft, limit.hard));
        }
    }
    (!set.is_empty()).then_some(set)
}

/// The labels that are set for a type, and one more that lists which settings were made. Without it, a setting that equals the
/// default of the engine or image could not be recognized.
pub(crate) fn labels(settings: &TypeSettings) -> HashMap<String, String> {
    let own = settings.labels.iter().flat_map(type_settings::Labels::iter);
    let mut labels: HashMap<String, String> =
        own.map(|label| (label.name.clone(), label.value.clone())).collect();
    let names = names(settings);
    if !names.is_empty() {
        labels.insert(label::SET.to_owned(), names.join(" "));
    }
    labels
}

/// The names of the settings that are set. Each label and each engine option is named separately.
fn names(settings: &TypeSettings) -> Vec<String> {
    let set =
        Setting::all().iter().filter(|setting| setting.is_for_containers && setting.text(settings).is_some());
    let mut names: Vec<String> = set.map(|setting| setting.name.to_owned()).collect();
    let labels = settings.labels.iter().flat_map(type_settings::Labels::iter);
    names.extend(labels.map(|label| format!("{}{}", label::LABEL_SET, label.name)));
    let options = settings.engine_options.iter().flat_map(type_settings::EngineOptions::iter);
    names.extend(options.map(|option| format!("{}{}", label::OPTION_SET, option.name)));
    names.dedup();
    names
}
