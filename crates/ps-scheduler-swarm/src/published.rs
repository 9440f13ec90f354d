//! The ports of the nodes at which a type is reached. Pure.

use formation::ProcessType;
use ps_release::in_container;
use ps_scheduler::Release;
use serde_json::{Value, json};
use type_settings::{Publish, Whole};

use crate::service::Service;

/// A port that is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    /// How; never [`Publish::None`].
    how: Publish,
    /// The port that an instance listens on.
    inside: u16,
    /// The port of the nodes; `None`: the swarm chooses one.
    outside: Option<u16>,
}

impl Published {
    /// That of a type, if it is to have one. A type without a `PORT` is reached at its own port, whose number it knows by itself.
    pub(crate) fn of(release: &Release, process_type: &ProcessType) -> Option<Self> {
        let settings = release.settings(process_type);
        let how = settings.publish.filter(|how| *how != Publish::None)?;
        let outside = settings.port.map(Whole::get).and_then(|port| u16::try_from(port).ok());
        let inside = in_container::port(process_type).or(outside)?;
        Some(Self { how, inside, outside })
    }
}

/// Why a type cannot be published as it is set; `None` if it can.
pub(crate) fn refusal(release: &Release, process_type: &ProcessType) -> Option<String> {
    let how = release.settings(process_type).publish.filter(|how| *how != Publish::None)?;
    Published::of(release, process_type).is_none().then(|| {
        format!(
            "{process_type}.publish is {how}, and {process_type} is given no PORT: say at which port it listens, ps-set {} {process_type}.port 9000",
            release.app
        )
    })
}

/// Whether the swarm has to choose a port of the node for each instance of a type.
pub(crate) fn is_chosen_by_nodes(release: &Release, process_type: &ProcessType) -> bool {
    Published::of(release, process_type)
        .is_some_and(|published| published.how == Publish::Host && published.outside.is_none())
}

/// Why the instances of a service cannot have ports that their nodes choose; `None` if they can. A swarm takes a service that has had a fixed
/// port of its nodes for one that keeps it.
pub(crate) fn refusal_to_choose(service: &Service) -> Option<String> {
    let mut ports = service.spec["EndpointSpec"]["Ports"].as_array().into_iter().flatten();
    let fixed = ports.find(|port| port["PublishMode"] == "host" && port["PublishedPort"].is_u64())?;
    Some(format!(
        "{0} has port {1} of its nodes, and a swarm does not take it away for ports that nodes choose: deploy once with ps-set {2} {0}.publish none, then with host",
        service.process_type, fixed["PublishedPort"], service.app
    ))
}

/// `EndpointSpec`. What is reached everywhere needs a virtual address; everything else is found by the addresses of its tasks.
pub(crate) fn endpoint(published: Option<Published>) -> Value {
    let Some(published) = published else { return json!({ "Mode": "dnsrr" }) };
    let (mode, how) = match published.how {
        Publish::None => return json!({ "Mode": "dnsrr" }),
        Publish::Host => ("dnsrr", "host"),
        Publish::Ingress => ("vip", "ingress"),
    };
    let mut port = json!({ "Protocol": "tcp", "TargetPort": published.inside, "PublishMode": how });
    if let Some(outside) = published.outside {
        port["PublishedPort"] = json!(outside);
    }
    json!({ "Mode": mode, "Ports": [port] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tests::{release, set};

    fn of(process_type: &str, settings: &[(&str, &str)]) -> (Release, Option<Published>) {
        let mut release = release(process_type);
        for (name, value) in settings {
            set(&mut release, name, value);
        }
        let published = Published::of(&release, &process_type.parse().expect("a type"));
        (release, published)
    }

    #[test]
    fn web_is_reached_at_its_port_from_a_port_of_the_nodes() {
        let (_, host) = of("web", &[("publish", "host"), ("port", "8080")]);
        let ports =
            |how| json!([{"Protocol": "tcp", "TargetPort": 5000, "PublishedPort": 8080, "PublishMode": how}]);
        assert_eq!(endpoint(host), json!({"Mode": "dnsrr", "Ports": ports("host")}));
        let (_, ingress) = of("web", &[("publish", "ingress"), ("port", "8080")]);
        assert_eq!(endpoint(ingress), json!({"Mode": "vip", "Ports": ports("ingress")}));
        let (_, chosen) = of("web", &[("publish", "host")]);
        assert!(endpoint(chosen)["Ports"][0]["PublishedPort"].is_null());
    }

    #[test]
    fn nothing_is_published_that_nobody_asked_for() {
        for settings in [&[][..], &[("port", "8080")], &[("publish", "none"), ("port", "8080")]] {
            let (release, published) = of("web", settings);
            assert_eq!(endpoint(published), json!({"Mode": "dnsrr"}), "{settings:?}");
            assert_eq!(refusal(&release, &"web".parse().expect("a type")), None);
        }
    }

    #[test]
    fn a_type_without_port_has_to_be_told_which() {
        let (release, published) = of("metrics", &[("publish", "host")]);
        assert_eq!(published, None);
        let said = refusal(&release, &"metrics".parse().expect("a type")).expect("nobody knows its port");
        assert!(said.contains("ps-set shop metrics.port 9000"), "{said}");
        let (_, own) = of("metrics", &[("publish", "host"), ("port", "9100")]);
        assert_eq!(own, Some(Published { how: Publish::Host, inside: 9100, outside: Some(9100) }));
    }
}
