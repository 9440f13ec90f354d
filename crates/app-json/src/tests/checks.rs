//! Health checks: their defaults, and the values that result.

use crate::{AppJson, Kind};

#[test]
fn checks_have_dokkus_defaults_and_no_clock_is_overrun() {
    let text = r#"{"healthchecks": {"web": [
        {"type": "startup"},
        {"type": "startup", "path": "/up", "attempts": 7, "timeout": 2, "wait": 9223372036854775807},
        {"type": "startup", "attempts": 0, "timeout": -4},
        {"type": "liveness", "path": "/"}
    ]}}"#;
    let app_json = AppJson::parse(text.as_bytes()).expect("JSON");
    let found: Vec<_> = app_json
        .checks("web")
        .map(|(kind, check)| {
            (kind, check.path(), check.attempts(), check.timeout().as_secs(), check.wait().as_secs())
        })
        .collect();
    assert_eq!(
        found,
        [
            (Kind::Startup, None, 3, 5, 5),
            (Kind::Startup, Some("/up"), 7, 2, 86_400),
            (Kind::Startup, None, 3, 5, 5),
            (Kind::Liveness, Some("/"), 3, 5, 10)
        ]
    );
    assert_eq!(app_json.checks("worker").count(), 0);
}

#[test]
fn a_check_says_what_is_asked_and_how_often_once_an_instance_is_up() {
    let text = r#"{"healthchecks": {"web": [
        {"type": "startup", "content": "ok", "initialDelay": 2, "warn": true, "httpHeaders": [{"name": "A", "value": "b c"}, null]},
        {"type": "liveness", "command": ["./alive", "-q"], "interval": 1, "wait": 9, "threshold": 2, "attempts": 8,
         "onFailure": {"command": ["./dump"]}},
        {"type": "readiness", "listening": true, "wait": 9, "attempts": 8},
        {"type": "startup", "uptime": 20}
    ]}}"#;
    let app_json = AppJson::parse(text.as_bytes()).expect("JSON");
    assert_eq!(app_json.remarks(), []);
    let checks: Vec<_> = app_json.checks("web").map(|(_, check)| check).collect();
    let [first, alive, listens, lives] = checks[..] else { panic!("{checks:?}") };
    assert_eq!((first.path(), first.content(), first.only_warns()), (Some("/"), "ok", true));
    assert_eq!(first.headers(), [("A".to_owned(), "b c".to_owned())]);
    assert_eq!(first.initial_delay().as_secs(), 2);
    assert_eq!(
        (alive.command().join(" ").as_str(), alive.on_failure()),
        ("./alive -q", &["./dump".to_owned()][..])
    );
    assert_eq!((alive.attempts(), alive.wait().as_secs()), (2, 1));
    assert_eq!((listens.path(), listens.attempts(), listens.wait().as_secs()), (None, 8, 9));
    assert_eq!(lives.uptime().map(|life| life.as_secs()), Some(20));
    for header in [r#"{"name": "a b"}"#, r#"{"value": "x"}"#, r#"{"name": "A", "value": "x\r\nB: y"}"#] {
        let text =
            format!(r#"{{"healthchecks": {{"web": [{{"type": "startup", "httpHeaders": [{header}]}}]}}}}"#);
        let error = AppJson::parse(text.as_bytes()).expect_err("no header").to_string();
        assert!(error.starts_with("healthchecks.web[0].httpHeaders[0]: a header of one line"), "{error}");
    }
}
