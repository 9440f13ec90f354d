//! Orders: restart, stop and scale, and who has given them.

use serde_json::json;

use crate::home::{Home, eventually};
use crate::served::{Served, shop};

const JSON: &str = "Content-Type: application/json";

fn asked_by(home: &Home, verb: &str) -> Vec<String> {
    let rows = home.run(&["ps-lifecycle", "events", "shop", "--json"]).rows();
    let asked = rows.iter().filter(|row| row["event"] == "asked" && row["verb"] == verb);
    asked.map(|row| row["on_behalf_of"].as_str().unwrap_or("nobody").to_owned()).collect()
}

#[test]
fn orders_are_carried_out_and_the_journal_says_for_whom() {
    let home = shop();
    let served = Served::socket(&home, &["--allow-writes"]);
    let before = home.pids("shop");
    let restarted = served.asks("POST", "/api/apps/shop/restart", &[JSON], r#"{"process":"web.1"}"#);
    assert_eq!((restarted.status, &restarted.json()["exit_status"]), (200, &json!(0)), "{restarted:?}");
    let after = home.pids("shop");
    assert!(before["web.1"] != after["web.1"] && before["web.2"] == after["web.2"], "{before:?} {after:?}");
    let scaled = served.asks("POST", "/api/apps/shop/scale", &[JSON], r#"{"web":3,"worker":0}"#);
    assert_eq!(scaled.status, 200, "{scaled:?}");
    assert_eq!(home.pids("shop").into_keys().collect::<Vec<_>>(), ["web.1", "web.2", "web.3"]);
    assert_eq!(served.asks("POST", "/api/apps/shop/stop", &[JSON], "{}").status, 200);
    eventually("it stops", || {
        let pids = home.pids("shop");
        if pids.is_empty() { Ok(()) } else { Err(format!("{pids:?}")) }
    });
    for verb in ["restart", "scale", "stop"] {
        let asked = asked_by(&home, verb);
        assert!(asked.len() == 1 && asked[0].ends_with(" by ps-web"), "{verb}: {asked:?}");
    }
}

#[test]
fn by_an_address_the_journal_has_where_the_order_came_from() {
    let home = shop();
    let served = Served::address(&home, &["--allow-writes"]);
    let token = format!("Authorization: Bearer {}", crate::served::TOKEN);
    let restarted = served.asks("POST", "/api/apps/shop/restart", &[JSON, &token], r#"{"process":"web.1"}"#);
    assert_eq!(restarted.status, 200, "{restarted:?}");
    assert_eq!(asked_by(&home, "restart"), ["127.0.0.1 by ps-web"]);
}

#[test]
fn what_is_no_order_changes_nothing() {
    let home = shop();
    let before = home.state();
    let served = Served::socket(&home, &["--allow-writes"]);
    for (path, lines, body, status) in [
        ("/api/apps/shop/restart", &[JSON][..], r#"{"process":"--all"}"#, 400),
        // A type may be called so; here it would be taken for an option.
        ("/api/apps/shop/stop", &[JSON], r#"{"process":"--quiet"}"#, 400),
        ("/api/apps/shop/scale", &[JSON], r#"{"--wait":1,"web":2}"#, 400),
        ("/api/apps/shop/restart", &[JSON], r#"{"proces":"web.1"}"#, 400),
        ("/api/apps/shop/restart", &[JSON], "", 400),
        ("/api/apps/other/restart", &[JSON], "{}", 404),
        ("/api/apps/shop/scale", &[JSON], r#"{"web":-1}"#, 400),
        ("/api/apps/shop/scale", &[JSON], r#"{"web":4294967295}"#, 400),
        ("/api/apps/shop/scale", &[JSON], r#"{"--help":1}"#, 400),
        ("/api/apps/shop/scale", &[JSON], "{}", 400),
        ("/api/apps/shop/stop", &["Content-Type: text/plain"], "{}", 415),
        ("/api/apps/shop/stop", &[JSON, "Origin: http://evil.example"], "{}", 403),
        ("/api/apps/shop/stop", &[JSON, "Sec-Fetch-Site: cross-site"], "{}", 403),
        ("/api/apps/shop/stop", &[JSON, "Host: evil.example"], "{}", 421),
        ("/api/apps/shop/destroy", &[JSON], "{}", 404),
        ("/api/status", &[JSON], "{}", 405),
    ] {
        let answer = served.asks("POST", path, lines, body);
        assert_eq!(answer.status, status, "{path} {body}: {answer:?}");
    }
    let formless = served.asks("POST", "/api/apps/shop/scale", &[JSON], r#"{"web":-1}"#).body;
    assert!(formless.contains(r#"a JSON object such as {\"web\": 2}: web: invalid value"#), "{formless}");
    let large = format!(r#"{{"process":"{}"}}"#, "x".repeat(1 << 20));
    assert_eq!(served.sends(format!("POST /api/apps/shop/stop HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{JSON}\r\nContent-Length: {}\r\n\r\n{large}", large.len()).as_bytes()).map(|answer| answer.status), Some(413));
    assert_eq!(served.asks("GET", "/api/apps/shop/stop", &[], "").status, 405);
    drop(served);
    home.is_as(&before);
    let served = Served::socket(&home, &[]);
    let refused = served.asks("POST", "/api/apps/shop/stop", &[JSON], "{}");
    assert!(refused.status == 403 && refused.body.contains("--allow-writes"), "{refused:?}");
}
