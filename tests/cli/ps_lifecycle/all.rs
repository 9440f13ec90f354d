//! One verb for every app.

use crate::home::Home;

pub(crate) const PROCFILE: &str = "web: faultapp --tick 60\n";

pub(crate) fn three(words: &[&str]) -> Home {
    let home = Home::new();
    let source = home.source("source", PROCFILE);
    let deploy = |app| home.start(&[&["ps-lifecycle", "deploy", app, "--dir", &source], words].concat());
    for deploy in ["one", "two", "three"].map(deploy) {
        let ran = deploy.ended();
        assert_eq!(ran.status, Some(0), "{ran:?}");
    }
    home
}

pub(crate) fn states(home: &Home) -> Vec<String> {
    let rows = home.run(&["ps-lifecycle", "status", "--json"]).rows();
    rows.iter()
        .map(|row| format!("{}.{} {}", row["app"], row["index"], row["state"]).replace('"', ""))
        .collect()
}

#[test]
fn every_app_is_stopped_and_started_one_by_one_or_together() {
    let home = three(&[]);
    std::fs::create_dir_all(home.path("home/draft")).expect("an app that was never deployed");
    for parallel in ["1", "1000"] {
        home.does(&["ps-lifecycle", "stop", "--all", "--parallel", parallel]);
        assert_eq!(states(&home), ["one.1 stopped", "three.1 stopped", "two.1 stopped"]);
        home.is_silent();
        home.does(&["ps-lifecycle", "start", "--all", "--parallel", parallel]);
        assert_eq!(states(&home), ["one.1 running", "three.1 running", "two.1 running"]);
    }
}

#[test]
fn an_app_that_fails_does_not_keep_the_others_from_their_turn() {
    let home = three(&[]);
    home.write("lib/config/ps/one/scale", "no such line\n");
    let before = home.pids("two");
    let ran = home.run(&["ps-lifecycle", "restart", "--all"]);
    ran.is_refused(1, &["1 of 3 apps failed"]);
    assert!(ran.stderr.contains(" !     one: ") && ran.stderr.contains("lib/config/ps/one/scale"), "{ran:?}");
    assert_ne!(home.pids("two"), before);
}

#[test]
fn a_table_at_the_end_says_what_happened_to_each_app_and_a_script_reads_it() {
    let home = three(&[]);
    home.write("lib/config/ps/one/scale", "no such line\n");
    let ran = home.run(&["ps-lifecycle", "restart", "--all", "--parallel", "-1"]);
    ran.is_refused(1, &["1 of 3 apps failed"]);
    let table: Vec<&str> = ran.stdout.lines().skip_while(|line| !line.starts_with("APP ")).collect();
    let [heading, one, three, two] = table[..] else { panic!("{ran:?}") };
    assert_eq!(heading.split_whitespace().collect::<Vec<_>>(), ["APP", "RESULT", "TOOK", "REASON"]);
    assert!(one.starts_with("one    failed  ") && one.contains("lib/config/ps/one/scale"), "{one}");
    assert!(three.starts_with("three  done    ") && three.ends_with(" s  -"), "{three}");
    assert!(two.starts_with("two    done    "), "{two}");
    let schema = include_str!("../../../docs/schemas/ps-lifecycle-all.json");
    let schema = serde_json::from_str(schema).expect("JSON");
    for verb in ["restart", "rebuild", "restore"] {
        let ran = home.run(&["ps-lifecycle", verb, "--all", "--json", "--parallel", "2"]);
        assert_eq!(ran.status, Some(1), "{verb}: {ran:?}");
        let rows = ran.rows();
        for row in &rows {
            assert_eq!(crate::schema::complaints(&schema, row), [""; 0], "{verb}: {row}");
        }
        let said: Vec<String> =
            rows.iter().map(|row| format!("{} {}", row["app"], row["outcome"]).replace('"', "")).collect();
        assert_eq!(said, ["one failed", "three done", "two done"], "{verb}: {ran:?}");
    }
    home.refuses(&["ps-lifecycle", "stop", "two", "--json"], 2, &["--all"]);
}
