//! Messages of the app, in both directions.

use serde_json::json;

use crate::clients::gets;
use crate::fleet::{Fleet, app, node, port};

#[test]
fn an_app_is_told_shutdown_answers_and_goes() {
    let Some(node) = node() else { return };
    let port = port();
    let mut fleet = Fleet::new(&node, app("talk.js"), &[("PORT", port.to_string())]);
    let ids = fleet.start_all(2);
    fleet.until("both have said that they are ready", |fleet| fleet.messages().len() == 2);
    assert_eq!(fleet.messages(), ["\"ready\"", "\"ready\""]);

    let said = json!({"a": [1, null, "line\nend"], "cmd": "of the app"});
    fleet.primary.send(ids[0], &said).expect("there is room");
    fleet.until("it answers", |fleet| fleet.messages().len() == 3);
    assert_eq!(fleet.messages()[2], json!({"echo": said}).to_string());

    let pid = fleet.workers[&ids[0]].id();
    fleet.primary.send(ids[0], &json!("shutdown")).expect("there is room");
    fleet.until("it has gone", |fleet| fleet.primary.phase(ids[0]).is_none());
    assert_eq!(fleet.messages()[3], json!({"bye": pid}).to_string());
    assert_eq!(fleet.serve(move || gets(port, 5)).len(), 1, "the other one serves");
}

#[test]
fn a_descriptor_that_an_app_sends_arrives() {
    let Some(node) = node() else { return };
    let mut fleet = Fleet::new(&node, app("sends-a-handle.js"), &[]);
    fleet.start();
    fleet.until("all messages have come", |fleet| fleet.messages().len() == 3);
    assert_eq!(fleet.messages(), ["{\"number\":1}", "{\"number\":2}", "\"after\""]);
    let sent = fleet
        .events
        .iter()
        .filter(|event| matches!(event, node_primary::Event::Message { handle: Some(_), .. }));
    assert_eq!(sent.count(), 2);
}
