//! `ps-report --settings` of native apps: where a running instance has another value than is set by now.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::home::Home;

const PROCFILE: &str = "web: faultapp --tick 60\nworker: faultapp --tick 60\n";

/// By instance and setting: what it runs with, and what is set.
type Drifts = BTreeMap<String, (Value, Value)>;

fn drifts(home: &Home) -> Drifts {
    let told = home.does(&["ps-report", "shop", "--settings", "--json"]);
    let mut found = Drifts::new();
    for line in told.lines() {
        let row: Value = serde_json::from_str(line).expect("JSON");
        for drift in row["drift"].as_array().expect("a list") {
            let name = format!("{} {}", drift["instance"], row["setting"]).replace('"', "");
            found.insert(name, (drift["runs_with"].clone(), drift["set"].clone()));
        }
    }
    found
}

fn drift(name: &str, runs_with: Option<&str>, set: Option<&str>) -> (String, (Value, Value)) {
    (name.to_owned(), (runs_with.into(), set.into()))
}

#[test]
fn what_was_set_since_is_told_of_each_running_instance_until_it_holds() {
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source, "--scale", "worker=1"]);
    assert_eq!(drifts(&home), Drifts::new());
    let before = home.pids("shop");
    for (property, value) in [
        ("web.nice", "5"),
        ("web.stop-timeout-seconds", "7"),
        ("restart-policy", "always"),
        // What is set is what it was without a word.
        ("web.log-max-size", "10m"),
        ("web.no-new-privileges", "no"),
    ] {
        home.does(&["ps-set", "shop", property, value]);
    }
    let files = home.state();
    let nice = drift("web.1 nice", None, Some("5"));
    let of_supervisor = [
        drift("web.1 stop-timeout-seconds", Some("30"), Some("7")),
        drift("web.1 restart-policy", Some("on-failure:10"), Some("always")),
        drift("worker.1 restart-policy", Some("on-failure:10"), Some("always")),
    ];
    let all = of_supervisor.iter().cloned().chain([nice.clone()]);
    assert_eq!(drifts(&home), all.collect::<Drifts>());
    let text = home.does(&["ps-report", "shop", "--settings"]);
    let line = "       web.1 nice: runs with none, set is 5; takes effect at the next deploy or restart\n";
    assert!(text.contains(line), "{text}");
    // Nothing was changed by looking, and nothing was started.
    assert_eq!((home.state() == files, home.pids("shop")), (true, before.clone()));
    home.does(&["ps-lifecycle", "converge", "shop"]);
    assert_eq!((drifts(&home), home.pids("shop")), (Drifts::from([nice]), before));
    home.does(&["ps-lifecycle", "restart", "shop"]);
    assert_eq!(drifts(&home), Drifts::new());
    home.does(&["ps-set", "shop", "web.nice"]);
    assert_eq!(drifts(&home), Drifts::from([drift("web.1 nice", Some("5"), None)]));
    home.does(&["ps-lifecycle", "stop", "shop"]);
    assert_eq!(drifts(&home), Drifts::new(), "nothing runs");
}

#[test]
fn of_an_instance_that_a_version_started_which_wrote_nothing_down_only_what_its_supervisor_goes_by_is_compared()
 {
    let home = Home::new();
    let source = home.source("shop", PROCFILE);
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
    home.does(&["ps-set", "shop", "web.umask", "077"]);
    home.does(&["ps-set", "shop", "web.stop-signal", "QUIT"]);
    let umask = drift("web.1 umask", None, Some("077"));
    let signal = drift("web.1 stop-signal", Some("SIGTERM"), Some("SIGQUIT"));
    assert_eq!(drifts(&home), Drifts::from([umask, signal.clone()]));
    let service = home.path("lib/data/scheduler-native/shop");
    let status = service.join("web.1/status.json");
    let mut written: Value = serde_json::from_slice(&fs::read(&status).expect("readable")).expect("a status");
    assert!(written.as_object_mut().is_some_and(|fields| fields.remove("start_settings").is_some()));
    fs::write(&status, written.to_string()).expect("written");
    fs::remove_file(service.join("state")).expect("it was there");
    assert_eq!(drifts(&home), Drifts::from([signal]));
}
