//! The conditions that new instances of a release must fulfil: their checks, or a minimum life.

use std::time::Duration;

use formation::{ProcessType, RestartPolicy};
use ps_rollout::Strategy;
use type_settings::{Checking, Publish};

use crate::{Check, Release};

impl Release {
    /// Whether the checks of a type are made: by its setting, else by Dokku's plugin `checks`.
    pub fn checking(&self, process_type: &ProcessType) -> Checking {
        self.settings(process_type).checks.unwrap_or_else(|| self.gate.checking(process_type))
    }

    /// The startup checks of new instances of a type.
    pub fn startup_checks(&self, process_type: &ProcessType) -> &[Check] {
        let asked = self.checking(process_type) == Checking::Asked;
        let process = self.process(process_type).filter(|_| asked);
        process.map_or(&[], |process| &process.checks.startup)
    }

    /// How long an instance of a type must live to pass the gate of its rollout, if it has no other check. A type that ends by
    /// itself need not live that long.
    pub fn uptime(&self, process_type: &ProcessType) -> Duration {
        let is_checked = !self.startup_checks(process_type).is_empty();
        let may_end = self.is_left_when_it_ends(process_type)
            || self.settings(process_type).schedule.is_some()
            || self.order().is_awaited_to_be_done(process_type);
        let asked = self.checking(process_type) == Checking::Asked;
        if asked && !is_checked && !may_end { self.gate.uptime } else { Duration::ZERO }
    }

    /// Whether no instance of a type is started again when it ends, whatever its exit status.
    pub fn is_left_when_it_ends(&self, process_type: &ProcessType) -> bool {
        let own = self.settings(process_type).restart_policy;
        own.unwrap_or(self.restart_policy) == RestartPolicy::No
    }

    /// The port on its node that each instance of a type has in a swarm, if that is set. Then two instances cannot be on one
    /// node.
    pub fn node_port(&self, process_type: &ProcessType) -> Option<u16> {
        let settings = self.settings(process_type);
        let is_published = settings.publish == Some(Publish::Host) && !self.source.is_native();
        settings.port.filter(|_| is_published).and_then(|port| u16::try_from(port.get()).ok())
    }

    /// The order in which old and new instances of a type are exchanged, if the app determines it. Without checks nothing
    /// would show that a new instance works. If both need the same port of a node, the old one ends before the new one starts.
    pub fn strategy(&self, process_type: &ProcessType) -> Option<Strategy> {
        let own = self.process(process_type).and_then(|process| process.strategy);
        let is_disabled = self.checking(process_type) == Checking::Disabled;
        let of_address = || self.has_address(process_type).then_some(Strategy::Overlap);
        let of_port = || self.node_port(process_type).map(|_| Strategy::OneByOne);
        own.or(is_disabled.then_some(Strategy::StopFirst)).or_else(of_port).or_else(of_address)
    }
}

#[cfg(test)]
mod tests {
    use formation::Addresses;
    use ps_probe::{Ask, Check};
    use type_settings::TypeSettings;

    use super::*;
    use crate::gate::Types;
    use crate::{Gate, Process, Source};

    const TEN: Duration = Duration::from_secs(10);

    fn process_type(name: &str) -> ProcessType {
        name.parse().expect("a type")
    }

    fn release(gate: Gate) -> Release {
        let live = Check {
            ask: Ask::Live(TEN),
            attempts: 1,
            timeout: TEN,
            wait: TEN,
            initial_delay: Duration::ZERO,
            only_warns: false,
            on_failure: Vec::new(),
            port: None,
        };
        let mut web = Process::new(process_type("web"), None);
        web.checks.startup = vec![live];
        let mut job = Process::new(process_type("job"), None);
        job.settings.restart_policy = Some(RestartPolicy::No);
        Release {
            app: "shop".parse().expect("a name"),
            source: Source::Image("shop:1".to_owned()),
            are_all_types: false,
            processes: vec![web, job],
            others: TypeSettings::default(),
            env: Vec::new(),
            restart_policy: RestartPolicy::default(),
            stop_timeout: TEN,
            gate,
            listen: Addresses::default(),
            frontend: balance::Frontend::default(),
        }
    }

    #[test]
    fn what_has_no_startup_checks_must_live_unless_it_may_end_or_nobody_is_to_check_it() {
        let of = |gate: Gate| {
            ["web", "job", "worker"].map(|name| release(gate.clone()).uptime(&process_type(name)))
        };
        let gate = Gate { uptime: TEN, ..Gate::default() };
        assert_eq!(of(gate.clone()), [Duration::ZERO, Duration::ZERO, TEN]);
        let skipped = Gate { skipped: Types::All, ..gate.clone() };
        assert_eq!(of(skipped.clone()), [Duration::ZERO; 3]);
        assert!(release(skipped.clone()).startup_checks(&process_type("web")).is_empty());
        assert_eq!(release(gate).startup_checks(&process_type("web")).len(), 1);
        assert_eq!(release(skipped).strategy(&process_type("web")), None);
        let disabled = release(Gate { disabled: Types::read("web"), ..Gate::default() });
        assert_eq!(disabled.strategy(&process_type("web")), Some(Strategy::StopFirst));
        assert_eq!(disabled.strategy(&process_type("worker")), None);
    }

    #[test]
    fn what_needs_a_port_of_its_node_for_itself_is_replaced_one_by_one_unless_somebody_says_otherwise() {
        let reached = |listen: &str, settings: &[(&str, &str)], strategy| {
            let mut release = release(Gate::default());
            release.listen = listen.parse().expect("an address, or none");
            release.processes[0].strategy = strategy;
            for (name, value) in settings {
                let setting = type_settings::Setting::named(name).expect("a setting");
                assert!(setting.take(value, &mut release.processes[0].settings), "{name}");
            }
            (release.node_port(&process_type("web")), release.strategy(&process_type("web")))
        };
        let of = |settings: &[(&str, &str)], strategy| reached("none", settings, strategy);
        let fixed = [("publish", "host"), ("port", "8080")];
        assert_eq!(of(&fixed, None), (Some(8080), Some(Strategy::OneByOne)));
        assert_eq!(of(&fixed, Some(Strategy::Overlap)), (Some(8080), Some(Strategy::Overlap)));
        assert_eq!(of(&fixed[..1], None), (None, None));
        assert_eq!(of(&[("publish", "ingress"), fixed[1]], None), (None, None));
        assert_eq!(reached("5000", &fixed, None), (Some(8080), Some(Strategy::OneByOne)));
        assert_eq!(reached("5000", &fixed[..1], None), (None, Some(Strategy::Overlap)));
    }

    #[test]
    fn what_is_set_for_a_type_wins_over_what_dokkus_plugin_says() {
        let mut release = release(Gate { skipped: Types::All, uptime: TEN, ..Gate::default() });
        release.processes[0].settings.checks = Some(Checking::Asked);
        assert_eq!(release.startup_checks(&process_type("web")).len(), 1);
        release.processes[0].settings.checks = Some(Checking::Disabled);
        assert_eq!(release.strategy(&process_type("web")), Some(Strategy::StopFirst));
    }

    #[test]
    fn a_list_names_types_or_means_all_of_them() {
        let web: ProcessType = "web".parse().expect("a type");
        for (text, is_named) in
            [("web", true), ("worker, web", true), ("_all_", true), ("webs", false), ("", false)]
        {
            assert_eq!(Types::read(text).has(&web), is_named, "{text:?}");
        }
        let gate = Gate { disabled: Types::read("web"), skipped: Types::All, ..Gate::default() };
        assert_eq!(gate.checking(&web), Checking::Disabled);
        assert_eq!(gate.checking(&"worker".parse().expect("a type")), Checking::Skipped);
    }
}
