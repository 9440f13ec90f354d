//! `deploy --image`: pulled from a registry, recorded by its digest, and its files.

use std::process::Command;

use serde_json::Value;

use crate::engine::{IMAGE, containers, has_engine, inspect, name};
use crate::home::{Home, table};
use crate::registry::{PASSWORD, Registry, docker};

/// What is recorded of the source.
fn record(home: &Home, app: &str) -> Value {
    let path = home.path("lib/data/formation").join(app).join("source.json");
    serde_json::from_slice(&std::fs::read(path).expect("it is recorded")).expect("JSON")
}

fn dockerfile(number: u32) -> String {
    let unique = std::process::id();
    format!("FROM {IMAGE}\nENV NUMBER={number} UNIQUE={unique}\nCMD [\"sleep\", \"1000\"]\n")
}

#[test]
fn an_image_is_pulled_when_it_is_missing_and_recorded_by_its_digest() {
    if !has_engine() {
        return;
    }
    let Some(registry) = Registry::start(false) else { return };
    let (home, app) = (Home::new(), name("pulled"));
    let image = format!("{}/pulled:1", registry.host);
    let first = registry.keep("pulled:1", &dockerfile(1));
    let refused = home.refuses(
        &["ps-lifecycle", "deploy", &app, "--image", &image, "--pull", "never"],
        1,
        &[&image, "--pull never"],
    );
    assert!(!refused.stderr.contains("Pulling"), "{refused:?}");
    let told = home.run(&["ps-lifecycle", "deploy", &app, "--image", &image]).stderr;
    assert!(told.contains(&format!("Pulling {image}")), "{told}");
    assert_eq!(record(&home, &app)["image"], first.as_str());
    assert_eq!(inspect(&home, &app)[0]["Config"]["Image"], first.as_str());

    // The name means another image now. It is followed where that is asked for, and a rebuild is of the recorded one.
    let second = registry.keep("pulled:1", &dockerfile(2));
    assert_ne!(first, second);
    home.does(&["ps-lifecycle", "rebuild", &app]);
    assert_eq!(inspect(&home, &app)[0]["Config"]["Image"], first.as_str());
    home.does(&["ps-lifecycle", "restart", &app]);
    assert_eq!(inspect(&home, &app)[0]["Config"]["Image"], first.as_str());
    home.does(&["ps-lifecycle", "deploy", &app, "--image", &image, "--pull", "always"]);
    assert_eq!(inspect(&home, &app)[0]["Config"]["Image"], second.as_str());
    let environment = inspect(&home, &app)[0]["Config"]["Env"].to_string();
    assert!(environment.contains("NUMBER=2"), "{environment}");
    home.does(&["ps-lifecycle", "destroy", &app]);
    docker(&["image", "rm", &first, &second]);
}

/// A config.json that has no login itself: a program keeps it.
pub(crate) fn keeper(home: &Home, registry: &Registry) -> String {
    let answer = format!(r#"{{"ServerURL": "", "Username": "ann", "Secret": "{PASSWORD}"}}"#);
    let script = format!(
        "#!/bin/sh\nread server\n[ \"$1 $server\" = \"get {}\" ] && echo '{answer}'\n",
        registry.host
    );
    home.install(&home.path("programs/docker-credential-formation-test"), &script);
    format!(r#"{{"credHelpers": {{"{}": "formation-test"}}}}"#, registry.host)
}

#[test]
fn credentials_of_docker_login_are_used_and_never_shown() {
    if !has_engine() {
        return;
    }
    let Some(registry) = Registry::start(true) else { return };
    let (home, app) = (Home::new(), name("private"));
    let image = format!("{}/private:1", registry.host);
    registry.keep("private:1", &dockerfile(3));
    let deploy = ["ps-lifecycle", "deploy", &app, "--image", &image];
    let said = format!("docker login {}", registry.host);
    home.refuses(&deploy, 1, &[&image, &said]);
    home.write(".docker/config.json", "{");
    let ran = home.refuses(&deploy, 1, &[&said]);
    assert!(ran.stderr.contains("config.json is not read"), "{ran:?}");
    let wrong =
        format!(r#"{{"auths": {{"{}": {{"username": "ann", "password": "guess"}}}}}}"#, registry.host);
    home.write(".docker/config.json", &wrong);
    let ran = home.refuses(&deploy, 1, &[&format!("{} refuses the login in", registry.host), &said]);
    assert!(!format!("{ran:?}").contains("guess"), "{ran:?}");
    home.write(".docker/config.json", r#"{"auths": {}, "credsStore": "formation-test-nowhere"}"#);
    home.refuses(&deploy, 1, &["docker-credential-formation-test-nowhere is not in PATH", &said]);
    for login in [registry.login(), keeper(&home, &registry)] {
        home.write(".docker/config.json", &login);
        let ran = home.run(&deploy);
        assert_eq!(ran.status, Some(0), "{login}: {ran:?}");
        assert!(!format!("{ran:?}").contains(PASSWORD) && !format!("{ran:?}").contains("YW5uOn"), "{ran:?}");
        home.does(&["ps-lifecycle", "destroy", &app]);
        // With its only name, its digest goes too.
        docker(&["image", "rm", &image]);
    }
}

#[test]
fn what_cannot_be_pulled_is_named_and_what_runs_is_left_alone() {
    if !has_engine() {
        return;
    }
    let Some(registry) = Registry::start(false) else { return };
    let (home, app) = (Home::new(), name("kept"));
    home.does(&["ps-lifecycle", "deploy", &app, "--image", IMAGE]);
    let before = containers(&app, "{{.ID}}");
    let unknown = format!("{}/nothing:7", registry.host);
    home.refuses(
        &["ps-lifecycle", "deploy", &app, "--image", &unknown],
        1,
        &[&unknown, "check the name and the tag"],
    );
    drop(registry);
    let silent = unknown;
    home.refuses(
        &["ps-lifecycle", "deploy", &app, "--image", &silent, "--pull", "always"],
        1,
        &[&silent, "make sure that the registry"],
    );
    home.refuses(&["ps-lifecycle", "deploy", &app, "--image", "Not/A/Name"], 1, &["Not/A/Name"]);
    assert_eq!(containers(&app, "{{.ID}}"), before);
    let gone = format!("sha256:{}", "0".repeat(64));
    home.refuses(
        &["ps-lifecycle", "deploy", &app, "--image", &gone],
        1,
        &["no registry knows an image by its id"],
    );
}

#[test]
fn an_image_that_runs_is_recorded_by_its_id_where_no_registry_has_it() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("local"));
    home.does(&["ps-lifecycle", "deploy", &app, "--image", IMAGE]);
    let id = docker(&["image", "inspect", "--format", "{{.Id}}", IMAGE]);
    assert_eq!(record(&home, &app)["image"], id.trim());
    assert_eq!(containers(&app, "{{.Image}}").len(), 1);
}

/// The files of an image where its processes start, and those that properties name.
#[test]
fn an_image_brings_its_procfile_its_app_json_and_its_counts() {
    if !has_engine() {
        return;
    }
    let (home, app) = (Home::new(), name("whole"));
    let tag = format!("formation-test/{app}:1");
    let context = home.path("context");
    home.write("context/Dockerfile", &format!("FROM {IMAGE}\nWORKDIR /srv\nCOPY . .\n"));
    home.write("context/Procfile", "web: sleep 1001\nworker: sleep 1002\n");
    home.write("context/DOKKU_SCALE", "web=1\nworker=2\n");
    home.write("context/deploy/Procfile", "other: sleep 1003\n");
    home.write("context/deploy/app.json", r#"{"formation": {"other": {"quantity": 1}}}"#);
    docker(&["build", "-q", "-t", &tag, context.to_str().expect("text")]);
    home.does(&["ps-lifecycle", "deploy", &app, "--image", &tag]);
    let all = table(&[("web.1", "running"), ("worker.1", "running"), ("worker.2", "running")]);
    assert_eq!(home.states(&app), all);
    let command = |index: usize| inspect(&home, &app)[index]["Config"]["Cmd"].to_string();
    assert!((0..3).any(|index| command(index).contains("sleep 1002")));
    assert_eq!(home.run(&["ps-scale", &app, "nobody=1"]).status, Some(1));
    home.does(&["ps-lifecycle", "restart", &app]);
    assert_eq!(home.states(&app), all, "the recorded Procfile is run again");

    home.does(&["ps-set", &app, "procfile-path", "deploy/Nothing"]);
    home.refuses(&["ps-lifecycle", "deploy", &app, "--image", &tag], 1, &["deploy/Nothing", "procfile-path"]);
    home.does(&["ps-set", &app, "procfile-path", "/srv/deploy/Procfile"]);
    home.write(&format!("lib/config/app-json/{app}/appjson-path"), "deploy/app.json");
    home.does(&["ps-lifecycle", "deploy", &app, "--image", &tag]);
    assert_eq!(home.states(&app), table(&[("other.1", "running")]));
    let reading = |name: &String| name.contains(".reading-");
    assert!(!containers(&app, "{{.Names}}").iter().any(reading));
    home.does(&["ps-lifecycle", "destroy", &app]);
    let removed = Command::new("docker").args(["image", "rm", &tag]).output().expect("docker runs");
    assert!(removed.status.success());
}
