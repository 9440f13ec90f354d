//! What is set for one process type, by a property or in app.json.

use std::net::TcpListener;

use crate::home::{Home, eventually, listening};

const PROCFILE: &str = "web: faultapp --tick 60\nworker: faultapp --tick 60\n";

fn deploy(source: &str) -> [&str; 7] {
    ["ps-lifecycle", "deploy", "shop", "--dir", source, "--scale", "worker=1"]
}

#[test]
fn a_setting_that_makes_no_sense_is_refused_with_its_place_before_anything_is_touched() {
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    home.does(&deploy(&source));
    let before = home.pids("shop");
    home.write("shop/app.json", r#"{"formation": {"web": {"quantity": 1, "stop_timeout_seconds": "soon"}}}"#);
    let says = ["formation.web.stop_timeout_seconds", "whole seconds", "\"soon\""];
    home.run(&deploy(&source)).is_refused(1, &says);
    home.write("shop/app.json", "{}");
    home.write("lib/config/ps/shop/web.stop-timeout-seconds", "soon");
    let says = ["web.stop-timeout-seconds", "use whole seconds", "ps-set shop web.stop-timeout-seconds"];
    home.run(&deploy(&source)).is_refused(1, &says);
    assert_eq!(home.pids("shop"), before);
    let refused = home.run(&["ps-set", "shop", "web.stop-timeout-second", "3"]);
    assert!(
        refused.status == Some(1) && refused.stderr.contains("did you mean stop-timeout-seconds?"),
        "{refused:?}"
    );
}

#[test]
fn a_converge_that_finds_nothing_to_do_brings_what_was_set_into_force_and_leaves_what_runs() {
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    home.does(&deploy(&source));
    let before = home.pids("shop");
    home.does(&["ps-set", "shop", "web.stop-timeout-seconds", "7"]);
    home.does(&["ps-set", "shop", "restart-policy", "always"]);
    home.does(&["ps-lifecycle", "converge", "shop"]);
    let spec =
        std::fs::read_to_string(home.path("lib/data/scheduler-native/shop/spec2.json")).expect("a spec");
    let spec: serde_json::Value = serde_json::from_str(&spec).expect("JSON");
    assert_eq!(spec["restart_policy"], "always");
    let processes = spec["processes"].as_array().expect("types");
    let web = processes.iter().find(|process| process["process_type"] == "web").expect("web");
    assert_eq!(web["settings"]["stop-timeout-seconds"], "7");
    assert_eq!(home.pids("shop"), before);
}

#[test]
fn a_property_of_the_type_wins_over_that_of_the_app_and_that_over_app_json() {
    let _listening = listening();
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    let app_json = r#"{"formation": {"web": {"restart_policy": "always", "stop_timeout_seconds": 7}}}"#;
    home.write("shop/app.json", app_json);
    home.does(&deploy(&source));
    let of = |process_type: usize, name: &str| {
        let spec =
            std::fs::read_to_string(home.path("lib/data/scheduler-native/shop/spec2.json")).expect("a spec");
        let spec: serde_json::Value = serde_json::from_str(&spec).expect("JSON");
        spec["processes"][process_type]["settings"][name].as_str().map(str::to_owned)
    };
    assert_eq!(of(0, "restart-policy").as_deref(), Some("always"));
    assert_eq!(of(1, "restart-policy"), None);
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound").port();
    for (property, value) in [
        ("restart-policy", "no"),
        ("worker.restart-policy", "on-failure:3"),
        ("worker.port", &*port.to_string()),
    ] {
        home.does(&["ps-set", "shop", property, value]);
    }
    home.does(&["ps-lifecycle", "restart", "shop"]);
    assert_eq!(of(0, "restart-policy"), None, "the app's property is the whole app's");
    assert_eq!(of(0, "stop-timeout-seconds").as_deref(), Some("7"));
    assert_eq!(of(1, "restart-policy").as_deref(), Some("on-failure:3"));
    assert_eq!(home.status("shop")[1]["port"], port);
}

#[test]
fn what_was_given_up_says_its_last_lines() {
    let home = Home::new();
    let source = home.source("shop", "worker: echo all is well; sleep 5; echo out of paper >&2; exit 3\n");
    home.write("shop/app.json", r#"{"formation": {"worker": {"quantity": 1, "restart_policy": "no"}}}"#);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    let row = eventually("it was given up", || {
        let row = home.status("shop").remove(0);
        if row["state"] == "crashed" { Ok(row) } else { Err(row.to_string()) }
    });
    assert_eq!(row["last_lines"], serde_json::json!(["all is well", "out of paper"]), "{row}");
}

#[test]
fn a_user_or_a_limit_that_cannot_be_had_is_refused_with_its_place_before_anything_is_touched() {
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    home.does(&deploy(&source));
    let before = home.pids("shop");
    for (property, value, says) in [
        ("web.user", "no-such-user", &["ps-set shop web.user: ", "has no user no-such-user"][..]),
        ("group", "no-such-group", &["ps-set shop group: ", "has no group no-such-group"]),
        ("web.user", "54321", &["ps-set shop web.user: ", "set its group too"]),
        ("web.limit-nofile", "99999999999", &["ps-set shop web.limit-nofile: "]),
    ] {
        home.does(&["ps-set", "shop", property, value]);
        home.run(&deploy(&source)).is_refused(1, says);
        home.does(&["ps-set", "shop", property]);
    }
    home.write("shop/app.json", r#"{"formation": {"worker": {"user": "no-such-user"}}}"#);
    home.run(&deploy(&source)).is_refused(1, &["app.json: formation.worker.user: ", "no-such-user"]);
    home.write("shop/app.json", r#"{"formation": {"release": {"user": "no-such-user"}}}"#);
    home.write("shop/Procfile", &format!("{PROCFILE}release: true\n"));
    home.run(&deploy(&source)).is_refused(1, &["app.json: formation.release.user: ", "no-such-user"]);
    assert_eq!(home.pids("shop"), before);
}

#[test]
fn the_release_command_has_the_user_and_the_limits_that_were_set_for_it() {
    let home = Home::new();
    let source = home
        .source("shop", "web: faultapp --tick 60\nrelease: echo it is $(id -u), $(umask), $(nice), $USER\n");
    home.write(
        "shop/app.json",
        r#"{"formation": {"release": {"user": "daemon", "umask": "077", "nice": 4}}}"#,
    );
    let deployed = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "web=0"]);
    let said = format!("{}{}", deployed.stdout, deployed.stderr);
    assert!(said.contains("it is 1, 0077, 4, daemon"), "{deployed:?}");
}

#[test]
fn what_only_a_container_can_have_is_named_as_without_effect_natively() {
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    home.write(
        "shop/app.json",
        r#"{"formation": {"web": {"quantity": 1, "networks": ["front"], "memory_max": "1g", "init": true}}}"#,
    );
    let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    for setting in ["web.networks", "web.init"] {
        let line = format!("{setting} has no effect natively: only a container can have it");
        assert!(ran.stderr.contains(&line), "{line}: {ran:?}");
    }
    assert!(!ran.stderr.contains("memory-max has no effect"), "{ran:?}");
    let ran = home.run(&["ps-set", "shop", "web.labels", "team=shop"]);
    let says = "web.labels has no effect while shop runs natively: only a container can have it";
    assert!(ran.status == Some(0) && ran.stderr.contains(says), "{ran:?}");
}
