//! `--settings`: what each setting comes to for each type, and who set it.

use serde_json::{Value, json};

use crate::support::schema;
use crate::{Home, json_lines, said};

fn home() -> Home {
    let home = Home::new();
    home.app("shop").app("bare");
    home.write("lib/data/ps/shop/Procfile", "web: serve\nworker: work\n");
    home.write(
        "lib/data/app-json/shop/app.json",
        r#"{"formation": {"web": {"nice": 5}, "worker": {"nice": 7, "stop_signal": "SIGQUIT"}}}"#,
    );
    home.property("ps", "shop", "web.ready", "alive");
    home.property("ps", "shop", "stop-timeout-seconds", "60");
    home.property("ps", "shop", "web.stop-timeout-seconds", "90");
    home.property("ps", "--global", "nice", "9");
    home.property("ps", "--global", "umask", "077");
    home.property("ps", "shop", "clock.umask", "022");
    home.property("ps", "shop", "listen", "127.0.0.1:5000");
    home
}

fn row(rows: &[Value], process_type: &str, setting: &str) -> (Value, Value) {
    let is_meant = |row: &&Value| row["process_type"] == process_type && row["setting"] == setting;
    let row = rows.iter().find(is_meant).expect("each setting has a row");
    (row["value"].clone(), row["source"].clone())
}

#[test]
fn each_setting_of_each_type_has_a_row_with_who_set_it() {
    let said = said(&mut home().report(&["shop", "--settings", "--json"]));
    assert_eq!((said.status, &*said.stderr), (0, ""));
    let rows = json_lines(&said.stdout);
    let schema: Value =
        serde_json::from_str(include_str!("../../../docs/schemas/ps-report-settings.json")).expect("JSON");
    for row in &rows {
        assert_eq!(schema::complaints(&schema, row), [""; 0], "{row}");
    }
    for (process_type, setting, value, source) in [
        ("web", "ready", json!("alive"), "type"),
        ("web", "stop-timeout-seconds", json!("90"), "type"),
        ("worker", "stop-timeout-seconds", json!("60"), "app"),
        ("web", "nice", json!("9"), "global"),
        ("worker", "stop-signal", json!("SIGQUIT"), "app.json"),
        ("worker", "restart-policy", json!("on-failure:10"), "default"),
        ("worker", "user", Value::Null, "default"),
        ("clock", "umask", json!("022"), "type"),
        ("web", "umask", json!("077"), "global"),
        ("web", "listen", json!("127.0.0.1:5000"), "app"),
    ] {
        assert_eq!(row(&rows, process_type, setting), (value, json!(source)), "{process_type}.{setting}");
    }
}

#[test]
fn text_leaves_out_what_has_no_value_and_a_file_that_makes_no_sense_hides_no_other_app() {
    let home = home();
    let told = said(&mut home.report(&["shop", "--settings"]));
    assert!(told.stdout.starts_with("=====> shop settings\n"), "{}", told.stdout);
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<Vec<String>> = told.stdout.lines().map(words).collect();
    assert!(lines.contains(&vec!["web.ready:".into(), "type".into(), "alive".into()]), "{}", told.stdout);
    assert!(!told.stdout.contains("worker.user"), "{}", told.stdout);
    home.property("ps", "bare", "web.nice", "lots");
    let told = said(&mut home.report(&["--settings", "--quiet"]));
    assert!(told.status == 1 && told.stderr.starts_with("ps-report: bare: "), "{}", told.stderr);
    assert!(told.stderr.contains("web.nice") && told.stdout.contains("worker.nice:"), "{}", told.stderr);
    let csv = said(&mut home.report(&["shop", "--settings", "--format", "csv"]));
    assert!(csv.stdout.starts_with("app,process_type,setting,value,source,drift\n"), "{}", csv.stdout);
    assert!(csv.stdout.contains("\nshop,web,ready,alive,type,\n"), "{}", csv.stdout);
}

#[test]
fn it_is_a_report_of_its_own_and_inside_dokku_there_is_none() {
    let home = home();
    for other in ["--global", "--watch", "--columns=app", "--running"] {
        let refused = said(&mut home.report(&["--settings", other]));
        assert!(refused.status == 2 && refused.stdout.is_empty(), "{other}: {}", refused.stderr);
    }
    assert_eq!(said(&mut home.report(&["none", "--settings"])).status, 20);
    let inside = said(&mut home.dokku(&["shop", "--settings"]));
    let unknown = said(&mut home.dokku(&["shop", "--seddings"]));
    assert_eq!(
        (inside.status, inside.stdout, inside.stderr),
        (unknown.status, unknown.stdout, unknown.stderr)
    );
}

#[test]
fn a_label_or_an_option_that_looks_like_a_credential_is_masked() {
    let home = home();
    home.property("ps", "shop", "web.labels", r"team=shop,auth.password=hunter2,rule=a\,b");
    home.property(
        "ps",
        "shop",
        "web.engine-options",
        "log-opt=splunk-token=176FCEBF-4CF5-4EDF-91BC-703796522D20,shm-size=1m",
    );
    for words in [
        &["shop", "--settings"][..],
        &["shop", "--settings", "--json"],
        &["shop", "--settings", "--format", "csv"],
    ] {
        let told = said(&mut home.report(words));
        assert_eq!(told.status, 0, "{}", told.stderr);
        assert!(!told.stdout.contains("hunter2") && !told.stdout.contains("176FCEBF"), "{}", told.stdout);
        assert!(told.stdout.contains("team=shop,auth.password=[redacted],rule="), "{}", told.stdout);
        assert!(told.stdout.contains("log-opt=[redacted],shm-size=1m"), "{}", told.stdout);
    }
}
