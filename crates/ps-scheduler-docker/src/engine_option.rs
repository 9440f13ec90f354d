//! The fields of a container's description for the allowed `engine-options`.

use ps_engine::ContainerCreateBody;
use serde_json::{Map, Value, json};
use type_settings::{EngineOptions, Size, Switch};

/// The place of one option in a description.
pub(crate) struct Place {
    /// The name of the option.
    pub(crate) name: &'static str,
    /// The keys that lead to the value, as in the call that makes a container.
    pub(crate) keys: &'static [&'static str],
    write: fn(&[&str]) -> Value,
}

const fn place(name: &'static str, keys: &'static [&'static str], write: fn(&[&str]) -> Value) -> Place {
    Place { name, keys, write }
}

const HOST: &str = "HostConfig";

/// Every option that may be set, in the order of the names.
pub(crate) const PLACES: &[Place] = &[
    place("cap-add", &[HOST, "CapAdd"], |all| json!(all)),
    place("cap-drop", &[HOST, "CapDrop"], |all| json!(all)),
    place("cpu-shares", &[HOST, "CpuShares"], |all| {
        json!(all.first().and_then(|text| text.parse::<i64>().ok()))
    }),
    place("cpuset-cpus", &[HOST, "CpusetCpus"], first),
    place("device", &[HOST, "Devices"], devices),
    place("dns", &[HOST, "Dns"], |all| json!(all)),
    place("dns-option", &[HOST, "DnsOptions"], |all| json!(all)),
    place("dns-search", &[HOST, "DnsSearch"], |all| json!(all)),
    place("group-add", &[HOST, "GroupAdd"], |all| json!(all)),
    place("hostname", &["Hostname"], first),
    place("log-driver", &[HOST, "LogConfig", "Type"], first),
    place("log-opt", &[HOST, "LogConfig", "Config"], |all| pairs(all, '=')),
    place("memory-reservation", &[HOST, "MemoryReservation"], size),
    place("read-only", &[HOST, "ReadonlyRootfs"], |all| {
        json!(all.first().and_then(|text| text.parse::<Switch>().ok()).map(Switch::is_on))
    }),
    place("shm-size", &[HOST, "ShmSize"], size),
    place("sysctl", &[HOST, "Sysctls"], |all| pairs(all, '=')),
    place("tmpfs", &[HOST, "Tmpfs"], |all| pairs(all, ':')),
    place("user", &["User"], first),
    place("workdir", &["WorkingDir"], first),
];

/// Adds these options to a description.
pub(crate) fn add(options: &EngineOptions, body: ContainerCreateBody) -> ContainerCreateBody {
    let mut json = serde_json::to_value(body).expect("a description is JSON");
    for place in PLACES {
        let values = options.of(place.name);
        if !values.is_empty() {
            let node = place.keys.iter().fold(&mut json, |node, key| &mut node[*key]);
            *node = (place.write)(&values);
        }
    }
    serde_json::from_value(json).expect("each option has the kind of value of its place")
}

fn first(all: &[&str]) -> Value {
    json!(all.first())
}

fn size(all: &[&str]) -> Value {
    let size = all.first().and_then(|text| text.parse::<Size>().ok());
    json!(size.map(|size| i64::try_from(size.bytes()).unwrap_or(i64::MAX)))
}

fn pairs(all: &[&str], between: char) -> Value {
    let pair = |text: &&str| {
        let (name, value) = text.split_once(between).unwrap_or((text, ""));
        (name.to_owned(), json!(value))
    };
    Value::Object(all.iter().map(pair).collect::<Map<String, Value>>())
}

/// `/dev/fuse:/dev/fuse:rwm`: the path on the host, the path in the container, and the permissions.
fn devices(all: &[&str]) -> Value {
    let device = |text: &&str| {
        let mut parts = text.splitn(3, ':');
        let host = parts.next().unwrap_or_default();
        let (inside, rights) = (parts.next().unwrap_or(host), parts.next().unwrap_or("rwm"));
        json!({ "PathOnHost": host, "PathInContainer": inside, "CgroupPermissions": rights })
    };
    all.iter().map(device).collect()
}

#[cfg(test)]
mod tests {
    use type_settings::{Setting, TypeSettings};

    use super::*;

    #[test]
    fn each_option_that_is_allowed_gets_to_its_place() {
        let setting = Setting::named("engine-options").expect("a setting");
        let refused = setting.fault("none=1").expect("no option");
        let (_, names) = refused.split_once("use one of ").expect("it names them");
        let places: Vec<&str> = PLACES.iter().map(|place| place.name).collect();
        assert_eq!(names.split(", ").collect::<Vec<_>>(), places);
        let values = [
            "NET_ADMIN",
            "ALL",
            "512",
            "0",
            "/dev/null:/dev/zip:r",
            "10.0.0.1",
            "ndots:2",
            "lan",
            "audio",
            "shop",
            "local",
            "max-size=1m",
            "64m",
            "yes",
            "32m",
            "net.core.somaxconn=9",
            "/run:size=1m",
            "app:app",
            "/srv",
        ];
        let text: Vec<String> =
            places.iter().zip(values).map(|(name, value)| format!("{name}={value}")).collect();
        let mut settings = TypeSettings::default();
        assert!(setting.take(&text.join(","), &mut settings), "{:?}", setting.fault(&text.join(",")));
        let options = settings.engine_options.expect("options");
        let body = serde_json::to_value(add(&options, ContainerCreateBody::default())).expect("JSON");
        let meant = json!({
            "Hostname": "shop", "User": "app:app", "WorkingDir": "/srv",
            "HostConfig": {
                "CapAdd": ["NET_ADMIN"], "CapDrop": ["ALL"], "CpuShares": 512, "CpusetCpus": "0", "Dns": ["10.0.0.1"],
                "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/zip", "CgroupPermissions": "r"}],
                "DnsOptions": ["ndots:2"], "DnsSearch": ["lan"], "GroupAdd": ["audio"],
                "LogConfig": {"Type": "local", "Config": {"max-size": "1m"}}, "MemoryReservation": 64 << 20,
                "ReadonlyRootfs": true, "ShmSize": 32 << 20, "Sysctls": {"net.core.somaxconn": "9"},
                "Tmpfs": {"/run": "size=1m"},
            },
        });
        assert_eq!(body, meant);
    }
}
