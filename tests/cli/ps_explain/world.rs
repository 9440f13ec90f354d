//! An app that can be broken, and what is said of it then.

use std::process::Command;

use rustix::process::{Pid, Signal};
use serde_json::Value;

use crate::home::{Home, eventually};
use crate::schema;

/// An app that runs until there is a file `bad` in its directory, which says how it ends then.
pub(crate) const BREAKABLE: &str = "web: if [ -f bad ]; then . ./bad; fi; exec sleep 600\n";
const FAST: &str = r#""restart_delay": "1ms", "restart_delay_max": "1ms""#;

/// The explanation of an app, held to its schema.
pub(crate) fn explained(home: &Home, words: &[&str]) -> Value {
    let ran = home.run(&[&["ps-explain"], words, &["--json"]].concat());
    assert_eq!(ran.status, Some(0), "{ran:?}");
    let row = ran.rows().remove(0);
    let schema: Value =
        serde_json::from_str(include_str!("../../../docs/schemas/ps-explain.json")).expect("a schema");
    assert_eq!(schema::complaints(&schema, &row), [""; 0], "{row}");
    row
}

/// That the cause is named in the JSON, and that the paragraph, which is one line in a pipe, says what rests on what.
pub(crate) fn is_explained(home: &Home, words: &[&str], cause: &str) -> Value {
    let row = explained(home, words);
    assert_eq!(row["cause"], cause, "{row:#}");
    let text = home.does(&[&["ps-explain"], words].concat());
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains('[') && text.contains(']'), "{text}");
    row
}

/// `shop`, whose web.1 can be broken, with this restart policy.
pub(crate) fn breakable(policy: &str) -> Home {
    let home = Home::new();
    let source = home.source("shop", BREAKABLE);
    let app_json = format!(r#"{{"formation": {{"web": {{"restart_policy": "{policy}", {FAST}}}}}}}"#);
    home.write("shop/app.json", &app_json);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    home
}

/// `shop` after it was given up, because it did this at each start.
pub(crate) fn broken(script: &str) -> Home {
    let home = breakable("on-failure:2");
    home.write("shop/bad", script);
    kill(&home);
    comes_to(&home, "crashed");
    home
}

/// Waits until web.1 of shop is in that state.
pub(crate) fn comes_to(home: &Home, state: &str) {
    eventually(state, || {
        let states = home.states("shop");
        if states.get("web.1").is_some_and(|is| is == state) { Ok(()) } else { Err(format!("{states:?}")) }
    });
}

/// Somebody else kills the main process of web.1.
pub(crate) fn kill(home: &Home) {
    let pid = i32::try_from(home.pids("shop")["web.1"]).ok().and_then(Pid::from_raw);
    rustix::process::kill_process(pid.expect("a pid"), Signal::KILL).expect("ours");
}

/// Whether a program is installed; if not, that is noted.
pub(crate) fn lacks(program: &str) -> bool {
    let is_there = Command::new(program).arg("--version").output().is_ok_and(|ran| ran.status.success());
    if !is_there {
        skipped::skip(format_args!("{program} is not installed"));
    }
    !is_there
}
