//! The ports of a service: `8080:80`, `127.0.0.1:8080:80/udp`, ranges, and the long form.

use serde_json::{Map, Value, json};

use super::fields;
use super::model::ComposeError;
use crate::import::node::Node;

/// What a service listens on, and where that is published.
#[derive(Default)]
pub(crate) struct Ports {
    /// `80/tcp` each, in the order of the file.
    pub(crate) exposed: Vec<String>,
    /// Where each is published, in the engine's words.
    pub(crate) bindings: Map<String, Value>,
}

impl Ports {
    /// Reads `ports` and `expose`.
    pub(crate) fn read(place: &str, service: &Node) -> Result<Self, ComposeError> {
        let mut ports = Self::default();
        if let Some(Node::List(items)) = service.get("ports") {
            for item in items {
                ports.published(&format!("{place}.ports"), item)?;
            }
        }
        let place = format!("{place}.expose");
        for text in fields::texts(&place, service.get("expose"))? {
            let (range, protocol) = protocol(&text);
            for port in numbers(&place, range)? {
                ports.expose(port, protocol);
            }
        }
        Ok(ports)
    }

    /// The first port over TCP.
    pub(crate) fn first(&self) -> Option<u16> {
        self.exposed.iter().find_map(|port| port.strip_suffix("/tcp")?.parse().ok())
    }

    fn expose(&mut self, port: u16, protocol: &str) -> String {
        let key = format!("{port}/{protocol}");
        if !self.exposed.contains(&key) {
            self.exposed.push(key.clone());
        }
        key
    }

    fn published(&mut self, place: &str, item: &Node) -> Result<(), ComposeError> {
        if let Node::Map(_) = item {
            let target = fields::text(item.get("target"));
            let target = target.ok_or_else(|| ComposeError::at(place, "a port without a target"))?;
            let host = fields::text(item.get("published")).unwrap_or_default();
            let address = fields::text(item.get("host_ip")).unwrap_or_default();
            let protocol = fields::text(item.get("protocol")).unwrap_or_else(|| "tcp".to_owned());
            return self.bind(place, &address, &host, &target, &protocol);
        }
        let text = item.scalar().ok_or_else(|| ComposeError::at(place, "a port is wanted"))?;
        let (text, protocol) = protocol(&text);
        let (rest, target) = text.rsplit_once(':').unwrap_or(("", text));
        // An IPv6 address has colons of its own, and stands in brackets.
        let (address, host) = match rest.rsplit_once(':') {
            Some((address, host)) => (address.trim_start_matches('[').trim_end_matches(']'), host),
            None => ("", rest),
        };
        self.bind(place, address, host, target, protocol)
    }

    fn bind(
        &mut self,
        place: &str,
        address: &str,
        host: &str,
        target: &str,
        protocol: &str,
    ) -> Result<(), ComposeError> {
        let targets = numbers(place, target)?;
        let hosts = if host.is_empty() { Vec::new() } else { numbers(place, host)? };
        if !hosts.is_empty() && hosts.len() != targets.len() {
            // For a range of host ports and one target Docker would choose a free one. That is not done here.
            let reason = format!("{host} and {target} are not equally many ports");
            return Err(ComposeError::at(place, reason));
        }
        for (index, target) in targets.into_iter().enumerate() {
            let key = self.expose(target, protocol);
            let host = hosts.get(index).map(u16::to_string).unwrap_or_default();
            let binding = json!({ "HostIp": address, "HostPort": host });
            match self.bindings.get_mut(&key) {
                Some(Value::Array(bindings)) => bindings.push(binding),
                _ => drop(self.bindings.insert(key, json!([binding]))),
            }
        }
        Ok(())
    }
}

fn protocol(text: &str) -> (&str, &str) {
    text.rsplit_once('/').unwrap_or((text, "tcp"))
}

/// The ports of `80` or `80-82`.
fn numbers(place: &str, text: &str) -> Result<Vec<u16>, ComposeError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
    match (port(first), port(last)) {
        (Some(first), Some(last)) if first <= last => Ok((first..=last).collect()),
        _ => Err(ComposeError::at(place, format!("{text:?} is no port"))),
    }
}
