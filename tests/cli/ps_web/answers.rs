//! What is answered: the rows of the programs, the page, pm2's shape, and the description of it all.

use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::home::{Home, eventually};
use crate::schema;
use crate::served::{Served, shop};

fn schema(text: &str) -> Value {
    serde_json::from_str(text).expect("a schema")
}

/// Without what changes from one look to the next.
fn lasting(mut row: Value) -> Value {
    for key in ["cpu_percent", "cpu_seconds", "memory_bytes"] {
        row.as_object_mut().expect("an object").remove(key);
    }
    row
}

#[test]
fn the_rows_are_those_of_status() {
    let home = shop();
    let served = Served::socket(&home, &[]);
    let answer = served.gets("/api/status").json();
    let rows: Vec<Value> = answer["rows"].as_array().expect("rows").clone();
    let schema = schema(include_str!("../../../docs/schemas/ps-lifecycle-status.json"));
    for row in &rows {
        assert_eq!(schema::complaints(&schema, row), [""; 0], "{row}");
    }
    let wanted: Vec<Value> = home.status("shop").into_iter().map(lasting).collect();
    assert_eq!(rows.into_iter().map(lasting).collect::<Vec<_>>(), wanted);
    assert_eq!(answer["silent"], json!([]));
    assert_eq!(served.gets("/api/status?app=other").json()["rows"], json!([]));
}

#[test]
fn the_page_is_a_table_without_its_script() {
    let home = shop();
    let served = Served::socket(&home, &[]);
    let page = served.gets("/");
    assert!(page.head.contains("content-security-policy: default-src 'none'"), "{page:?}");
    for text in ["<h2>shop", ">web.1</button>", ">web.2</button>", ">worker.1</button>", "running"] {
        assert!(page.body.contains(text), "{text}: {page:?}");
    }
    for (path, kind) in
        [("/page.css", "text/css"), ("/page.js", "text/javascript"), ("/icon.svg", "image/svg+xml")]
    {
        assert!(served.gets(path).head.contains(&format!("content-type: {kind}")), "{path}");
        assert!(page.body.contains(path), "{path}");
    }
}

#[test]
fn output_journal_and_explanation_are_those_of_their_programs() {
    let home = shop();
    let served = Served::socket(&home, &[]);
    let lines = served.gets("/api/apps/shop/logs?process=web.1").json();
    assert_eq!(lines["rows"][0]["line"], "<script>alert(1)</script>", "{lines}");
    let entries = served.gets("/api/apps/shop/events?n=1").json();
    assert_eq!((&entries["rows"][0]["event"], &entries["rows"][1]), (&json!("ended"), &Value::Null));
    let explained = served.gets("/api/apps/shop/explain?process=web.1").json();
    assert_eq!(explained["rows"][0]["cause"], "healthy", "{explained}");
    for (path, status) in [
        ("/api/apps/other/logs", 404),
        ("/api/apps/shop/logs?process=..", 400),
        // It would go on for ever, were it taken for an option.
        ("/api/apps/shop/logs?process=-f", 400),
        ("/api/apps/shop/logs?n=-1", 400),
        ("/api/apps/shop/logs?n=x", 400),
        ("/api/apps/shop/usage", 400),
    ] {
        let answer = served.asks("GET", path, &[], "");
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.json()["error"].is_string(), "{path}: {answer:?}");
    }
    assert_eq!(served.asks("GET", "/api/apps/shop/logs?n=99999", &[], "").status, 200);
}

#[test]
fn what_instances_use_is_kept_over_an_end() {
    let home = shop();
    let served = Served::socket(&home, &[]);
    let memory = |served: &Served<'_>| -> Vec<u64> {
        let answer = served.gets("/api/apps/shop/usage?process=web.1").json();
        answer["points"]
            .as_array()
            .expect("points")
            .iter()
            .filter_map(|point| point["memory_bytes"].as_u64())
            .collect()
    };
    let first: Vec<u64> = eventually("the first sample", || {
        let memory: Vec<u64> = memory(&served);
        if memory.is_empty() { Err("none".to_owned()) } else { Ok(memory) }
    });
    assert!(first[0] > 4096, "{first:?}");
    // Another one for the same apps serves too, and says that it keeps nothing.
    let other = home.path("other.sock");
    let mut second = home.start(&["ps-web", "--socket", other.to_str().expect("text")]);
    eventually("it serves", || UnixStream::connect(&other).map_err(|error| error.to_string()));
    second.signal(rustix::process::Signal::TERM);
    let ended = second.ended();
    assert!(ended.status == Some(0) && ended.stderr.contains("is not recorded"), "{ended:?}");
    let kept = std::fs::read(home.path("lib/data/formation-web/usage")).expect("a file");
    drop(served);
    std::fs::create_dir_all(home.path("lib/data/formation-web")).expect("a directory");
    std::fs::write(home.path("lib/data/formation-web/usage"), kept).expect("a file");
    home.does(&["ps-lifecycle", "stop", "shop"]);
    let served = Served::socket(&home, &[]);
    let again: Vec<u64> = memory(&served);
    assert_eq!(again.first(), first.first());
    assert_eq!(served.asks("GET", "/api/apps/shop/usage?process=web", &[], "").status, 400);
}

#[test]
fn no_answer_holds_a_variable_of_an_app() {
    let home = Home::new();
    let source = home.source("shop", "web: exec sleep 600\n");
    home.write("shop/.env", "SECRET=swordfish-of-the-app\n");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    let served = Served::socket(&home, &[]);
    let pm2 = served.gets("/compat/pm2");
    let element = &pm2.json()["processes"][0];
    assert_eq!((&element["name"], &element["pm2_env"]["status"]), (&json!("shop"), &json!("online")));
    assert_eq!(element["pm2_env"]["env"], json!({}));
    assert!(!pm2.head.contains("access-control"), "{pm2:?}");
    for path in [
        "/",
        "/api/status",
        "/compat/pm2",
        "/metrics",
        "/api/apps/shop/logs",
        "/api/apps/shop/events",
        "/api/apps/shop/explain",
    ] {
        assert!(!served.gets(path).body.contains("swordfish"), "{path}");
    }
}

#[test]
fn every_path_of_the_description_is_there() {
    let home = shop();
    let served = Served::socket(&home, &["--allow-writes"]);
    let description = served.gets("/api/openapi.json").json();
    assert!(description["components"]["schemas"]["Instance"]["properties"]["state"].is_object());
    for (path, methods) in description["paths"].as_object().expect("paths") {
        let real = path.replace("{app}", "shop");
        if methods.get("get").is_some() && path != "/events" {
            served.gets(&format!("{real}?process=web.1"));
        }
        if methods.get("post").is_some() {
            let refused = served.asks("POST", &real, &["Content-Type: application/json"], "[]");
            assert_eq!(refused.status, 400, "{path}: {refused:?}");
        }
    }
}
