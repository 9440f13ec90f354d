//! A deploy that fails leaves what ran, and is explained itself.

use serde_json::Value;

use crate::home::{Home, listening};
use crate::world::{is_explained, lacks};

/// A `shop` that runs, and whose next deploy, from this Procfile and app.json, fails.
fn after_a_failed_deploy(procfile: &str, app_json: &str, cause: &str) -> (Home, Value) {
    // Two worlds that look for a free port at once could choose the same.
    let _held = listening();
    let home = Home::as_installed();
    let source = home.source("shop", "web: exec sleep 600\n");
    home.write("shop/app.json", r#"{"formation": {"web": {"ready": "alive"}}}"#);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    home.source("shop", procfile);
    home.write("shop/app.json", app_json);
    let ran = home.run(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert_eq!(home.states("shop")["web.1"], "running", "what ran before runs on");
    let row = is_explained(&home, &["shop"], cause);
    (home, row)
}

const READY: &str = r#"{"formation": {"web": {"start_timeout": "1s"}}}"#;

#[test]
fn a_new_release_that_does_not_listen() {
    let (_, row) = after_a_failed_deploy("web: exec sleep 601\n", READY, "not-listening");
    assert!(row["situation"].as_str().is_some_and(|says| says.contains("deploy")), "{row:#}");
}

#[test]
fn a_new_release_that_listens_on_another_port() {
    if !lacks("python3") {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|free| free.local_addr())
            .expect("a port")
            .port();
        let procfile = format!("web: exec python3 -m http.server {port} --bind 127.0.0.1\n");
        let app_json = READY.replace("1s", "5s");
        after_a_failed_deploy(&procfile, &app_json, "wrong-port");
    }
}

#[test]
fn a_new_release_that_is_too_slow() {
    let app_json = r#"{"formation": {"web": {"ready": "notify", "start_timeout": "1s"}}}"#;
    after_a_failed_deploy("web: exec sleep 601\n", app_json, "slow-start");
}

#[test]
fn a_check_that_is_answered_with_404() {
    if !lacks("python3") {
        let app_json = r#"{"healthchecks": {"web": [{"type": "startup", "name": "up", "path": "/none", "attempts": 10, "wait": 1}]}}"#;
        let procfile = "web: exec python3 -m http.server $PORT --bind 127.0.0.1\n";
        let (_, row) = after_a_failed_deploy(procfile, app_json, "check-failed");
        assert!(row["reasons"][0]["says"].as_str().is_some_and(|says| says.contains("404")), "{row:#}");
    }
}

#[test]
fn a_new_release_that_ends_at_once() {
    let (home, row) = after_a_failed_deploy("web: echo no luck >&2; exit 7\n", READY, "exit-status");
    assert!(row["reasons"][0]["says"].as_str().is_some_and(|says| says.contains("exit status 7")), "{row:#}");
    home.source("shop", "web: exec sleep 602\n");
    home.write("shop/app.json", r#"{"formation": {"web": {"ready": "alive"}}}"#);
    let source = home.path("shop");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", source.to_str().expect("text")]);
    is_explained(&home, &["shop"], "healthy");
}

#[test]
fn a_release_task_that_fails() {
    after_a_failed_deploy("web: exec sleep 601\nrelease: exit 3\n", READY, "release-failed");
}

#[test]
fn an_app_json_that_cannot_be_read() {
    after_a_failed_deploy("web: exec sleep 601\n", "{", "bad-config");
}

#[test]
fn a_procfile_that_cannot_be_read() {
    after_a_failed_deploy("web exec sleep 601\n", READY, "bad-config");
}
