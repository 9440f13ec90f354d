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
        let how = how(release, process_type)?;
        let outside = settings.port.map(Whole::get).and_then(|port| u16::try_from(port).ok());
        let outside = outside.filter(|_| settings.publish.is_some());
        let inside = in_container::port(process_type).or(outside)?;
        Some(Self { how, inside, outside })
    }
}

/// How a type is published. Clients of the app's address are led to ports of the nodes, so its type is published there if nothing was said.
fn how(release: &Release, process_type: &ProcessType) -> Option<Publish> {
    let usual = release.has_address(process_type).then_some(Publish::Host);
    release.settings(process_type).publish.or(usual).filter(|how| *how != Publish::None)
}

/// Why a type cannot be published with its settings; `None` if it can.
pub(crate) fn refusal(release: &Release, process_type: &ProcessType) -> Option<String> {
    let app = &release.app;
    let said = release.settings(process_type).publish;
    if let Some(other) = said.filter(|how| release.has_address(process_type) && *how != Publish::Host) {
        return Some(format!(
            "{process_type}.publish is {other}, and the address of {app} needs ports of the nodes: ps-set {app} {process_type}.publish host, or --listen none goes without an address"
        ));
    }
    let how = how(release, process_type)?;
    Published::of(release, process_type).is_none().then(|| {
        format!(
            "{process_type}.publish is {how}, and {process_type} is given no PORT: say at which port it listens, ps-set {app} {process_type}.port 9000"
        )
    })
}

/// What a person should know of a type that gets ports of the nodes without having asked for them; `None`: it has them already, or was
/// asked for.
pub(crate) fn remark(
    release: &Release,
    process_type: &ProcessType,
    there: Option<&Service>,
) -> Option<String> {
    let is_asked_for = release.settings(process_type).publish.is_some();
    let is_new = release.has_address(process_type) && !is_asked_for && !there.is_some_and(has_ports);
    is_new.then(|| {
        format!(
            "clients are led to {process_type} at a port that is published on each node that it runs on: whoever reaches these nodes reaches it there, too"
        )
    })
}

/// Whether a service is published.
pub(crate) fn has_ports(service: &Service) -> bool {
    service.spec["EndpointSpec"]["Ports"].as_array().is_some_and(|ports| !ports.is_empty())
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
    fn what_is_reached_at_an_address_has_a_port_of_each_node_and_is_refused_where_it_is_to_have_none() {
        let reached = |settings: &[(&str, &str)]| {
            let (mut release, _) = of("web", settings);
            release.listen = "5000".parse().expect("an address");
            let web = "web".parse().expect("a type");
            (Published::of(&release, &web), refusal(&release, &web))
        };
        let chosen = Published { how: Publish::Host, inside: 5000, outside: None };
        for settings in [&[][..], &[("port", "8080")], &[("publish", "host")]] {
            assert_eq!(reached(settings), (Some(chosen), None), "{settings:?}");
        }
        let fixed = Published { outside: Some(8080), ..chosen };
        assert_eq!(reached(&[("publish", "host"), ("port", "8080")]), (Some(fixed), None));
        for other in ["none", "ingress"] {
            let said = reached(&[("publish", other)]).1.expect("clients cannot be led there");
            assert!(said.contains("ps-set shop web.publish host") && said.contains(other), "{said}");
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
