//! Calls that only what is set for a type makes: about networks that are joined, and about the engine's CPUs.

use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::between::{Between, Failure, Fate};
use super::verbs::{ENGINE, IMAGE, has_engine};
use crate::engine::{inspect, name};
use crate::home::Home;
use crate::program;
use crate::registry::docker;

/// Networks that go with the test.
struct Networks([String; 2]);

impl Drop for Networks {
    fn drop(&mut self) {
        for network in &self.0 {
            let _ = std::process::Command::new("docker").args(["network", "rm", network]).output();
        }
    }
}

fn ids(inspected: &Value) -> Vec<Value> {
    inspected.as_array().into_iter().flatten().map(|one| one["Id"].clone()).collect()
}

#[test]
fn a_container_that_cannot_join_a_network_is_not_started_and_what_ran_runs_on() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::as_installed(), name("joined"));
    let networks = Networks([name("joined-a"), name("joined-b")]);
    networks.0.iter().for_each(|network| drop(docker(&["network", "create", network])));
    home.does(&["ps-lifecycle", "deploy", &app, "--image", IMAGE, "--scale", "web=2"]);
    home.does(&["ps-set", &app, "networks", &networks.0.join(",")]);
    home.does(&["ps-set", &app, "cpu-max", "0.5"]);
    let restart = ["ps-lifecycle", "restart", &app];
    home.does(&restart);
    let before = ids(&inspect(&home, &app));
    for (kind, said) in [
        ("POST networks/*/connect", "join a network"),
        ("GET networks/*", "describe a network"),
        ("GET info", "describe the engine"),
    ] {
        for failure in [Failure::HangsUp, Failure::Answers(409), Failure::Answers(500)] {
            let asked = Arc::new(Mutex::new(0));
            let count = Arc::clone(&asked);
            let rule = move |other: &str| {
                if other != kind {
                    return Fate::Passes;
                }
                *count.lock().expect("nobody panics") += 1;
                Fate::Fails(failure)
            };
            let between = Between::new(home.path("between.sock"), Path::new(ENGINE), Box::new(rule));
            let mut command = home.command(&restart);
            command.env("DOCKER_HOST", between.host());
            let ran = program::run(command);
            assert!(*asked.lock().expect("nobody panics") > 0, "{kind} was not asked: {ran:?}");
            assert!(ran.status == Some(1) && ran.stderr.contains(said), "{kind}: {ran:?}");
            drop(between);
            assert_eq!(ids(&inspect(&home, &app)), before, "{kind}: what ran runs on");
        }
    }
    home.does(&restart);
    let now = inspect(&home, &app);
    assert!(ids(&now).iter().all(|id| !before.contains(id)));
    for one in now.as_array().expect("containers") {
        let joined = one["NetworkSettings"]["Networks"].as_object().expect("networks");
        assert!(networks.0.iter().all(|network| joined.contains_key(network)), "{joined:?}");
    }
    assert_eq!(crate::engine::containers(&app, "{{.State}}"), ["running", "running"]);
    home.does(&["ps-lifecycle", "destroy", &app]);
}
