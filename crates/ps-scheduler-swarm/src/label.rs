//! Names and labels of services and tasks. The labels decide which world, app and type a service belongs to; its
//! name is for people and for the name server of the swarm.

use formation::{AppName, ProcessType};
use serde_json::{Value, json};

/// The id of the world that made it ([`crate::world_id`]).
pub(crate) const WORLD: &str = "com.formation.world";
/// The app.
pub(crate) const APP: &str = "com.dokku.app-name";
pub(crate) const PROCESS_TYPE: &str = "com.dokku.process-type";
/// On a container of this machine: the root of the world that it is of, as docker-local has it.
pub(crate) const ROOT: &str = "com.formation.root";
/// On a service: how many deploys the app had had, this one included.
pub(crate) const RELEASE: &str = "com.formation.release";
/// On a service: the deploy that its instances are of, in the words of the witness ([`crate::committed`]).
pub(crate) const DEPLOY: &str = "com.formation.deploy";
/// On a service without instances because a person stopped them: how many there were.
pub(crate) const STOPPED: &str = "com.formation.stopped";
/// On a service whose update waited for a task of a node that was lost: that task.
pub(crate) const NUDGED: &str = "com.formation.nudged";
/// On a service: what it was made with ([`crate::made`]).
pub(crate) const MADE: &str = "com.formation.made";
/// On each container: what tells the instances of one deploy or restart from those of another.
pub(crate) const REVISION: &str = "com.formation.revision";
/// On a service that runs a task of a deploy to its end: which one.
pub(crate) const TASK: &str = "com.formation.task";
/// On a service that runs a one-off: what it is called, `run.4711`.
pub(crate) const ONE_OFF: &str = "com.formation.one-off";
/// On a one-off: the node on which a program waits for it, and that program.
pub(crate) const WAITS: &str = "com.formation.waits";
/// On a one-off: how many seconds after it was made it is to be gone.
pub(crate) const DEADLINE: &str = "com.dokku.active-deadline-seconds";

/// The longest name of a service.
const LONGEST: usize = 63;

/// The filter for everything that a world has made for an app, or for all apps.
pub(crate) fn filter(world: &str, app: Option<&AppName>) -> Vec<String> {
    let world = format!("{WORLD}={world}");
    std::iter::once(world).chain(app.map(|app| format!("{APP}={app}"))).collect()
}

/// The filter for the services of instances, and their tasks, of an app or of all apps. Those of other worlds come with them ([`is_of`]).
pub(crate) fn of_instances(app: Option<&AppName>) -> String {
    app.map_or_else(|| APP.to_owned(), |app| format!("{APP}={app}"))
}

/// Whether a service of this specification is of a world. If somebody has removed the label that says so, that of its containers does: otherwise
/// the service would be nobody's, and the next deploy would make another one beside it.
pub(crate) fn is_of(world: &str, spec: &Value) -> bool {
    let own = &spec["Labels"][WORLD];
    let said = if own.is_null() { &spec["TaskTemplate"]["ContainerSpec"]["Labels"][WORLD] } else { own };
    *said == *world
}

/// The labels of every service and container of a type.
pub(crate) fn labels(world: &str, app: &AppName, process_type: &ProcessType) -> Value {
    json!({ WORLD: world, APP: app.as_str(), PROCESS_TYPE: process_type.as_str() })
}

/// The names that a service may have, the better one first: `shop_web`, and `shop_web-1f2e3d4c` if that is taken by another
/// program, or is ambiguous because a character had to be removed.
pub(crate) fn names(world: &str, app: &AppName, process_type: &ProcessType) -> Vec<String> {
    let whole = format!("{app}_{process_type}");
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let spelt: String =
        whole.chars().map(|c| if is_legal(c as u8) && c.is_ascii() { c } else { '-' }).collect();
    let spelt = spelt.trim_matches(['-', '_']);
    let suffix = format!("-{:08x}", fold(&format!("{world} {whole}")) >> 32);
    let short: String = spelt.chars().take(LONGEST - suffix.len()).collect();
    let plain = (spelt == whole && whole.len() <= LONGEST).then_some(whole);
    plain.into_iter().chain([format!("{short}{suffix}")]).collect()
}

/// A number for a text, the same in each version of this program.
pub(crate) fn fold(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(world: &str, app: &str, process_type: &str) -> Vec<String> {
        names(world, &app.parse().expect("a name"), &process_type.parse().expect("a type"))
    }

    #[test]
    fn a_name_is_plain_where_it_can_be_and_each_world_has_one_of_its_own() {
        let (one, other) = (of("a", "shop", "web"), of("b", "shop", "web"));
        assert_eq!((one[0].as_str(), one.len()), ("shop_web", 2));
        assert_eq!(one[0], other[0]);
        assert_ne!(one[1], other[1]);
        assert!(one[1].starts_with("shop_web-") && one[1].len() == "shop_web-".len() + 8, "{one:?}");
    }

    #[test]
    fn a_service_that_has_lost_the_label_of_its_world_is_known_by_its_containers() {
        let of = |own: Value, containers: &str| {
            let container = json!({ "Labels": { WORLD: containers } });
            is_of("w", &json!({"Labels": own, "TaskTemplate": {"ContainerSpec": container}}))
        };
        assert!(of(json!({ WORLD: "w" }), "w") && of(json!({}), "w"));
        assert!(!of(json!({ WORLD: "v" }), "w") && !of(json!({}), "v"));
    }

    #[test]
    fn a_name_that_loses_characters_or_is_too_long_says_which_app_it_is_of_by_a_number() {
        let (dotted, dashed) = (of("a", "my.shop", "web"), of("a", "my-shop", "web"));
        assert_eq!((dotted.len(), dashed[0].as_str()), (1, "my-shop_web"));
        assert!(dotted[0].starts_with("my-shop_web-") && dotted[0] != dashed[1], "{dotted:?}");
        let long = of("a", &"x".repeat(60), "worker");
        assert_eq!((long.len(), long[0].len()), (1, 63));
    }
}
