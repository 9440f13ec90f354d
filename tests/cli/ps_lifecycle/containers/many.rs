//! Very many containers: one request answers for all of them.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::between::{Between, Fate};
use crate::home::Home;
use crate::program;

const APPS: usize = 50;
const EACH: usize = 4;

/// What an engine lists of one container, whose record is written.
fn container(home: &Home, app: &str, nth: usize) -> Value {
    let (slot, id) = (format!("web.{nth}"), format!("{nth}{}", app.trim_start_matches("app-")));
    let id = format!("{id:0>64}");
    home.write(&format!("home/{app}/CONTAINER.{slot}"), &id);
    home.write(&format!("home/{app}/IP.{slot}"), "172.17.0.9");
    home.write(&format!("home/{app}/PORT.{slot}"), "5000");
    json!({
        "Id": id, "Names": [format!("/{app}.{slot}")], "Image": "app", "ImageID": "sha256:0",
        "State": "running", "Status": "Up 2 minutes", "Created": 1,
        "Labels": {"com.dokku.app-name": app, "com.dokku.container-type": "deploy", "com.dokku.dyno": slot},
    })
}

#[test]
fn the_status_and_the_report_of_two_hundred_containers_are_one_request_each() {
    let home = Home::new();
    let mut containers = Vec::new();
    for app in (0..APPS).map(|nth| format!("app-{nth}")) {
        home.write(&format!("lib/config/scheduler/{app}/selected"), "docker-local");
        home.write(&format!("lib/config/common/{app}/deployed"), "true");
        home.write(&format!("lib/config/ps/{app}/scale"), &format!("web={EACH}\n"));
        containers.extend((1..=EACH).map(|nth| container(&home, &app, nth)));
    }
    let (list, asked) = (Value::from(containers).to_string(), Arc::new(Mutex::new(Vec::new())));
    let noted = Arc::clone(&asked);
    let rule = move |kind: &str| {
        noted.lock().expect("nobody panics").push(kind.to_owned());
        Fate::IsToldThis(list.clone())
    };
    let between = Between::new(home.path("engine.sock"), Path::new("/nowhere"), Box::new(rule));
    let verbs: [(&[&str], usize); 2] =
        [(&["ps-lifecycle", "status", "--all", "--json"], APPS * EACH), (&["ps-report", "--json"], APPS)];
    for (words, count) in verbs {
        let mut command = home.command(words);
        command.env("DOCKER_HOST", between.host());
        let ran = program::run(command);
        assert_eq!(ran.status, Some(0), "{words:?}: {ran:?}");
        let rows = ran.rows();
        let is_up = |row: &&Value| row["state"] == "running" || row["running"] == "true";
        assert_eq!(rows.iter().filter(is_up).count(), count, "{words:?}: {}", ran.stdout);
        let asked = std::mem::take(&mut *asked.lock().expect("nobody panics"));
        assert_eq!(asked, ["GET containers/json"], "{words:?}");
    }
    // No engine has anything of them that would have to end.
    for root in ["home", "lib"] {
        fs::remove_dir_all(home.path(root)).expect("it is there");
    }
}
