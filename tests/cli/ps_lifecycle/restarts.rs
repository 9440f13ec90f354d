//! Why an instance was started again is counted where it happens, and is kept until somebody resets it.

use serde_json::{Value, json};

use crate::home::{Home, eventually, kill};

/// Each life reads from a file how it is to end; behind the last line it lives on.
const LIVES: &str = "n=$(($(cat lives) + 1)); echo $n >lives; eval \"$(sed -n ${n}p ends)\"; exec sleep 600";

/// The app `shop`, whose `web.1` has been through these ends.
fn after(ends: &str, settings: &str) -> Home {
    let home = Home::new();
    let source = home.source("shop", "web: exec sh ./run\n");
    home.write("shop/run", LIVES);
    home.write("shop/lives", "0\n");
    home.write("shop/ends", ends);
    home.write("shop/watched/one", "0");
    home.write("shop/app.json", &format!(r#"{{"formation": {{"web": {{"quantity": 1, {settings}}}}}}}"#));
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    home
}

/// The restarts of `web.1` that occurred, once `is_it` holds of its row.
fn counted(home: &Home, is_it: impl Fn(&Value) -> bool) -> Value {
    eventually("the row is as expected", || match home.status("shop").remove(0) {
        row if row["state"] == "running" && is_it(&row) => {
            let reasons = row["restarts_by_reason"].as_object().expect("it is native");
            assert_eq!(reasons.len(), 9, "each reason is there: {row}");
            Ok(reasons
                .iter()
                .filter(|(_, count)| **count != 0)
                .map(|(name, count)| (name.clone(), count.clone()))
                .collect())
        }
        row => Err(row.to_string()),
    })
}

#[test]
fn each_restart_counts_for_its_reason_and_stays_counted_over_deploys_and_the_death_of_a_supervisor() {
    let home = after(
        "exec sleep 600\nexec sleep 600\nexit 3\nkill -SEGV $$\nexit 0\nkill -TERM $$\n",
        r#""restart_policy": "always", "restart_delay": "10ms", "ready": "alive""#,
    );
    // Its first life, then the second one, from which on it ends by itself.
    home.does(&["ps-lifecycle", "signal", "KILL", "shop"]);
    counted(&home, |row| row["restarts"] == 1);
    home.does(&["ps-lifecycle", "signal", "KILL", "shop"]);
    let all = json!({"crash": 2, "signal": 3, "ended": 1});
    assert_eq!(counted(&home, |row| row["restarts"] == 6), all);
    let wide = home.does(&["ps-lifecycle", "status", "shop", "--wide"]);
    assert!(wide.contains("RESTARTED FOR") && wide.contains("2 crash, 3 signal, 1 ended"), "{wide}");

    home.does(&["ps-lifecycle", "restart", "shop"]);
    assert_eq!(counted(&home, |row| row["restarts"] == 0), all, "a person asked for that one");
    for supervisor in home.supervisors() {
        kill(supervisor);
    }
    home.does(&["ps-lifecycle", "converge", "shop"]);
    assert_eq!(counted(&home, |_| true), all);
    home.does(&["ps-lifecycle", "reset", "shop"]);
    assert_eq!(counted(&home, |_| true), json!({}));
}

#[test]
fn changed_files_count_as_watch() {
    let home = after("\n", r#""watch_paths": ["watched"], "ready": "alive""#);
    home.write("shop/watched/one", "1");
    let is_anew = |row: &Value| row["note"].as_str().is_some_and(|note| note.starts_with("started anew"));
    assert_eq!(counted(&home, is_anew), json!({"watch": 1}));
}
