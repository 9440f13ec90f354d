//! `/events`: what changes, as it changes.

use std::io::{BufRead, BufReader, Write};

use serde_json::Value;

use crate::home::Home;
use crate::served::{Connection, Served, shop};

/// One client that reads events.
pub(crate) struct Events(BufReader<Connection>);

#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Events {
    pub(crate) fn of(served: &Served<'_>, path: &str, line: &str) -> Self {
        let mut connection = served.connect();
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{line}\r\n");
        connection.write_all(request.as_bytes()).expect("it reads");
        let mut reader = BufReader::new(connection);
        let mut head = String::new();
        while reader.read_line(&mut head).expect("a head") > 2 {}
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
        Self(reader)
    }

    /// The next event; comments are passed over.
    pub(crate) fn next(&mut self) -> Event {
        let (mut id, mut name) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).expect("an event comes in time");
            let line = line.trim_end();
            if let Some(text) = line.strip_prefix("id: ") {
                text.clone_into(&mut id);
            } else if let Some(text) = line.strip_prefix("event: ") {
                text.clone_into(&mut name);
            } else if let Some(text) = line.strip_prefix("data: ") {
                let data = serde_json::from_str(text).expect("JSON");
                return Event { id, name, data };
            }
        }
    }

    /// Reads on until an event has a row like this.
    pub(crate) fn until(&mut self, slot: &str, state: &str) -> Event {
        loop {
            let event = self.next();
            if has(&event.data, slot, state) {
                return event;
            }
        }
    }
}

fn has(data: &Value, slot: &str, state: &str) -> bool {
    let apps = data["apps"].as_array().into_iter().flatten();
    let rows = apps.flat_map(|app| app["rows"].as_array().into_iter().flatten());
    rows.into_iter().any(|row| crate::home::slot(row) == slot && row["state"] == state)
}

fn scale(home: &Home, count: u16) {
    home.does(&["ps-scale", "shop", &format!("web={count}")]);
}

#[test]
fn what_changes_is_told_and_what_was_missed_is_told_later() {
    let home = shop();
    let served = Served::socket(&home, &[]);
    let id = served.gets("/api/status").json()["id"].as_str().expect("an id").to_owned();
    let mut events = Events::of(&served, &format!("/events?after={id}"), "");
    scale(&home, 3);
    let seen = events.until("web.3", "running");
    assert_eq!(seen.name, "change");
    drop(events);
    // While nobody looks, nobody asks: the second client is who sees that web.4 is there.
    scale(&home, 4);
    let mut again = Events::of(&served, "/events", &format!("Last-Event-ID: {}\r\n", seen.id));
    again.until("web.4", "running");
    // From the beginning again: nothing is lost, and nothing comes twice.
    let mut from_first = Events::of(&served, &format!("/events?after={id}"), "");
    from_first.until("web.3", "running");
    from_first.until("web.4", "running");
    home.does(&["ps-lifecycle", "destroy", "shop"]);
    let gone = loop {
        let event = again.next();
        if event.data["gone"] != serde_json::json!([]) {
            break event;
        }
    };
    assert_eq!(gone.data["gone"], serde_json::json!(["shop"]));
}

#[test]
fn an_id_that_says_nothing_here_is_a_gap() {
    let home = shop();
    let served = Served::socket(&home, &[]);
    for id in ["1-1", "x", "999999999999999-3"] {
        let event = Events::of(&served, "/events", &format!("Last-Event-ID: {id}\r\n")).next();
        assert_eq!(event.name, "gap", "{id}: {event:?}");
    }
}

#[test]
fn a_scheduler_that_hangs_is_named_and_freezes_its_own_rows_alone() {
    let home = shop();
    let engine = home.path("engine.sock");
    // It accepts, because the kernel does, and never answers.
    let _silent = std::os::unix::net::UnixListener::bind(&engine).expect("a socket");
    home.write("home/boat/CONTAINER.web.1", "0123456789abcdef");
    let served = Served::with(&home, &[], &[("DOCKER_HOST", &format!("unix://{}", engine.display()))]);
    let mut events = Events::of(&served, "/events", "");
    let silent = loop {
        let event = events.next();
        if event.data["silent"] != serde_json::json!([]) {
            break event;
        }
    };
    assert_eq!(silent.data["silent"][0]["apps"], serde_json::json!(["boat"]), "{silent:?}");
    assert!(
        silent.data["silent"][0]["reason"].as_str().expect("text").contains("docker-local"),
        "{silent:?}"
    );
    scale(&home, 3);
    events.until("web.3", "running");
    assert!(served.gets("/").body.contains("boat: docker-local"));
    std::fs::remove_dir_all(home.path("home/boat")).expect("it was made here");
}
