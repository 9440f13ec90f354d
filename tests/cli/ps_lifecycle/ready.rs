//! When an instance is ready where nothing is set: `web` once it listens, any other type once it has lived for a second.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use crate::home::{Home, listening};

const LISTENS: &str = "web: exec faultapp --listen\nworker: exec sleep 1000\n";

#[test]
fn a_web_that_does_not_listen_fails_its_deploy_and_what_ran_runs_on() {
    let _listening = listening();
    let home = Home::as_installed();
    let source = home.source("shop", LISTENS);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "web=2", "worker=1"]);
    let (before, settings) = (home.pids("shop"), home.settings());
    let mute = home.source("mute", "web: exec sleep 1000\nworker: exec sleep 1000\n");
    home.does(&["ps-set", "shop", "web.start-timeout-seconds", "1"]);
    let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &mute]);
    let says = [
        "web.1",
        "runs but nobody listens on its port ",
        "(PORT) after 1 s; if web does not listen, `ps-set shop web.ready alive`",
    ];
    ran.is_refused(1, &says);
    assert_eq!(home.pids("shop"), before);
    home.does(&["ps-set", "shop", "web.start-timeout-seconds"]);
    crate::home::assert_same(&settings, &home.settings());
    home.does(&["ps-set", "shop", "web.ready", "alive"]);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &mute]);
    assert_eq!(home.pids("shop").len(), 3);
}

#[test]
fn a_first_deploy_that_fails_says_what_helps_although_the_app_is_gone() {
    let home = Home::as_installed();
    let source = home.source("mute", "web: exec sleep 1000\n");
    let app_json =
        |web: &str| home.write("mute/app.json", &format!("{{\"formation\": {{\"web\": {{{web}}}}}}}"));
    app_json("\"start_timeout_seconds\": 1");
    let deploy = ["ps-lifecycle", "deploy", "mute", "--dir", &source];
    home.refuses(&deploy, 1, &["if web does not listen, set formation.web.ready to \"alive\" in app.json"]);
    app_json("\"ready\": \"alive\"");
    home.does(&deploy);
    assert_eq!(home.pids("mute").len(), 1);
}

#[test]
fn an_app_keeps_the_rule_of_its_last_deploy_until_the_next_one() {
    let home = Home::as_installed();
    let source = home.source("shop", "web: exec sleep 1000\n");
    home.write("shop/app.json", r#"{"formation": {"web": {"ready": "alive"}}}"#);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    home.power_cut();
    // An earlier version, which waited for no port, has written this spec.
    let path = home.path("lib/data/scheduler-native/shop/spec2.json");
    let spec = fs::read_to_string(&path).expect("a spec");
    let mut spec: serde_json::Value = serde_json::from_str(&spec).expect("JSON");
    let web = spec["processes"][0].as_object_mut().expect("web");
    assert_eq!(web.remove("settings"), Some(serde_json::json!({"ready": "alive"})));
    fs::write(&path, spec.to_string()).expect("written");
    let recorded = home.path("lib/data/app-json/shop/app.json");
    assert!(recorded.is_file(), "{}", recorded.display());
    fs::write(recorded, "{}").expect("written");
    for verb in ["restore", "restart", "converge"] {
        home.does(&["ps-lifecycle", verb, "shop"]);
        assert_eq!(home.pids("shop").len(), 1, "{verb}");
    }
    home.does(&["ps-set", "shop", "web.start-timeout-seconds", "1"]);
    home.write("shop/app.json", "{}");
    home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source])
        .is_refused(1, &["web.1 of shop runs but", "if web does not listen"]);
}

#[test]
fn a_port_that_is_taken_while_web_starts_is_not_mistaken_for_its_own() {
    let _listening = listening();
    let home = Home::as_installed();
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let source = home.source("shop", "web: exec sleep 1000\n");
    let app_json = format!(r#"{{"formation": {{"web": {{"port": {port}, "start_timeout_seconds": 3}}}}}}"#);
    home.write("shop/app.json", &app_json);
    let deploy = home.start(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    crate::home::eventually("it has begun", || {
        let is_begun = home.processes().iter().any(|(_, words)| words.starts_with("sleep 1000"));
        if is_begun { Ok(()) } else { Err(format!("{:?}", home.processes())) }
    });
    let _stranger = TcpListener::bind(("127.0.0.1", port)).expect("it is free");
    let ran = deploy.ended();
    let who = format!("(pid {}) and by none of its own processes", std::process::id());
    ran.is_refused(1, &[&format!("its port {port} (PORT) is listened on by"), &who]);
}

#[test]
fn a_check_by_https_is_made_of_each_new_instance_and_a_release_that_speaks_plain_http_fails_it() {
    let _listening = listening();
    let home = Home::as_installed();
    let source = home.source("shop", "web: exec faultapp --listen --tls\n");
    let check = r#"{"type": "startup", "scheme": "https", "path": "/health", "content": "ok", "attempts": 2, "wait": 1}"#;
    home.write("shop/app.json", &format!(r#"{{"healthchecks": {{"web": [{check}]}}}}"#));
    let deploy = ["ps-lifecycle", "deploy", "shop", "--dir", &source];
    let ran = home.run(&deploy);
    assert!(ran.status == Some(0) && !ran.stderr.contains("not heeded"), "{ran:?}");
    let before = home.pids("shop");
    home.write("shop/Procfile", "web: exec faultapp --listen\n");
    let says =
        ["did not answer GET /health by https with 2xx and \"ok\"", "leave out the scheme of the check"];
    home.run(&deploy).is_refused(1, &says);
    assert_eq!(home.pids("shop"), before);
    home.does(&["ps-lifecycle", "restart", "shop"]);
    home.write(
        "shop/app.json",
        &format!(r#"{{"healthchecks": {{"web": [{}]}}}}"#, check.replace("https", "gopher")),
    );
    home.write("shop/Procfile", "web: exec faultapp --listen --tls\n");
    let ran = home.run(&deploy);
    assert!(
        ran.status == Some(0) && ran.stderr.contains("only checks by http and https are made"),
        "{ran:?}"
    );
}

#[test]
fn an_instance_that_asks_for_more_time_while_it_starts_gets_it_in_a_deploy_too() {
    if !Path::new("/usr/bin/systemd-notify").exists() {
        skipped::skip("systemd-notify is not installed");
        return;
    }
    let home = Home::as_installed();
    let source = home.source("slow", "job: exec sh ./slow\n");
    // The deadline is 2 s, and the rollout waits for 2 s more.
    home.write(
        "slow/app.json",
        r#"{"formation": {"job": {"quantity": 1, "ready": "notify", "start_timeout_seconds": 2}}}"#,
    );
    home.write(
        "slow/slow",
        "for step in 1 2 3 4 5 6; do systemd-notify EXTEND_TIMEOUT_USEC=60000000; sleep 1; done\nsystemd-notify --ready\nexec sleep 1000\n",
    );
    home.does(&["ps-lifecycle", "deploy", "slow", "--dir", &source]);
    assert_eq!(home.pids("slow").len(), 1);
}
